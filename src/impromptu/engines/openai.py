"""Any model behind an OpenAI-compatible server; its own chat template applies, not ours.

The system message, the texts and the images are those of the training, in its order and at its
size; how the server writes them out for its model is the server's.
"""

import asyncio
import base64
import io
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from typing import Any

from impromptu.conversation import IMAGE, Sample
from impromptu.engines import Answerer, Completion, Decoding, Engine, Refused, Settings, _qwen_chat
from impromptu.engines._in_flight import in_flight

RETRIES = 5
"""Of one request, later and later, after 408, 409, 429, 5xx, a time-out or a lost connection."""
FAILURES_IN_A_ROW = 8
"""So many samples that the server failed at, and none between that it answered: it is broken."""


def _open(settings: Settings) -> Answerer:
    if not settings.base_url:
        raise ValueError("no server given; expected --base_url, such as http://localhost:8000/v1")
    if not settings.model:
        raise ValueError("no model given; expected --model_name_or_path with the server's name")
    client = open_client(settings, RETRIES)
    asker = Asker(client, settings, _image_uris)
    return in_flight(asker.ask, settings.concurrency, client.close)


def open_client(settings: Settings, retries: int) -> Any:
    """Return openai's asynchronous client of the server that the settings name.

    Raises:
        ModuleNotFoundError: It is not installed.
    """
    try:
        import openai
    except ModuleNotFoundError as error:
        error.add_note("this engine needs more: pip install 'impromptu-vla[openai]'")
        raise
    return openai.AsyncOpenAI(
        base_url=settings.base_url,
        api_key=os.environ.get(settings.api_key_env) or "none",
        max_retries=retries,
        timeout=settings.timeout_s,
    )


ImageUris = Callable[[Sample, Settings], Iterable[str]]


@dataclass(slots=True)
class Asker:
    """Asks a server about one sample.

    Attributes:
        image_uris: The images of a sample as data URIs; raises ``Refused``.
        failed: Samples in a row that the server failed at.
    """

    client: Any
    settings: Settings
    image_uris: ImageUris
    failed: int = 0

    async def ask(self, sample: Sample) -> Completion:
        """Answer one sample.

        Raises:
            Refused: The server or we cannot ask this one.
            OSError: There is no server any more, or it answers nobody.
            ValueError: The server does not know the key or the model.
        """
        import openai

        request = await asyncio.to_thread(self._request, sample)
        try:
            answer = await self.client.chat.completions.create(**request)
            completion = _completion(answer)
        except openai.APIStatusError as error:
            if error.status_code in (400, 413, 422):
                raise Refused(f"the server refused it: {_told(error)}") from error
            if error.status_code in (401, 403, 404):
                raise ValueError(f"{self._server()}: {_told(error)}") from error
            return self._failure(_told(error))
        except openai.APITimeoutError:
            return self._failure(f"no answer in {self.settings.timeout_s:g} s")
        except openai.APIConnectionError as error:
            cause = error.__cause__ or error
            raise OSError(f"{self._server()} cannot be reached any more: {cause}") from error
        except (openai.APIError, ValueError) as error:
            return self._failure(f"its answer cannot be read: {error}")
        self.failed = 0
        return completion

    def _request(self, sample: Sample) -> dict[str, Any]:
        return request_body(sample, self.settings, self.image_uris(sample, self.settings))

    def _failure(self, why: str) -> Completion:
        """Count what the server failed at after all retries.

        Raises:
            OSError: Too many in a row.
        """
        self.failed += 1
        if self.failed >= FAILURES_IN_A_ROW:
            raise OSError(
                f"{self._server()} failed at {self.failed} samples in a row, {RETRIES} retries "
                f"each, the last: {why}; if it has too much to do, give a smaller --concurrency"
            )
        return Completion("", "error", f"the server failed: {why}")

    def _server(self) -> str:
        return f"{self.settings.base_url} ({self.settings.model})"


def request_body(sample: Sample, settings: Settings, image_uris: Iterable[str]) -> dict[str, Any]:
    """Return what a server is asked about a sample with these images."""
    decoding = settings.decoding
    messages = [
        {"role": "system", "content": _qwen_chat.SYSTEM},
        {"role": "user", "content": _content(sample.prompt, image_uris)},
    ]
    # What is no part of OpenAI's own interface is only sent where it is asked for.
    own = {"top_k": decoding.top_k, "repetition_penalty": decoding.repetition_penalty}
    plain = Decoding()
    own = {key: value for key, value in own.items() if value != getattr(plain, key)}
    return {
        "model": settings.model,
        "messages": messages,
        "temperature": decoding.temperature,
        "top_p": decoding.top_p,
        "max_tokens": decoding.max_new_tokens,
        "seed": _qwen_chat.seed_of(settings, sample.id),
        "n": decoding.n,
        "extra_body": own | dict(settings.engine_config),
    }


def _content(prompt: str, image_uris: Iterable[str]) -> list[dict[str, Any]]:
    """Return texts and images in the prompt's order."""
    images = iter(image_uris)
    parts = list[dict[str, Any]]()
    for place, text in enumerate(prompt.split(IMAGE)):
        if place:
            parts.append({"type": "image_url", "image_url": {"url": next(images)}})
        if text:
            parts.append({"type": "text", "text": text})
    return parts


def _image_uris(sample: Sample, settings: Settings) -> list[str]:
    """Open a sample's images; raises ``Refused``."""
    return [_data_uri(image) for image in _qwen_chat.open_images(sample, settings)]


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
    return Completion(first.text, first.finish_reason, first.problem, tuple(more))


def _choice(choice: Any) -> Completion:
    text = getattr(getattr(choice, "message", None), "content", None)
    reason = getattr(choice, "finish_reason", None)
    if reason not in ("stop", "length") or not isinstance(text, str):
        return Completion("", "error", f"the server ended it: {reason}")
    return Completion(text, reason)


def _told(error: Any) -> str:
    body = error.body if isinstance(error.body, dict) else {}
    return f"{error.status_code} {body.get('message') or error.message}"[:400]


ENGINE = Engine(
    _open,
    uses=frozenset(one.name for one in fields(Decoding))
    | {
        "model",
        "media_dir",
        "image_max_pixels",
        "image_min_pixels",
        "concurrency",
        "base_url",
        "api_key_env",
        "timeout_s",
        "engine_config",
    },
)
