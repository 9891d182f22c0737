"""Any model behind an OpenAI-compatible server; its own chat template applies, not ours.

The system message, the texts and the images are those of the training, in its order and at its
size; how the server writes them out for its model is the server's.
"""

import asyncio
import base64
import io
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import quote, urlsplit

from impromptu.conversation import IMAGE, Sample
from impromptu.engines import Answerer, Completion, Decoding, Engine, Refused, Settings, _qwen_chat
from impromptu.engines._in_flight import in_flight, refusing

RETRIES = 5
"""Of one request, later and later, after 408, 409, 429, 5xx, a time-out or a lost connection."""
FAILURES_IN_A_ROW = 8
"""So many samples that the server failed at, and none between that it answered: it is broken."""
_NO_KEY = "none"


def _open(settings: Settings) -> Answerer:
    _qwen_chat.refuse_template(settings.template, _qwen_chat.OWN)
    asker = Asker(connect(settings, RETRIES), settings, RETRIES)
    return in_flight(refusing(asker.ask), settings.concurrency, asker.client.close)


def connect(settings: Settings, retries: int) -> Any:
    """Return an ``openai.AsyncOpenAI``; the key is read from the environment and kept nowhere.

    Args:
        settings: Where the server is, and what it calls its model.
        retries: Of one request, later and later or when the server says.

    Raises:
        ValueError: The settings name no server or no model, or the key can be sent to none.
        ModuleNotFoundError: openai is not installed; the message says how.
    """
    _require_address(settings.base_url)
    if not settings.model:
        raise ValueError("no model given; expected --model_name_or_path with the server's name")
    try:
        import openai
    except ModuleNotFoundError as error:
        error.add_note("this engine needs more: pip install 'impromptu-vla[openai]'")
        raise
    return openai.AsyncOpenAI(
        base_url=settings.base_url,
        api_key=_key(settings.api_key_env),
        max_retries=retries,
        timeout=settings.timeout_s,
    )


def _require_address(base_url: str) -> None:
    """Raise a ``ValueError`` for what is no address of a server."""
    if not base_url:
        raise ValueError("no server given; expected --base_url, such as http://localhost:8000/v1")
    try:
        told = urlsplit(base_url)
        good = told.scheme in ("http", "https") and bool(told.hostname) and told.port != 0
    except ValueError:  # of a port that is none
        good = False
    if not good:
        raise ValueError(
            f"--base_url {base_url}: expected the server's address, such as "
            "http://localhost:8000/v1"
        )


def _key(variable: str) -> str:
    """Return the key that an environment variable holds.

    Raises:
        ValueError: No header can carry it; the message does not repeat it, as others would.
    """
    key = os.environ.get(variable) or _NO_KEY
    odd = [place for place, sign in enumerate(key, start=1) if not "!" <= sign <= "~"]
    if odd:
        raise ValueError(
            f"{variable}: sign {odd[0]} of the {len(key)} of this key is a blank, a line's end or "
            "no ASCII, which no key has; set the variable anew"
        )
    return key


@dataclass(slots=True)
class Asker:
    """Asks a server.

    Attributes:
        client: As ``connect`` returns.
        retries: What it was made with.
        failed: Requests in a row that the server failed at.
    """

    client: Any
    settings: Settings
    retries: int
    failed: int = 0

    async def ask(self, sample: Sample) -> Completion:
        """Answer one sample.

        Raises:
            Refused: The server or we cannot ask this one.
            OSError, ValueError: As ``complete`` says.
        """
        return await self.complete(await asyncio.to_thread(request_body, sample, self.settings))

    async def complete(self, request: Mapping[str, Any]) -> Completion:
        """Return what the server makes of a request.

        Raises:
            Refused: The server does not take this one.
            OSError: There is no server any more, or it answers nobody.
            ValueError: The server does not know the key or the model.
        """
        import openai

        try:
            answer = await self.client.chat.completions.create(**request)
            completion = _completion(answer)
        except openai.APIStatusError as error:
            if error.status_code in (400, 413, 422):
                raise Refused(f"the server refused it: {self._told(error)}") from error
            if error.status_code in (401, 403, 404):
                raise ValueError(f"{self._server()}: {self._told(error)}") from error
            return self._failure(self._told(error))
        except openai.APITimeoutError:
            return self._failure(f"no answer in {self.settings.timeout_s:g} s")
        except openai.APIConnectionError as error:
            cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
            told = _qwen_chat.one_line(cause)
            raise OSError(f"{self._server()} cannot be reached any more: {told}") from error
        except (openai.APIError, ValueError) as error:
            return self._failure(f"its answer cannot be read: {error}")
        self.failed = 0
        return completion

    def _failure(self, why: str) -> Completion:
        """Count what the server failed at after all retries.

        Raises:
            OSError: Too many in a row.
        """
        self.failed += 1
        if self.failed >= FAILURES_IN_A_ROW:
            raise OSError(
                f"{self._server()} failed at {self.failed} samples in a row, {self.retries} "
                f"retries each, the last: {why}; if it has too much to do, give a smaller "
                "--concurrency"
            )
        return Completion("", "error", f"the server failed: {why}")

    def _told(self, error: Any) -> str:
        """Return what the server said, without the key, which some servers repeat."""
        body = error.body if isinstance(error.body, dict) else {}
        told = f"{error.status_code} {body.get('message') or error.message}"
        key = self.client.api_key
        return (told if key == _NO_KEY else told.replace(key, "***"))[:400]

    def _server(self) -> str:
        return f"{self.settings.base_url} ({self.settings.model})"


def request_body(sample: Sample, settings: Settings) -> dict[str, Any]:
    """Return what a server is asked about a sample."""
    uris = map(_data_uri, _qwen_chat.open_images(sample, settings))
    return chat(settings, sample.id, content_parts(sample.prompt, uris))


def chat(settings: Settings, key: str, content: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a request.

    Args:
        settings: The server's model, and how it is to decode.
        key: What the seed follows from, beside the run's. It goes with the request, in a header
            that servers write to their logs.
        content: What the user says, as ``content_parts`` returns it.
    """
    decoding = settings.decoding
    known = _qwen_chat.CHATS.get(settings.template)
    messages: list[dict[str, Any]] = [{"role": "user", "content": content}]
    if known and known.system:
        messages.insert(0, {"role": "system", "content": known.system})
    # What is no part of OpenAI's own interface is only sent where it is asked for.
    own = {"top_k": decoding.top_k, "repetition_penalty": decoding.repetition_penalty}
    plain = Decoding()
    own = {key: value for key, value in own.items() if value != getattr(plain, key)}
    return {
        "model": settings.model,
        "messages": [],
        "temperature": decoding.temperature,
        "top_p": decoding.top_p,
        "max_tokens": decoding.max_new_tokens,
        "seed": _qwen_chat.seed_of(settings, key),
        "n": decoding.n,
        "extra_headers": {"X-Request-Id": quote(key)},
        # The package walks through its own arguments value by value, for a third of a request's
        # CPU time; what is here goes over them as it is.
        "extra_body": {"messages": messages} | own | dict(settings.engine_config),
    }


def content_parts(prompt: str, uris: Iterable[str]) -> list[dict[str, Any]]:
    """Return texts and images in the prompt's order; there is a URI for each image mark."""
    images = iter(uris)
    parts = list[dict[str, Any]]()
    for place, text in enumerate(prompt.split(IMAGE)):
        if place:
            parts.append({"type": "image_url", "image_url": {"url": next(images)}})
        if text:
            parts.append({"type": "text", "text": text})
    return parts


def _data_uri(image: Any) -> str:
    """Return an image as PNG, which loses nothing; the file's own bytes are of another size."""
    content = io.BytesIO()
    image.save(content, "PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()


def _completion(answer: Any) -> Completion:
    """Read an answer.

    Raises:
        ValueError: It is not what it should be.
    """
    choices = getattr(answer, "choices", None)
    if not isinstance(choices, list) or not choices:
        raise ValueError(f"no choices in {str(answer)!r:.200}")
    first, *more = (_choice(one) for one in choices)
    usage = getattr(answer, "usage", None)
    tokens = (_count(getattr(usage, name, None)) for name in ("prompt_tokens", "completion_tokens"))
    return Completion(first.text, first.finish_reason, first.problem, tuple(more), *tokens)


def _count(told: Any) -> int:
    return told if isinstance(told, int) and told > 0 else 0


def _choice(choice: Any) -> Completion:
    text = getattr(getattr(choice, "message", None), "content", None)
    reason = getattr(choice, "finish_reason", None)
    if reason not in ("stop", "length"):
        return Completion("", "error", f"the server ended it: {reason}")
    if not isinstance(text, str):
        return Completion("", "error", "the reply has no text")
    return Completion(text, reason)


ENGINE = Engine(
    _open,
    uses=frozenset(one.name for one in fields(Decoding))
    | {
        "model",
        "media_dir",
        "template",
        "image_max_pixels",
        "image_min_pixels",
        "concurrency",
        "base_url",
        "api_key_env",
        "timeout_s",
        "engine_config",
    },
)
