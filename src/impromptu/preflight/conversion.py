"""Turns a row into the conversation that LLaMA-Factory makes of it, or says why it makes none.

The rules are those of ``SharegptDatasetConverter`` in LLaMA-Factory 0.9.5, its traps included: a
registry entry that has ``tags`` loses the defaults of all tags it does not name, so that a system
message is an invalid role; one that has ``columns`` loses those it does not name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_TAGS = {
    "role_tag": "from",
    "content_tag": "value",
    "user_tag": "human",
    "assistant_tag": "gpt",
    "observation_tag": "observation",
    "function_tag": "function_call",
    "system_tag": "system",
}
_MEDIA = ("<video>", "<audio>")


@dataclass(frozen=True, slots=True)
class Names:
    """How a registry entry calls the fields of its rows; None for what LLaMA-Factory passes over.

    Attributes:
        tags: By LLaMA-Factory's names, ``role_tag`` and so on.
    """

    messages: str | None
    images: str | None
    system: str | None
    tags: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Conversation:
    """What is trained on.

    Attributes:
        turns: The texts of user and assistant, in turn.
        observed: Of each pair, whether the question is an observation, the answer of a tool.
    """

    system: str
    turns: tuple[str, ...]
    observed: tuple[bool, ...]
    images: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lost:
    """A row that is not trained on.

    Attributes:
        reason: One of `impromptu.preflight.fates`.
        detail: What was expected and what came.
    """

    reason: str
    detail: str = ""


def names_of(entry: Mapping[str, Any]) -> Names:
    """Read a registry entry as LLaMA-Factory does."""
    columns, tags = entry.get("columns"), entry.get("tags")
    told = columns if isinstance(columns, Mapping) else {}
    return Names(
        told.get("messages") if columns is not None else "conversations",
        told.get("images"),
        told.get("system"),
        {key: tags.get(key) for key in _TAGS} if isinstance(tags, Mapping) else _TAGS,
    )


def converse(row: Any, names: Names) -> Conversation | Lost:
    """Return the conversation of a row."""
    if not isinstance(row, dict):
        return Lost("wrong_type", f"expected an object, got {row!r:.60}")
    messages = row.get(names.messages) if isinstance(names.messages, str) else None
    if not isinstance(messages, list):
        return Lost("no_messages", f"expected a list in {names.messages!r}, got {messages!r:.60}")
    images = row.get(names.images) if isinstance(names.images, str) else None
    images = [images] if isinstance(images, str) else images or []
    if not isinstance(images, list) or not all(isinstance(path, str) for path in images):
        return Lost("wrong_type", f"expected a list of paths in {names.images!r}: {images!r:.60}")
    for message in messages:
        text = message.get(names.tags["content_tag"]) if isinstance(message, dict) else None
        if not isinstance(message, dict) or not isinstance(text, str | None):
            return Lost("wrong_type", f"expected messages with text, got {message!r:.60}")
    system = row.get(names.system) if isinstance(names.system, str) else ""
    return _align(messages, system if isinstance(system, str) else "", tuple(images), names)


def _align(
    messages: list[dict[str | None, Any]], system: str, images: tuple[str, ...], names: Names
) -> Conversation | Lost:
    tags, role, content = names.tags, names.tags["role_tag"], names.tags["content_tag"]
    if tags["system_tag"] and messages and messages[0].get(role) == tags["system_tag"]:
        system, messages = messages[0].get(content) or "", messages[1:]
    asks, answers = (tags["user_tag"], tags["observation_tag"]), (tags["assistant_tag"],)
    roles = [message.get(role) for message in messages]
    for at, name in enumerate(roles):
        if at % 2 and name == tags["function_tag"] and name is not None:
            return Lost("tool_call", "a tool's call is not counted here")
        if name is None and tags["observation_tag"] is None:  # taken for one, then refused
            return Lost("wrong_type", f"a message without a role in {role!r}")
        if name not in (answers if at % 2 else asks):
            return Lost("wrong_roles", f"expected user, assistant in turn, got {roles[:6]!r:.80}")
    if not messages:
        return Lost("no_turns", "a conversation without messages")
    if len(messages) % 2:
        return Lost("odd_turns", f"{len(messages)} messages; the last has no answer")
    texts = [message.get(content) for message in messages]
    if not all(isinstance(text, str) for text in texts):
        return Lost("wrong_type", f"a message without text in {content!r}")
    observed = tuple(name != tags["user_tag"] for name in roles[::2])
    return _matched(Conversation(system, tuple(map(str, texts)), observed, images))


def _matched(made: Conversation) -> Conversation | Lost:
    """Count markers as LLaMA-Factory's plugin does: in all turns, answers included."""
    marks = sum(text.count("<image>") for text in made.turns)
    if marks != len(made.images):
        return Lost("marks", f"{marks} <image> markers for {len(made.images)} images")
    for media in _MEDIA:
        if any(media in text for text in made.turns):
            return Lost("marks", f"a {media} marker, and none is there")
    return made
