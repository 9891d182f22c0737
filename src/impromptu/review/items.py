"""Reads what can be reviewed in a folder: a teacher's answers to q3, q4, q5, and labels of clips.

Answers are ShareGPT records, in JSON lists or JSON lines. A label is an object, one a line, of the
fields ``id`` (of the clip), ``images`` (paths) and ``categories`` (any of the taxonomy's; none is a
standard scene); other fields are kept where labels are written out again.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from impromptu.conversation import clip_id, log_of
from impromptu.explorer.sources import naming, sample_files
from impromptu.json_stream import Broken, batches
from impromptu.plugins import did_you_mean
from impromptu.questions import AnswerError
from impromptu.questions.traffic_light import LIGHTS, read
from impromptu.sharegpt_rows import read_row
from impromptu.taxonomy import NAMES

LABELS = "categories"
KINDS = {
    LABELS: "kinds of scene",
    "q3": "why the ego does what it does",
    "q4": "the traffic light",
    "q5": "the scene in words",
}
CHOICES: Mapping[str, tuple[str, ...]] = {LABELS: NAMES, "q4": tuple(LIGHTS.values())}
"""What a person may choose from; of the other kinds a text is written."""
_EXAMPLES = 5

Key = tuple[str, str]
"""Kind and id: one clip may have an answer to each question, and a label."""


@dataclass(frozen=True, slots=True)
class Item:
    """What a teacher said of some images.

    Attributes:
        kind: Of ``KINDS``.
        label: Categories, in the taxonomy's order; of an answer its one text.
        prompt: What was asked; empty for a label.
        images: Paths as the record writes them.
        places: Where those files are.
        file: Where the record is; ``row`` is what it holds.
    """

    kind: str
    id: str
    label: tuple[str, ...]
    prompt: str
    images: tuple[str, ...]
    places: tuple[Path, ...]
    file: Path
    row: Mapping[str, Any] = field(repr=False)

    @property
    def key(self) -> Key:
        """What decisions are joined by."""
        return self.kind, self.id

    @property
    def clip(self) -> str:
        """The clip it is about, by its id."""
        return self.id if self.kind == LABELS else clip_id(self.id, self.kind)

    @property
    def log(self) -> str:
        """The log of that clip; an id that tells none stands for itself."""
        return log_of(self.clip) or self.id

    @property
    def stratum(self) -> str:
        """What is drawn evenly: each set of categories, each light, all texts of a question."""
        told = " + ".join(self.label) or "standard scene"
        return told if self.kind in CHOICES else "any"

    def about(self, blind: bool) -> str:
        """Return a hash of what a person saw, to know a decision about something else."""
        seen = [self.images, self.prompt, None if blind else self.label]
        return hashlib.sha256(json.dumps(seen).encode()).hexdigest()[:16]


@dataclass(slots=True)
class Dropped:
    """What was read and cannot be reviewed, by reason, with a few examples of each."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def add(self, reason: str, text: str) -> None:
        """Count one."""
        self.counts[reason] += 1
        if len(shown := self.examples.setdefault(reason, [])) < _EXAMPLES:
            shown.append(text)


class _Unfit(Exception):
    """A record that cannot be reviewed: (reason, text)."""


def read_items(folder: Path, apart: Path, dropped: Dropped) -> Iterator[Item]:
    """Yield the items of a folder, file by file; a record that is none is counted.

    Args:
        folder: With a registry it holds the sample files that this names; and any JSON lines.
        apart: A folder in it that is not read: where decisions are.
        dropped: Is added to.

    Raises:
        FileNotFoundError: There is no such folder, or no JSON file in it.
    """
    seen = set[Key]()
    for path in _files(folder, apart):
        with path.open("rb") as file:
            rows = (row for batch in batches(file) for row in batch)
            for number, row in enumerate(rows, start=1):
                try:
                    item = _item(row, path, folder)
                    if item.key in seen:
                        raise _Unfit("repeated_id", f"{item.id!r} comes twice")
                except _Unfit as unfit:
                    reason, text = unfit.args
                    dropped.add(reason, f"{path}: record {number}: {text}")
                else:
                    seen.add(item.key)
                    yield item


def _files(folder: Path, apart: Path) -> list[Path]:
    found, _ = sample_files(folder)
    lines = folder.rglob("*.jsonl") if folder.is_dir() else ()
    every = {path.resolve() for path in (*found, *lines) if path.is_file()}
    inside = sorted(path for path in every if not path.is_relative_to(apart.resolve()))
    if not inside:
        raise FileNotFoundError(f"{folder}: no .json or .jsonl file of answers or labels")
    return inside


def _item(row: Any, path: Path, folder: Path) -> Item:
    if isinstance(row, Broken):
        raise _Unfit(row.reason, row.text)
    if isinstance(row, dict) and LABELS in row:
        return _label(row, path, folder)
    return _answer(row, path, folder)


def _label(row: Mapping[str, Any], path: Path, folder: Path) -> Item:
    name, told, images = row.get("id"), row[LABELS], row.get("images")
    if not isinstance(name, str) or not name:
        raise _Unfit("no_id", f"expected the clip's id in 'id', got {name!r:.80}")
    if not isinstance(told, list) or not all(isinstance(one, str) for one in told):
        raise _Unfit("wrong_type", f"{name}: expected a list of names in {LABELS!r}")
    for one in told:
        if one not in NAMES:
            hint = did_you_mean(one[:80], NAMES)
            raise _Unfit("unknown_category", f"{name}: unknown category {one!r:.80}.{hint}")
    images = [images] if isinstance(images, str) else images
    if not isinstance(images, list) or not all(isinstance(one, str) for one in images):
        raise _Unfit("wrong_type", f"{name}: expected paths in 'images', got {images!r:.80}")
    label = tuple(one for one in NAMES if one in told)
    return _seen(Item(LABELS, name, label, "", tuple(images), (), path, row), folder)


def _answer(row: Any, path: Path, folder: Path) -> Item:
    known = read_row(row)
    if known.prompt is None or known.answer is None or not known.id:
        reason, text = known.faults[0] if known.faults else ("no_id", "no 'id'")
        raise _Unfit(reason, f"{text}; expected a ShareGPT record or a label")
    kind = naming(path, known.id)[0].question
    if kind not in KINDS:
        raise _Unfit("other_question", f"{known.id} is of {kind or 'no question'}, not q3 to q5")
    text = known.answer.strip()
    if not text:
        raise _Unfit("unanswered", f"{known.id} has no answer yet")
    try:
        label = (read(text) if kind == "q4" else text,)
    except AnswerError as error:
        raise _Unfit("unreadable_answer", f"{known.id}: {error}") from error
    return _seen(Item(kind, known.id, label, known.prompt, known.images, (), path, row), folder)


def _seen(item: Item, folder: Path) -> Item:
    """Find an item's images: relative to the folder, else to the record's own file."""
    if not item.images:
        raise _Unfit("no_images", f"{item.id} names no image")
    try:
        json.dumps([item.id, item.label, item.prompt, item.images], ensure_ascii=False).encode()
        places = tuple(_place(name, item.file, folder) for name in item.images)
    except ValueError as error:  # bytes that are no UTF-8, or a name with a null byte
        raise _Unfit("not_text", f"{item.id!r:.80}: {error}") from error
    return replace(item, places=places)


def _place(name: str, file: Path, folder: Path) -> Path:
    for base in (folder, file.parent):
        if (found := base / name).is_file():
            return found
    raise _Unfit("image_missing", f"no file {name!r:.200}, looked for from {folder}")
