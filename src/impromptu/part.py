"""One log's samples: ask every question of every clip, write one part file, count every loss.

A part is a text file. Its first line is the JSON of its counts; each other line is a file key
(``<folder>/<stem>_<split>`` without ``.json``), a tab, and one sample as JSON. It appears under
its name only when complete, so a part that exists is a log that is done.
"""

import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from impromptu import datasets, plugins, questions
from impromptu.clip import Clip
from impromptu.conversation import Sample
from impromptu.datasets import Dataset, Dropped, Log, LogError
from impromptu.extraction import ShownImages
from impromptu.files import atomic_writer
from impromptu.preset import Preset, PresetName, load_preset
from impromptu.questions import Question, Unanswerable, observe
from impromptu.wording import Wording, load_wording

MissingImages = Literal["drop", "keep"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to make of every log; two equal recipes over equal inputs give equal bytes.

    Attributes:
        mapillary_hz: Frames a second of Mapillary SLS, which has no time; None for not known.
    """

    questions: tuple[str, ...]
    preset: PresetName = "strict"
    wording: Path | None = None
    missing_images: MissingImages = "drop"
    mapillary_hz: float | None = None

    @property
    def frames_hz(self) -> float | None:
        """Frames a second of logs without time; published code took half a second for granted."""
        return self.mapillary_hz or (2.0 if self.preset == "released" else None)


@dataclass(frozen=True, slots=True)
class Unit:
    """One log to be worked on, and where its part goes.

    Attributes:
        base: The folder that image paths are written relative to.
    """

    dataset: str
    log: Log
    recipe: Recipe
    base: Path
    part: Path


@dataclass(slots=True)
class Tally:
    """What one question asked of one log came to: ``asked == samples + dropped``.

    Attributes:
        images_missing: How many of the samples name an image that is absent or broken.
    """

    asked: int = 0
    samples: int = 0
    images_missing: int = 0
    dropped: Counter[str] = field(default_factory=Counter)

    def count(self, made: "_Made | str") -> None:
        """Take in a sample, or the reason why there is none."""
        self.asked += 1
        if isinstance(made, str):
            self.dropped[made] += 1
        else:
            self.samples += 1
            self.images_missing += bool(made.fault)

    def add(self, other: "Tally") -> None:
        """Take in another log's tally."""
        self.asked += other.asked
        self.samples += other.samples
        self.images_missing += other.images_missing
        self.dropped.update(other.dropped)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object, reasons in alphabetical order."""
        return {
            "asked": self.asked,
            "samples": self.samples,
            "samples_with_missing_images": self.images_missing,
            "dropped": dict(sorted(self.dropped.items())),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Tally":
        """Read what ``to_json`` wrote."""
        missing = value["samples_with_missing_images"]
        return cls(value["asked"], value["samples"], missing, Counter(value["dropped"]))


@dataclass(slots=True)
class LogCounts:
    """What became of one log.

    Attributes:
        clips: Clips it gave.
        keyframes_dropped: Keyframes that gave none, by reason.
        images_missing: Whether any image was absent or broken, so that a later run looks again.
        images_unwritten: Why an image inside the log's files could not be written out, if so.
        tallies: By task.
        error: Why the log could not be read; then all else is zero.
    """

    clips: int = 0
    keyframes_dropped: Counter[str] = field(default_factory=Counter)
    images_missing: bool = False
    images_unwritten: str = ""
    tallies: dict[str, Tally] = field(default_factory=dict)
    error: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object."""
        return {
            "clips": self.clips,
            "keyframes_dropped": dict(sorted(self.keyframes_dropped.items())),
            "images_missing": self.images_missing,
            "images_unwritten": self.images_unwritten,
            "tallies": {task: tally.to_json() for task, tally in self.tallies.items()},
            "error": self.error,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "LogCounts":
        """Read what ``to_json`` wrote."""
        return cls(
            value["clips"],
            Counter(value["keyframes_dropped"]),
            value["images_missing"],
            value["images_unwritten"],
            {task: Tally.from_json(tally) for task, tally in value["tallies"].items()},
            value["error"],
        )


def write_part(unit: Unit) -> LogCounts:
    """Work on one log; its part file is there when this returns.

    A log that cannot be read leaves a part that holds nothing but the reason. Adapters raise
    ``LogError``; what else a log's own values may provoke is that log's failure too, not the run's.
    """
    counts, lines = LogCounts(), list[str]()
    try:
        lines = [
            f"{key}\t{json.dumps(row, ensure_ascii=False)}\n" for key, row in rows(unit, counts)
        ]
    except (OSError, ValueError, ArithmeticError) as error:
        kind = "" if isinstance(error, LogError | OSError) else f"{unit.log.source}: "
        counts, lines = LogCounts(error=f"{kind}{error}"), []
    with atomic_writer(unit.part) as file:
        file.write(json.dumps(counts.to_json()) + "\n")
        file.writelines(lines)
    return counts


def read_counts(part: Path) -> LogCounts:
    """Read the counts of a finished part."""
    with part.open(encoding="utf-8") as file:
        return LogCounts.from_json(json.loads(file.readline()))


def read_rows(part: Path) -> Iterator[tuple[str, str]]:
    """Yield (file key, sample as JSON text) of a finished part."""
    with part.open(encoding="utf-8") as file:
        next(file)
        for line in file:
            key, _, text = line.rstrip("\n").partition("\t")
            yield key, text


def rows(unit: Unit, counts: LogCounts) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (file key, ShareGPT record) of one log and count as it goes."""
    dataset = plugins.load(datasets, unit.dataset, Dataset)
    asker = prepare(unit.recipe)
    asked = [q for q in asker.questions if not q.only or unit.dataset in q.only]
    counts.tallies = {question.task: Tally() for question in asked}
    images = ShownImages(keep=unit.recipe.missing_images == "keep")
    for item in dataset.clips(unit.log):
        if isinstance(item, Dropped):
            counts.keyframes_dropped[item.reason] += 1
            continue
        counts.clips += 1
        for question in asked:
            key = file_key(unit.dataset, question, unit.log.split)
            for made in _samples(unit, asker, dataset, question, item, images):
                counts.tallies[question.task].count(made)
                if isinstance(made, _Made):
                    yield key, made.sample.to_sharegpt() | asker.preset.marks
    counts.images_missing, counts.images_unwritten = any(images.faults.values()), images.unwritten


@dataclass(frozen=True, slots=True)
class _Made:
    """A sample, and what is wrong with one of its images; empty if nothing is."""

    sample: Sample
    fault: str


@dataclass(frozen=True, slots=True)
class Asker:
    """A recipe's plugins and sentences, loaded."""

    questions: Sequence[Question]
    preset: Preset
    wording: Wording


@lru_cache(maxsize=1)
def prepare(recipe: Recipe) -> Asker:
    """Load what a recipe names.

    Raises:
        KeyError, OSError, ValueError: It names something that is not there or not right.
    """
    preset = load_preset(recipe.preset)
    asked = [plugins.load(questions, name, Question) for name in recipe.questions]
    return Asker(asked, preset, load_wording(recipe.wording, preset))


def file_key(dataset: str, question: Question, split: str) -> str:
    """Return where samples go, under the output folder, without ``.json``."""
    if question.task == "planning":
        return f"{dataset}_planning_{split}"
    folder = dataset if question.truth else f"{dataset}/unanswered"
    return f"{folder}/{question.task}_{split}"


def _samples(
    unit: Unit,
    asker: Asker,
    dataset: Dataset,
    question: Question,
    clip: Clip,
    images: ShownImages,
) -> Iterator[_Made | str]:
    """Yield each sample that one question makes of a clip, or the reason why there is none."""
    views = dataset.surround, dataset.forward
    for suffix, seen in observe(question, clip, asker.preset, *views):
        if isinstance(seen, Unanswerable):
            yield str(seen)
            continue
        fault = next(filter(None, map(images.fault, seen.cameras)), "")
        if fault and unit.recipe.missing_images == "drop":
            yield fault
            continue
        try:
            answer = _answer(question, replace(clip, observation=seen), asker)
        except Unanswerable as reason:
            yield str(reason)
            continue
        sample = Sample(
            f"{clip.id}/{question.task}{suffix}",
            tuple(_relative(camera.image, unit.base) for camera in seen.cameras),
            question.prompt(seen, asker.wording),
            answer,
        )
        yield _Made(sample, fault)


def _answer(question: Question, clip: Clip, asker: Asker) -> str:
    """Write the true answer; nothing where only a teacher knows it."""
    if question.truth is None:
        return ""
    return question.write(question.truth(clip, asker.preset), asker.wording)


def _relative(path: Path, base: Path) -> str:
    return f"{_relative_folder(path.parent, base)}/{path.name}"


@lru_cache(maxsize=256)
def _relative_folder(folder: Path, base: Path) -> str:
    return Path(os.path.relpath(folder, base)).as_posix()
