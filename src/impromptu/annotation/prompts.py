"""The prompts that generation leaves to a teacher, read in an order that shares images."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from impromptu.asking import Request
from impromptu.conversation import Sample, clip_id
from impromptu.files import read_json
from impromptu.manifest import MANIFEST
from impromptu.registry import records

TASKS = ("q3", "q4", "q5")


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A file of prompts.

    Attributes:
        file: Under the samples' folder, ``<dataset>/unanswered/<task>_<split>.json``.
    """

    dataset: str
    split: str
    task: str
    file: str

    @property
    def answered(self) -> str:
        """Return where the samples go that are made of it."""
        return f"{self.dataset}/{self.task}_{self.split}.json"


@dataclass(frozen=True, slots=True)
class Prompts:
    """Requests for files of prompts; read anew each time they are gone through.

    Attributes:
        folder: The samples'; image paths start here.
        repeats: How often each prompt is asked.
    """

    folder: Path
    files: Sequence[Unanswered]
    repeats: int

    def __iter__(self) -> Iterator[Request]:
        """Yield the requests, those of one clip together as far as its files have one order.

        Raises:
            ValueError: A file is broken; the message names file and record.
        """
        for _, files in groupby(self.files, key=lambda one: (one.dataset, one.split)):
            for sample in _by_clip([(one.task, self._samples(one)) for one in files]):
                yield from self.requests(sample)

    def requests(self, sample: Sample) -> list[Request]:
        """Return what is asked about one sample."""
        images = tuple(self.folder / path for path in sample.images)
        return [
            Request(sample.id, sample.prompt, images, None, repeat)
            for repeat in range(self.repeats)
        ]

    def rows(self, file: Unanswered) -> Iterator[tuple[dict[str, Any], Sample]]:
        """Yield each record of a file, and the sample that it is.

        Raises:
            ValueError: The file is broken; the message names file and record.
        """
        path = self.folder / file.file
        for number, row in enumerate(records(path), start=1):
            try:
                if not isinstance(row, dict) or not row.get("id"):
                    raise ValueError("expected an object with an 'id'")
                yield row, Sample.from_sharegpt(row)
            except ValueError as error:
                raise ValueError(f"{path}: record {number}: {error}") from error

    def _samples(self, file: Unanswered) -> Iterator[Sample]:
        return (sample for _, sample in self.rows(file))


def _by_clip(files: Sequence[tuple[str, Iterator[Sample]]]) -> Iterator[Sample]:
    """Yield samples of the same clip one after the other, so that its images are encoded once.

    The last file leads: descriptions are asked of every clip, the others of some of them. What
    has no place beside it comes at the end.
    """
    (task, leading), *others = reversed(files)
    waiting = [(name, [sample], rest) for name, rest in others for sample in _next(rest)]
    for clip, samples in groupby(leading, key=lambda sample: clip_id(sample.id, task)):
        yield from samples
        for name, head, rest in waiting:
            while head and clip_id(head[0].id, name) == clip:
                yield head.pop()
                head += _next(rest)
    for _, head, rest in waiting:
        yield from head
        yield from rest


def _next(samples: Iterator[Sample]) -> list[Sample]:
    return [sample for sample in [next(samples, None)] if sample]


def unanswered(folder: Path, datasets: Sequence[str], tasks: Sequence[str]) -> list[Unanswered]:
    """Return the files of prompts that a generation left.

    Args:
        folder: The samples'.
        datasets: Which datasets; none for all.
        tasks: Which questions.

    Raises:
        FileNotFoundError: No generation has been here.
        ValueError: There is no such file; the message says what there is.
    """
    if not (folder / MANIFEST).is_file():
        raise FileNotFoundError(
            f"{folder / MANIFEST}: no such file; --samples expects the --out folder of "
            "scripts/data_qa_generate.sh"
        )
    manifest = read_json(folder / MANIFEST)
    found = [
        Unanswered(dataset, split, task, file)
        for dataset, splits in manifest["datasets"].items()
        for split, entry in splits.items()
        for task in TASKS
        if (file := f"{dataset}/unanswered/{task}_{split}.json") in entry["files"]
    ]
    wanted = [
        one for one in found if one.task in tasks and (not datasets or one.dataset in datasets)
    ]
    if not wanted:
        known = ", ".join(dict.fromkeys(f"{one.dataset} {one.task}" for one in found))
        raise ValueError(
            f"no prompts of {', '.join(tasks)} of {', '.join(datasets) or 'any dataset'} wait for "
            f"a teacher; there are {known or 'none'}"
        )
    return wanted
