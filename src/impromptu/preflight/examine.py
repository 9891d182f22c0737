"""Looks at a batch of rows: what becomes of each, and how long it is. Runs in worker processes."""

import os
from collections import Counter as Counts
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from impromptu.json_stream import Broken
from impromptu.preflight.conversion import Conversation, Lost, Names, converse
from impromptu.preflight.image_sizes import ImageSizes
from impromptu.preflight.tokens import IMAGE_TOKEN, Counter, ImageRule, Rules

_CHAT_TOKENS = ("<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|vision_start|>")
_KINDS = ((bool, "true or false"), ((int, float), "a number"), (str, "text"))
_ANY_IMAGE = ImageRule(14, 2, 1, 1 << 40, 1, 1 << 40)


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker has to know.

    Attributes:
        rules: How tokens are counted; None where the tokenizer could not be loaded.
        media_dir: Where image paths start.
    """

    rules: Rules | None
    media_dir: str


@dataclass(slots=True)
class Examined:
    """What was found in a batch.

    Attributes:
        fates: (row, reason, detail) of all rows that are not simply trained on; the row counts
            within the batch from 0. One a row, but for what is only noted.
        tokens, kept: Of each row, before and after cutting; 0 for one that is not trained on.
        kinds: Names of a row's fields, with the kind of JSON value each has, and how often.
    """

    fates: list[tuple[int, str, str]] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    kept: list[int] = field(default_factory=list)
    images: int = 0
    image_tokens: int = 0
    kinds: Counts[tuple[str, str]] = field(default_factory=Counts)


class Examiner:
    """Examines batches; remembers the sizes of images from one to the next."""

    def __init__(self, job: Job) -> None:
        os.environ["TOKENIZERS_PARALLELISM"] = "false"  # each worker has a core of its own
        self.sizes = ImageSizes(job.media_dir)
        self.counter = Counter(job.rules) if job.rules else None
        self.image_tokens = self.counter.image if self.counter else _ANY_IMAGE.tokens

    def examine(self, rows: Sequence[Any], names: Names) -> Examined:
        """Examine one batch of one file."""
        found = Examined(tokens=[0] * len(rows), kept=[0] * len(rows))
        made: dict[int, tuple[Conversation, list[int]]] = {}
        for at, row in enumerate(rows):
            if isinstance(row, dict):
                found.kinds.update((str(key), _kind(value)) for key, value in row.items())
            try:
                one = self._one(row, names)
            except RecursionError:
                one = Lost("too_deep", "brackets nested too deep")
            if isinstance(one, Lost):
                found.fates.append((at, one.reason, one.detail))
            else:
                made[at] = one
                self._note(at, row, one[0], names, found)
        self._measure(made, found)
        return found

    def _one(self, row: Any, names: Names) -> tuple[Conversation, list[int]] | Lost:
        if isinstance(row, Broken):
            return Lost(row.reason, row.text)
        made = converse(row, names)
        if isinstance(made, Lost):
            return made
        for text in (made.system, *made.turns):
            if not _is_text(text):
                return Lost("no_utf8", repr(text[:60]))
            if IMAGE_TOKEN in text:
                return Lost("image_token")
        tokens = []
        for image in made.images:
            size = self.sizes.of(image)
            count = size if isinstance(size, str) else self.image_tokens(size)
            if not isinstance(count, int):
                told = image if isinstance(size, str) else f"{image}: {size[0]} x {size[1]} px"
                return Lost(count or "too_thin", told)
            tokens.append(count)
        return made, tokens

    def _note(self, at: int, row: Any, made: Conversation, names: Names, found: Examined) -> None:
        if any(token in text for text in made.turns for token in _CHAT_TOKENS):
            found.fates.append((at, "chat_token", ""))
        if names.images and isinstance(row[names.images] if made.images else None, str):
            found.fates.append((at, "images_as_text", ""))

    def _measure(self, made: dict[int, tuple[Conversation, list[int]]], found: Examined) -> None:
        found.images = sum(len(images) for _, images in made.values())
        if self.counter is None:
            return
        lengths = self.counter.lengths(
            [one for one, _ in made.values()], [images for _, images in made.values()]
        )
        for at, length in zip(made, lengths, strict=True):
            found.tokens[at] = length.tokens
            found.image_tokens += length.image_tokens
            if length.fate:
                found.fates.append((at, length.fate, f"{length.tokens:,} tokens"))
            if length.fate != "image_cut":
                found.kept[at] = length.kept


def _kind(value: Any) -> str:
    """Return what Arrow, which LLaMA-Factory loads into, makes of a JSON value."""
    if value is None:
        return ""
    for types, name in _KINDS:
        if isinstance(value, types):
            return name
    return "a list" if isinstance(value, list) else "an object"


def _is_text(text: str) -> bool:
    """Tell whether there are no halves of signs in a text, nor bytes that were no UTF-8."""
    if text.isascii():
        return True
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


_examiner: list[Examiner] = []


def prepare(job: Job) -> None:
    """Make this process ready to examine."""
    _examiner[:] = [Examiner(job)]


def examine(rows: Sequence[Any], names: Names) -> Examined:
    """Examine a batch in a process made ready for it."""
    return _examiner[0].examine(rows, names)
