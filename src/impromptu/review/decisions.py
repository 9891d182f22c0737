"""An append-only file of decisions: safe against kills, and against several writers at once.

Each line is one decision, complete and on the disk before a reviewer sees the next item. Of one
reviewer and one item the last counts; an ``undo`` takes one back; nothing is ever removed. A line
that cannot be read stays where it is and is told.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any, Literal, get_args

from impromptu.review.items import CHOICES, KINDS, LABELS, Item, Key

FILE = "decisions.jsonl"
Verdict = Literal["accept", "edit", "reject", "skip", "undo"]
LONGEST_NAME = 64


@dataclass(frozen=True, slots=True)
class Decision:
    """What one person said of one item.

    Attributes:
        time: UTC, as ISO 8601 writes it.
        value: What is right: the label that was accepted, or what it was edited to; empty where
            the verdict says nothing of it.
        about: Of what the person saw, ``Item.about``.
        blind: The teacher's label was not shown.
    """

    kind: str
    id: str
    reviewer: str
    time: str
    verdict: Verdict
    value: tuple[str, ...]
    about: str
    blind: bool

    @property
    def key(self) -> Key:
        """Which item."""
        return self.kind, self.id

    @property
    def says(self) -> bool:
        """Whether it tells what is right."""
        return self.verdict in ("accept", "edit")

    def is_about(self, item: Item) -> bool:
        """Tell whether the item is still what the person saw."""
        return self.about == item.about(self.blind)


class ChangedMeanwhileError(ValueError):
    """The same reviewer has decided the item elsewhere since the page was shown."""


def decide(
    item: Item, reviewer: str, verdict: Verdict, value: Sequence[str], blind: bool
) -> Decision:
    """Return a decision of now; a value that is the teacher's is accepted, another one an edit.

    Raises:
        ValueError: The value is none of the kind.
    """
    if verdict in ("accept", "edit"):
        value = checked(item.kind, value)
        verdict = "accept" if value == item.label else "edit"
    else:
        value = ()
    now = datetime.now(UTC).isoformat(timespec="microseconds")
    return Decision(
        item.kind, item.id, reviewer, now, verdict, tuple(value), item.about(blind), blind
    )


def checked(kind: str, value: Sequence[str]) -> tuple[str, ...]:
    """Return a value as it is kept, categories in the taxonomy's order.

    Raises:
        ValueError: It is none of the kind.
    """
    choices = CHOICES.get(kind)
    if choices is None:
        if len(value) != 1 or not value[0].strip():
            raise ValueError("expected a text; reject what has none")
        value[0].encode()  # lone surrogates cannot be stored
        return (value[0].strip(),)
    if unknown := set(value) - set(choices):
        raise ValueError(f"{min(unknown)!r:.80} is none of {', '.join(choices)}")
    if kind != LABELS and len(set(value)) != 1:
        raise ValueError(f"expected one of {', '.join(choices)}")
    return tuple(one for one in choices if one in value)


def reviewer_name(text: str) -> str:
    """Return a name that can stand in a file and on a page.

    Raises:
        ValueError: It is empty or too long, or has signs that names need not have.
    """
    if not 1 <= len(text) <= LONGEST_NAME or text != text.strip():
        raise ValueError(f"a reviewer's name has 1 to {LONGEST_NAME} signs, got {text!r:.80}")
    if odd := [sign for sign in text if not sign.isalnum() and sign not in " ._-@'"]:
        raise ValueError(f"a reviewer's name is of letters, digits and ._-@', got {odd[0]!r}")
    return text


@dataclass(slots=True)
class Ledger:
    """The decisions of a file; what other processes append is read too.

    Attributes:
        history: Of each reviewer, what counts and what it replaced, in order; without what was
            taken back.
        damaged: (line number, what is wrong) of lines that cannot be read.
    """

    path: Path
    history: dict[str, list[Decision]] = field(default_factory=dict)
    damaged: list[tuple[int, str]] = field(default_factory=list)
    _offset: int = 0
    _line: int = 0
    _lock: Lock = field(default_factory=Lock)

    def read(self) -> None:
        """Take in what has been appended since."""
        with self._lock, self._open("rb", fcntl.LOCK_SH) as file:
            self._take_in(file)

    def of(self, reviewer: str) -> dict[Key, Decision]:
        """Return by item what counts."""
        return {one.key: one for one in self.history.get(reviewer, ())}

    def version(self, reviewer: str, key: Key) -> str:
        """Return a word that changes when a reviewer decides an item, or takes that back."""
        last = self.of(reviewer).get(key)
        return last.time if last else ""

    def append(self, decision: Decision, version: str | None = None) -> None:
        """Store a decision; on return it is on the disk.

        Args:
            decision: What to store.
            version: What the reviewer saw last; None for whatever it was.

        Raises:
            ChangedMeanwhileError: It is another by now; nothing is stored.
        """
        with self._lock, self._open("ab+", fcntl.LOCK_EX) as file:
            self._catch_up(file)
            if version is not None and version != self.version(decision.reviewer, decision.key):
                raise ChangedMeanwhileError(f"{decision.id} was decided in another tab meanwhile")
            self._store(file, decision)

    def undo(self, reviewer: str) -> Decision | None:
        """Take a reviewer's last decision back; return it, or None where there is none."""
        with self._lock, self._open("ab+", fcntl.LOCK_EX) as file:
            self._catch_up(file)
            if not (mine := self.history.get(reviewer)):
                return None
            last = mine[-1]
            now = datetime.now(UTC).isoformat(timespec="microseconds")
            taken_back = replace(last, time=now, verdict="undo", value=())
            self._store(file, taken_back)
            return last

    @contextmanager
    def _open(self, mode: str, lock: int) -> Iterator[Any]:
        """Open the file under a lock that ends with the process."""
        with self.path.open(mode, buffering=0) as file:
            fcntl.flock(file, lock)
            yield file

    def _catch_up(self, file: Any) -> None:
        """Read to the end; what a killed process left of a line is ended, and stays."""
        self._take_in(file)
        if file.seek(0, os.SEEK_END) > self._offset:
            file.write(b"\n")
            self._take_in(file)

    def _store(self, file: Any, decision: Decision) -> None:
        left = memoryview(json.dumps(asdict(decision), ensure_ascii=False).encode() + b"\n")
        while left:
            left = left[file.write(left) :]
        os.fsync(file.fileno())
        self._take_in(file)

    def _take_in(self, file: Any) -> None:
        """Read on; a last line without its end waits for it."""
        file.seek(self._offset)
        lines = file.read().split(b"\n")
        for content in lines[:-1]:
            self._line += 1
            self._offset += len(content) + 1
            self._add(content)

    def _add(self, content: bytes) -> None:
        if not content.strip():
            return
        try:
            decision = _read(json.loads(content))
        except (ValueError, RecursionError) as error:
            self.damaged.append((self._line, f"{error}: {content[:60]!r}"))
            return
        mine = self.history.setdefault(decision.reviewer, [])
        if decision.verdict != "undo":
            mine.append(decision)
            return
        for place in range(len(mine) - 1, -1, -1):
            if mine[place].key == decision.key:
                del mine[place]
                break


def open_ledger(path: Path) -> Ledger:
    """Open a file of decisions, which need not be there yet.

    A last line that is whole but for its end was a decision all the same.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    ledger = Ledger(path)
    with ledger._open("ab+", fcntl.LOCK_EX) as file:
        ledger._catch_up(file)
    return ledger


def _read(row: Any) -> Decision:
    """Read one line.

    Raises:
        ValueError: It is no decision.
    """
    if not isinstance(row, Mapping):
        raise ValueError("no object")
    names = ("kind", "id", "reviewer", "time", "verdict", "about")
    texts = {name: row.get(name) for name in names}
    value, blind = row.get("value"), row.get("blind")
    for name, text in texts.items():
        if not isinstance(text, str):
            raise ValueError(f"{name!r} is {text!r:.40}, expected text")
    if texts["kind"] not in KINDS or texts["verdict"] not in get_args(Verdict):
        raise ValueError(f"unknown kind {texts['kind']!r:.40} or verdict {texts['verdict']!r:.40}")
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ValueError(f"'value' is {value!r:.40}, expected a list of texts")
    if not isinstance(blind, bool):
        raise ValueError(f"'blind' is {blind!r:.40}, expected true or false")
    if texts["verdict"] in ("accept", "edit"):
        value = checked(str(texts["kind"]), value)
    return Decision(**texts, value=tuple(value), blind=blind)  # type: ignore[arg-type]
