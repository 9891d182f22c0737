"""Figures of several runs side by side, one table for each file of samples."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from impromptu.report.scenes import Run
from impromptu.report.text import number
from impromptu.report.verdict import verdicts

COUNTS = ("asked", "answered", "missing", "read", "unreadable")


@dataclass(frozen=True, slots=True)
class Row:
    """A figure of every run."""

    label: str
    cells: Sequence[str]


@dataclass(frozen=True, slots=True)
class Group:
    """The figures of one metric."""

    name: str
    convention: str
    rows: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Table:
    """One file of samples.

    Attributes:
        runs: (position among all runs, name) of those that were asked.
        remarks: What else must be known to read the figures.
        verdicts: Of each model, whether it beats the baselines.
    """

    file: str
    question: str
    runs: Sequence[tuple[int, str]]
    counts: Sequence[Row]
    groups: Sequence[Group]
    remarks: Sequence[str]
    verdicts: Sequence[str]


def tables(runs: Sequence[Run]) -> list[Table]:
    """Return the tables, those that most runs were asked first, then in the order of the runs."""
    by_file: dict[str, dict[int, Mapping[str, Any]]] = {}
    for position, run in enumerate(runs):
        for result in run.results:
            by_file.setdefault(result["gt"], {})[position] = result
    names = dict(zip(by_file, _short_names(list(by_file)), strict=True))
    ordered = sorted(by_file, key=lambda file: -len(by_file[file]))
    return [_table(names[file], runs, by_file[file]) for file in ordered]


def _short_names(files: Sequence[str]) -> list[str]:
    """Return the paths from the folder that holds all of them."""
    if not files:
        return []
    folder = os.path.commonpath([str(Path(file).parent) for file in files])
    return [Path(file).relative_to(folder).as_posix() for file in files]


def _table(file: str, runs: Sequence[Run], results: Mapping[int, Mapping[str, Any]]) -> Table:
    asked = list(results.values())
    metrics = {name: metric for result in asked for name, metric in result["metrics"].items()}
    return Table(
        file=file,
        question=asked[0]["question"],
        runs=[(position, runs[position].name) for position in results],
        counts=[Row(name, [str(result[name]) for result in asked]) for name in COUNTS],
        groups=[_group(name, metric, asked) for name, metric in metrics.items()],
        remarks=[
            f"{runs[position].name}: {remark}"
            for position, result in results.items()
            for remark in _remarks(result)
        ],
        verdicts=verdicts([runs[position] for position in results], asked),
    )


def _group(name: str, metric: Mapping[str, Any], results: Sequence[Mapping[str, Any]]) -> Group:
    answers = [result["metrics"].get(name, {"figures": {}, "units": {}}) for result in results]
    units = {figure: unit for answer in answers for figure, unit in answer["units"].items()}
    arrow = " ↑" if metric["higher_is_better"] else " ↓"
    rows = [
        Row(
            f"{figure} ({unit})" + ("" if unit == "count" else arrow),
            [_cell(answer["figures"], figure, unit) for answer in answers],
        )
        for figure, unit in units.items()
    ]
    return Group(name, metric["convention"], rows)


def _cell(figures: Mapping[str, float | None], figure: str, unit: str) -> str:
    return number(figures[figure], unit) if figure in figures else "–"


def _remarks(result: Mapping[str, Any]) -> Iterator[str]:
    if result["preset"]:
        yield f"prompts and true answers of the {result['preset']} preset"
    if result["joined_by"] != "id":
        yield f"answers joined to samples by {result['joined_by']}, not by id"
    if result["note"]:
        yield result["note"]
    for example in result["unreadable_examples"][:1]:
        yield f"first unreadable, {example['id']}: {example['why']}"
