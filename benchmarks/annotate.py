"""Annotation against a server that answers after 200 ms: requests a second, CPU a request, memory.

Usage: python benchmarks/annotate.py [--requests N] [--concurrency N] [--memory N]

Files at the training's size go as they are, camera files are scaled first. Either each request has
a file of its own, or eight share a clip's six: one shows all of them, seven one each.
The server is a process of its own that reads each request to its end and parses nothing.
"""

import argparse
import asyncio
import importlib
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from PIL import Image

from impromptu.annotation.checks import check
from impromptu.asking import Reply, Request, Spending, ask_all, open_store
from impromptu.engines import Settings

LATENCY_S = 0.2
PICTURES = 48
PROMPT = "This is what the front camera of our car sees now:\n<image>\nDescribe the scene."
ANSWER = "The road is wet and a cyclist is ahead of our car on the right, near the parked cars."


@dataclass(frozen=True)
class Requests:
    """So many requests; every clip has files of its own.

    Attributes:
        folder: Its file ``k.jpg`` is the ``k``-th image, for any ``k`` below eight times the count.
        by_clip: Eight requests a clip of six images, the first of which shows all and the others
            one; otherwise each shows one of its own.
    """

    folder: Path
    count: int
    by_clip: bool

    def __iter__(self) -> Iterator[Request]:
        """Yield them, clip by clip."""
        for k in range(self.count):
            clip, place = divmod(k, 8)
            six = [self.folder / f"{6 * clip + at}.jpg" for at in range(6)]
            if not self.by_clip:
                yield Request(f"log/{k}/q5/front", PROMPT, (self.folder / f"{k}.jpg",))
            elif place:
                yield Request(f"log/{clip}/q5/{place}", PROMPT, (six[place % 6],))
            else:
                yield Request(f"log/{clip}/q3", "<image>" * 6 + PROMPT[-19:], tuple(six))


class _Late(asyncio.Protocol):
    """Answers each request a while after its last byte."""

    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.left, self.head = -1, b""

    def data_received(self, data: bytes) -> None:
        if self.left < 0:
            self.head += data
            end = self.head.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self.head[:end].lower()
            length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
            data, self.left, self.head = self.head[end + 4 :], length, b""
        self.left -= len(data)
        if self.left <= 0:
            self.left = -1
            asyncio.get_running_loop().call_later(LATENCY_S, self.transport.write, _REPLY)


def _reply() -> bytes:
    message = {"role": "assistant", "content": ANSWER}
    body = json.dumps(
        {
            "id": "x",
            "object": "chat.completion",
            "created": 0,
            "model": "m",
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
            "usage": {"prompt_tokens": 400, "completion_tokens": 20, "total_tokens": 420},
        }
    ).encode()
    head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
    return f"{head}{len(body)}\r\n\r\n".encode() + body


_REPLY = _reply()


def _serve(port: "multiprocessing.Queue[int]") -> None:
    async def forever() -> None:
        server = await asyncio.get_running_loop().create_server(_Late, "127.0.0.1", 0)
        port.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(forever())


def _draw(folder: Path, width: int, height: int, quality: int, count: int) -> float:
    """Write pictures about as hard to compress as a street, under many names; return kB each."""
    rng, size_kb = np.random.default_rng(0), 0.0
    folder.mkdir()
    for k in range(count):
        path = folder / f"{k}.jpg"
        if k >= PICTURES:
            path.hardlink_to(folder / f"{k % PICTURES}.jpg")
            continue
        coarse = rng.integers(0, 255, (height // 24, width // 24, 3), dtype=np.uint8)
        smooth = np.asarray(Image.fromarray(coarse).resize((width, height)), np.float32)
        noisy = smooth + rng.normal(0, 3, (height, width, 1)).astype(np.float32)
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(path, quality=quality)
        size_kb += path.stat().st_size / 1000 / PICTURES
    return size_kb


def _cpu_s() -> float:
    own = resource.getrusage(resource.RUSAGE_SELF)
    return own.ru_utime + own.ru_stime


def _server_cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def _measure(name: str, requests: Requests, settings: Settings, pid: int) -> None:
    def kept(request: Request, text: str) -> str:
        return check("q5", request.prompt, text)

    with tempfile.TemporaryDirectory() as folder, open_store(Path(folder), {}) as store:
        began_s, cpu_s, server_s = time.monotonic(), _cpu_s(), _server_cpu_s(pid)
        outcome = ask_all(requests, store, settings, kept, Spending(), name)
        wall_s, cpu_s = time.monotonic() - began_s, _cpu_s() - cpu_s
        server_s = _server_cpu_s(pid) - server_s
    ideal_hz = settings.concurrency / LATENCY_S
    rate_hz, each_ms = outcome.accepted / wall_s, cpu_s / outcome.accepted * 1e3
    print(
        f"| {name} | {rate_hz:.0f} /s | {rate_hz / ideal_hz:.0%} | "
        f"{each_ms:.1f} ms | {server_s / outcome.accepted * 1e3:.1f} ms |"
    )


def _fill(count: int) -> None:
    """Store so many answers, and open them again, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        began_s = time.monotonic()
        with open_store(Path(folder), {}) as store:
            for k in range(count):
                request = Request(f"nuscenes/scene-{k // 40:05d}/{k}/q5/front", "What is there?")
                told = (request.id, 0, request.prompt_sha256, ANSWER, "stop", "", "", "m", 9, 9)
                store.put(request, Reply(*told))
        filled_s = time.monotonic() - began_s
        began_s, cpu_s = time.monotonic(), _cpu_s()
        with open_store(Path(folder), {}) as store:
            opened_s, opened_cpu_s = time.monotonic() - began_s, _cpu_s() - cpu_s
            peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
            print(
                f"{len(store):,} answers: stored in {filled_s:.0f} s, opened in {opened_s:.1f} s "
                f"({opened_cpu_s:.1f} s CPU), peak memory of the process {peak_mb:.0f} MB"
            )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=3_000)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--memory", type=int, default=1_000_000, help="answers to store")
    args = parser.parse_args()
    spawn = multiprocessing.get_context("spawn")
    ports: multiprocessing.Queue[int] = spawn.Queue()
    server = spawn.Process(target=_serve, args=(ports,), daemon=True)
    server.start()
    importlib.import_module("openai")  # takes a second or two, once
    url = f"http://127.0.0.1:{ports.get()}/v1"
    settings = Settings("m", base_url=url, concurrency=args.concurrency)
    print(
        "| images | requests | of the ideal | CPU a request | the server's |\n|---|---|---|---|---|"
    )
    with tempfile.TemporaryDirectory() as folder:
        for width, height, quality, how in ((680, 384, 90, "as it is"), (1600, 900, 80, "scaled")):
            images = Path(folder, str(width))
            size_kb = _draw(images, width, height, quality, args.requests)
            for by_clip, what in ((False, "one a request"), (True, "by clip")):
                name = f"{width} x {height}, {size_kb:.0f} kB, {how}, {what}"
                requests = Requests(images, args.requests, by_clip)
                _measure(name, requests, settings, int(server.pid or 0))
    server.terminate()
    sys.stdout.flush()
    if args.memory:
        filling = spawn.Process(target=_fill, args=(args.memory,))
        filling.start()
        filling.join()


if __name__ == "__main__":
    main()
