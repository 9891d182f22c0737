"""What a report is about: engines' answers, scored, and the files of samples they were asked."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from impromptu.evaluation import Evaluation
from impromptu.metrics import Sums

Role = Literal["model", "baseline", "truth"]
Result = Mapping[str, Any]
"""What ``Evaluation.to_json`` returns."""


@dataclass(frozen=True, eq=False)
class Run:
    """One engine's answers to the same samples as the other runs'.

    Attributes:
        name: For people, short: ``tiny model``.
        about: One sentence that says what it is.
        evaluations: One for each file of samples.
        role: ``truth`` repeats the true answers; a ``baseline`` is what a ``model`` has to beat.
        pictured: Whether its paths are drawn; such runs come first, and are not many.
    """

    name: str
    about: str
    evaluations: Sequence[Evaluation]
    role: Role = "model"
    pictured: bool = True

    @cached_property
    def results(self) -> list[Result]:
        """The evaluations as JSON."""
        return [one.to_json() for one in self.evaluations]


@dataclass(frozen=True, eq=False)
class Entry:
    """One run's part in a file of samples.

    Attributes:
        position: Of the run among all; it gives the run its colour.
    """

    position: int
    run: Run
    evaluation: Evaluation
    result: Result

    @cached_property
    def predicted(self) -> Mapping[str, str]:
        """The text of every answer, by sample id."""
        answers = self.evaluation.joined.answers
        return {one.id: one.predicted for one in answers if one.predicted is not None}


@dataclass(frozen=True, eq=False)
class SampleFile:
    """A file of samples, and the runs that were asked it, in the order of all runs.

    Attributes:
        name: Its path from the folder that holds all of them.
    """

    name: str
    path: Path
    entries: Sequence[Entry]

    @property
    def task(self) -> str:
        """The task, ``q1`` ... ``planning``."""
        return str(self.entries[0].result["task"])

    @property
    def metrics(self) -> dict[str, Mapping[str, Any]]:
        """Every metric that some run has, by name, as the first such run tells it."""
        found: dict[str, Mapping[str, Any]] = {}
        for entry in self.entries:
            for name, metric in entry.result["metrics"].items():
                found.setdefault(name, metric)
        return found


def shared(one: Entry, other: Entry, metric: str) -> tuple[list[str], tuple[Sums, Sums]]:
    """Return the ids that both answered readably, and of each run the columns of those."""
    first, second = (
        {read.id: row for row, read in enumerate(entry.evaluation.reading.read)}
        for entry in (one, other)
    )
    ids = [sample_id for sample_id in first if sample_id in second]
    sides = []
    for entry, row_of in ((one, first), (other, second)):
        rows = np.array([row_of[sample_id] for sample_id in ids], dtype=np.int64)
        of = entry.evaluation.sums.get(metric, {})
        sides.append({column: values[rows] for column, values in of.items()})
    return ids, (sides[0], sides[1])


def sample_files(runs: Sequence[Run]) -> list[SampleFile]:
    """Return the files: what most runs were asked first, planning before others.

    Otherwise they are in the order of the runs.
    """
    by_file: dict[str, list[Entry]] = {}
    for position, run in enumerate(runs):
        for evaluation, result in zip(run.evaluations, run.results, strict=True):
            entry = Entry(position, run, evaluation, result)
            by_file.setdefault(result["gt"], []).append(entry)
    names = dict(zip(by_file, _short_names(list(by_file)), strict=True))
    files = [SampleFile(names[file], Path(file), entries) for file, entries in by_file.items()]
    return sorted(files, key=lambda file: (-len(file.entries), file.task != "planning"))


def _short_names(files: Sequence[str]) -> list[str]:
    """Return the paths from the folder that holds all of them."""
    if not files:
        return []
    folder = os.path.commonpath([str(Path(file).parent) for file in files])
    return [Path(file).relative_to(folder).as_posix() for file in files]
