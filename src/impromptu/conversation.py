"""Samples as LLaMA-Factory reads them, and predictions as engines write them."""

from collections.abc import Mapping
from dataclasses import dataclass
from json.encoder import encode_basestring as _quoted
from typing import Any

IMAGE = "<image>"


def clip_id(sample_id: str, task: str) -> str:
    """Return the clip that a sample named ``<clip id>/<task>[/<view>]`` is about; else nothing."""
    head, found, view = sample_id.rpartition(f"/{task}")
    return head if found and view[:1] in ("", "/") else ""


def log_of(clip: str) -> str:
    """Return ``<dataset>/<log>`` of a clip named ``<dataset>/<log>/<keyframe>``; else nothing."""
    return clip.rpartition("/")[0]


@dataclass(frozen=True, slots=True)
class Sample:
    """One question about one clip, and its answer (empty where nobody has answered yet).

    Attributes:
        id: ``<clip id>/<task>``, unique in its file.
        images: Paths relative to the folder of the registry that names the file.
    """

    id: str
    images: tuple[str, ...]
    prompt: str
    answer: str

    def __post_init__(self) -> None:
        """Match image markers with images, as LLaMA-Factory will."""
        if (marks := self.prompt.count(IMAGE)) != len(self.images):
            raise ValueError(f"{self.id}: {marks} {IMAGE} markers for {len(self.images)} images")

    def to_sharegpt(self) -> dict[str, Any]:
        """Return the JSON object of this sample."""
        roles = ("user", self.prompt), ("assistant", self.answer)
        return {
            "id": self.id,
            "images": list(self.images),
            "messages": [{"role": role, "content": content} for role, content in roles],
        }

    def json_text(self, marks: Mapping[str, str]) -> str:
        """Return the text of that object, with some fields more after it.

        It is what ``json`` makes of it with its defaults, but for writing letters as they are: in
        half the time, and there are hundreds of thousands.
        """
        images = ", ".join(map(_quoted, self.images))
        messages = (
            f'{{"role": "user", "content": {_quoted(self.prompt)}}}, '
            f'{{"role": "assistant", "content": {_quoted(self.answer)}}}'
        )
        more = "".join(f", {_quoted(name)}: {_quoted(text)}" for name, text in marks.items())
        return f'{{"id": {_quoted(self.id)}, "images": [{images}], "messages": [{messages}]{more}}}'

    @classmethod
    def from_sharegpt(cls, record: Mapping[str, Any], fallback_id: str = "") -> "Sample":
        """Read a ShareGPT record of one user and one assistant message.

        Raises:
            ValueError: The record has another shape; the message names the field.
        """
        name = str(record.get("id", fallback_id))
        messages, images = record.get("messages"), record.get("images", [])
        if not isinstance(images, list) or not all(isinstance(path, str) for path in images):
            raise ValueError(f"{name}: 'images' must be a list of paths, got {images!r:.80}")
        if not isinstance(messages, list) or not all(isinstance(m, Mapping) for m in messages):
            raise ValueError(f"{name}: 'messages' must be a list of objects, got {messages!r:.80}")
        if (roles := [message.get("role") for message in messages]) != ["user", "assistant"]:
            raise ValueError(f"{name}: 'messages' must be user, assistant; got {roles!r:.80}")
        prompt, answer = (message.get("content") for message in messages)
        if not isinstance(prompt, str) or not isinstance(answer, str):
            raise ValueError(f"{name}: a message has no 'content' text")
        return cls(name, tuple(images), prompt, answer)


@dataclass(frozen=True, slots=True)
class Prediction:
    """A model's answer to one sample, joined to it by id, never by line order.

    Attributes:
        more: Text and finish reason of each further answer, where several were drawn.
    """

    id: str
    predict: str
    label: str
    finish_reason: str
    more: tuple[tuple[str, str], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object of one line; of several answers, lists beside the first."""
        first = {
            "id": self.id,
            "predict": self.predict,
            "label": self.label,
            "finish_reason": self.finish_reason,
        }
        if not self.more:
            return first
        texts, reasons = zip((self.predict, self.finish_reason), *self.more, strict=True)
        return first | {"predicts": list(texts), "finish_reasons": list(reasons)}


def registry_entry(file_name: str) -> dict[str, Any]:
    """Return LLaMA-Factory's ``dataset_info.json`` entry of a ShareGPT file."""
    return {
        "file_name": file_name,
        "formatting": "sharegpt",
        "columns": {"messages": "messages", "images": "images"},
        "tags": {
            "role_tag": "role",
            "content_tag": "content",
            "user_tag": "user",
            "assistant_tag": "assistant",
        },
    }
