"""A small server of the OpenAI interface beside the caller, whoever answers there."""

import asyncio
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

_STATUS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found"}
_STATUS |= {429: "Too Many Requests", 500: "Internal Server Error"}

Said = tuple[int, Any]
"""Status and body."""


class Replier(Protocol):
    """Whoever answers."""

    async def reply(self, headers: Mapping[str, str], body: Mapping[str, Any]) -> Said:
        """Answer a request for a chat completion."""


def completion(
    model: str, text: str, finish_reason: str, tokens_in: int, tokens_out: int
) -> dict[str, Any]:
    """Return the body of a reply."""
    message = {"role": "assistant", "content": text}
    return {
        "id": "stand-in",
        "object": "chat.completion",
        "created": 0,
        "model": model,
        "choices": [{"index": 0, "finish_reason": finish_reason, "message": message}],
        "usage": {
            "prompt_tokens": tokens_in,
            "completion_tokens": tokens_out,
            "total_tokens": tokens_in + tokens_out,
        },
    }


async def serve(replier: Replier, port: int) -> asyncio.Server:
    """Listen on 127.0.0.1.

    Args:
        replier: Answers each request.
        port: 0 for any that is free.
    """

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while request := await _read(reader):
                writer.write(_written(*await replier.reply(*request)))
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client has gone, or the server ends
        finally:
            writer.close()

    return await asyncio.start_server(talk, "127.0.0.1", port, limit=1 << 20)


async def _read(reader: asyncio.StreamReader) -> tuple[dict[str, str], Any] | None:
    """Read one request of HTTP/1.1; None where the client has closed."""
    head = await reader.readuntil(b"\r\n\r\n") if not reader.at_eof() else b""
    if not head:
        return None
    lines = [line.partition(":") for line in head.decode("latin-1").split("\r\n")[1:]]
    headers = {name.lower(): value.strip() for name, _, value in lines if name}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return headers, json.loads(body or b"{}")


def _written(status: int, body: Any) -> bytes:
    content = (body if isinstance(body, str) else json.dumps(body)).encode()
    head = (
        f"HTTP/1.1 {status} {_STATUS[status]}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\nretry-after-ms: 20\r\n\r\n"
    )
    return head.encode() + content


@contextmanager
def served(replier: Replier, port: int = 0) -> Iterator[str]:
    """Listen beside the caller; yield the base URL.

    Raises:
        OSError: The port cannot be had; the message says why.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="chat server")
    thread.start()
    try:
        try:
            server = asyncio.run_coroutine_threadsafe(serve(replier, port), loop).result()
        except (OSError, OverflowError) as error:
            why = (getattr(error, "strerror", None) or str(error)).lower().rstrip(".")
            raise OSError(f"--port {port}: {why}; --port 0 takes a free one") from error
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        finally:
            asyncio.run_coroutine_threadsafe(_end(server), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _end(server: asyncio.Server) -> None:
    """Listen no more, and end what is under way."""
    server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.sleep(0)  # their connections close
