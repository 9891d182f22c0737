"""Reads JSON lists and JSON lines of any size, record by record, and remembers where each lies."""

import codecs
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

_BLOCK = 1 << 20
_LONGEST = 64 << 20
_BETWEEN = re.compile(r"[\s,\[\]\ufeff]*")
_DECODE = json.JSONDecoder().raw_decode
_ANSWERERS = ("assistant", "gpt", "model")


class Span(NamedTuple):
    """A record and the bytes of its file that hold it."""

    offset: int
    length: int
    value: Any


@dataclass(frozen=True, slots=True)
class Shown:
    """What of a ShareGPT record is shown; other people's have more shapes than ours.

    Attributes:
        id: The record's own, or empty.
        images: Paths as the record writes them.
        prompt: All that comes before the answer.
        answer: The last message, if a model's; else empty.
    """

    id: str
    images: tuple[str, ...]
    prompt: str
    answer: str


def spans(path: Path) -> Iterator[Span]:
    """Yield the records of a JSON list, however it is laid out, or of JSON lines.

    Raises:
        ValueError: What follows the records yielded so far is not JSON, or the file is cut short;
            the message names the byte.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    text, offset, first, last = "", 0, "", ""
    with path.open("rb") as file:
        while (block := file.read(max(_BLOCK, len(text)))) and len(text) < _LONGEST:
            text += decoder.decode(block)
            at = 0
            while True:
                between = text[at : (start := _end_of_gap(text, at))]
                if mark := between.strip(" \t\r\n\ufeff"):
                    first, last = first or mark[0], mark[-1]
                offset, at = offset + _bytes(between), start
                try:
                    value, end = _DECODE(text, at)
                except (json.JSONDecodeError, RecursionError):
                    break
                length, first = _bytes(text[at:end]), first or "{"
                yield Span(offset, length, value)
                offset, at = offset + length, end
            text = text[at:]
    if text or (first == "[" and last != "]"):
        raise ValueError(
            f"{path}: byte {offset}: not valid JSON; what follows is not shown. "
            "The file may be cut short: download or write it again"
        )


def _end_of_gap(text: str, at: int) -> int:
    gap = _BETWEEN.match(text, at)
    return gap.end() if gap else at


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogateescape"))


def read_span(path: Path, offset: int, length: int) -> Any:
    """Read one record again.

    Raises:
        OSError, ValueError: The file is gone, or holds something else there by now.
    """
    with path.open("rb") as file:
        file.seek(offset)
        content = file.read(length)
    try:
        return json.loads(content.decode("utf-8", "surrogateescape"))
    except ValueError as error:
        raise ValueError(f"{path} has changed since it was indexed; start again") from error


def shown(record: Any) -> Shown:
    """Read a ShareGPT record, in the names that LLaMA-Factory, LLaVA or OpenAI give its fields.

    Raises:
        ValueError: It has no messages, or its images are no paths.
    """
    if not isinstance(record, Mapping):
        raise ValueError(f"expected an object, got {record!r:.60}")
    messages = record.get("messages", record.get("conversations"))
    if not isinstance(messages, list) or not all(isinstance(m, Mapping) for m in messages):
        raise ValueError("no list of 'messages' or 'conversations'")
    images = record.get("images", record.get("image")) or []
    images = [images] if isinstance(images, str) else images
    if not isinstance(images, list) or not all(isinstance(path, str) for path in images):
        raise ValueError(f"expected paths in 'images', got {images!r:.60}")
    turns = [(str(m.get("role", m.get("from", ""))), _text(m)) for m in messages]
    answered = bool(turns) and turns[-1][0] in _ANSWERERS
    asked = turns[:-1] if answered else turns
    prompt = asked[0][1] if len(asked) == 1 else "\n\n".join(f"{r}: {text}" for r, text in asked)
    answer = turns[-1][1] if answered else ""
    name = record.get("id")
    return Shown("" if name is None else plain(name), tuple(map(plain, images)), prompt, answer)


def plain(value: object) -> str:
    """Return text that can be stored and sent: bytes that were not UTF-8 become question marks."""
    text = str(value)
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content", message.get("value", ""))
    if isinstance(content, list):
        parts = [part for part in content if isinstance(part, Mapping)]
        content = "\n".join(str(part.get("text", "<image>")) for part in parts)
    return plain("" if content is None else content)
