"""What is asked of a model, and what came back."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from json.encoder import encode_basestring_ascii as quoted
from pathlib import Path
from typing import Any

from impromptu.conversation import IMAGE


@dataclass(frozen=True, slots=True)
class Request:
    """One thing to ask.

    Attributes:
        id: Of what it is about, such as a sample; with the prompt and ``repeat`` it is the key.
        prompt: With a mark ``<image>`` for each image.
        images: Their files.
        schema: JSON Schema that the answer is to follow; sent where the server takes it.
        repeat: Which of several times the same is asked.
        prompt_sha256: Of prompt and schema.
        key: 16 bytes; two requests of one key are the same.
    """

    id: str
    prompt: str
    images: tuple[Path, ...] = ()
    schema: Mapping[str, Any] | None = None
    repeat: int = 0
    prompt_sha256: str = field(init=False)
    key: bytes = field(init=False)

    def __post_init__(self) -> None:
        """Match marks with images."""
        if (marks := self.prompt.count(IMAGE)) != len(self.images):
            raise ValueError(f"{self.id}: {marks} {IMAGE} markers for {len(self.images)} images")
        asked = self.prompt + ("" if self.schema is None else "\0" + json.dumps(self.schema))
        told = hashlib.sha256(asked.encode(errors="surrogatepass")).hexdigest()
        whole = f'[{quoted(self.id)}, "{told}", {self.repeat}]'.encode()
        object.__setattr__(self, "prompt_sha256", told)
        object.__setattr__(self, "key", hashlib.blake2b(whole, digest_size=16).digest())


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back for one request, as a line of a store.

    Attributes:
        text: The answer as it is kept: what the check returned, or as the model said it.
        finish_reason: As in ``engines.Completion``.
        reason: Why it is no answer, in a few snake_case words; empty if it is one.
        problem: The same for people.
        model: The server's name of it.
        tokens_in, tokens_out: As the server counts; 0 where it does not tell.
    """

    id: str
    repeat: int
    prompt_sha256: str
    text: str
    finish_reason: str
    reason: str
    problem: str
    model: str
    tokens_in: int
    tokens_out: int
