"""Reads ShareGPT rows of any maker: takes what is there and names what is not as it should be."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_MESSAGES = ("messages", "conversations")
_IMAGES = ("images", "image")
_ROLES = {"human": "user", "gpt": "assistant"}

Fault = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Row:
    """What a row holds.

    Attributes:
        prompt: All that comes before the last answer; None where there is no such text.
        answer: The last answer; likewise.
        faults: (reason, text) of what is not as ShareGPT wants it.
    """

    id: str
    images: tuple[str, ...]
    prompt: str | None
    answer: str | None
    faults: tuple[Fault, ...]


def read_row(row: Any, columns: Mapping[str, str] | None = None) -> Row:
    """Read one row.

    Args:
        row: Any JSON value.
        columns: The registry's names of the fields ``messages`` and ``images``, if it has any.
    """
    if not isinstance(row, dict):
        return _unreadable("", "not_an_object", f"expected an object, got {row!r:.80}")
    told = row.get("id")
    name = "" if told is None else str(told)[:200]
    faults: list[Fault] = []
    if isinstance(told, dict | list | bool | float):
        faults.append(("wrong_type", f"'id' should be text or a whole number, got {told!r:.80}"))
    images = _images(row, columns or {}, faults)
    messages = _field(row, columns or {}, "messages", _MESSAGES)
    if not isinstance(messages, list) or not messages:
        text = f"expected a list in 'messages' or 'conversations', got {messages!r:.80}"
        return Row(name, images, None, None, (*faults, ("no_messages", text)))
    prompt, answer = _turns(messages, faults)
    return Row(name, images, prompt, answer, tuple(faults))


def _unreadable(name: str, reason: str, text: str) -> Row:
    return Row(name, (), None, None, ((reason, text),))


def _field(
    row: Mapping[str, Any], columns: Mapping[str, str], name: str, known: tuple[str, ...]
) -> Any:
    for key in (columns.get(name), *known):
        if isinstance(key, str) and key in row:
            return row[key]
    return None


def _images(
    row: Mapping[str, Any], columns: Mapping[str, str], faults: list[Fault]
) -> tuple[str, ...]:
    images = _field(row, columns, "images", _IMAGES)
    if images is None:
        return ()
    if isinstance(images, str):
        if "image" not in row:
            faults.append(("images_no_list", f"'images' should be a list, got {images!r:.80}"))
        return (images,)
    if not isinstance(images, list) or not all(isinstance(path, str) for path in images):
        faults.append(("wrong_type", f"'images' should be a list of paths, got {images!r:.80}"))
        return ()
    return tuple(images)


def _turns(messages: list[Any], faults: list[Fault]) -> tuple[str | None, str | None]:
    """Return the prompt and the answer of a conversation; several turns make one prompt."""
    turns = [_turn(message, faults) for message in messages]
    if faults and any(role is None for role, _ in turns):
        return None, None
    spoken = [(role, text) for role, text in turns if role != "system"]
    roles = [role for role, _ in spoken]
    wanted = ["user", "assistant"] * (len(roles) // 2)
    if not roles or roles != wanted:
        faults.append(("wrong_roles", f"expected user, assistant in turn, got {roles[:6]}"))
        return None, None
    texts = [text for _, text in spoken]
    return texts[0] if len(texts) == 2 else "\n".join(texts[:-1]), texts[-1]


def _turn(message: Any, faults: list[Fault]) -> tuple[str | None, str]:
    if not isinstance(message, dict):
        faults.append(("wrong_type", f"a message should be an object, got {message!r:.80}"))
        return None, ""
    role, text = message.get("role", message.get("from")), message.get("content")
    text = message.get("value") if text is None else text
    if not isinstance(text, str):
        faults.append(("wrong_type", f"a message should have text, got {text!r:.80}"))
        return None, ""
    name = str(role)[:40]
    return _ROLES.get(name, name), text
