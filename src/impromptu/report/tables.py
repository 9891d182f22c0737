"""Figures of several runs side by side, one table for each file of samples."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from impromptu.report.scenes import Run
from impromptu.report.text import number

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
    """

    file: str
    question: str
    runs: Sequence[tuple[int, str]]
    counts: Sequence[Row]
    groups: Sequence[Group]
    remarks: Sequence[str]


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
            remark for position in results for remark in _remarks(runs[position], results[position])
        ],
    )


def _group(name: str, metric: Mapping[str, Any], results: Sequence[Mapping[str, Any]]) -> Group:
    better = "↑ higher is better" if metric["higher_is_better"] else "↓ lower is better"
    rows = []
    for figure, unit in metric["units"].items():
        direction = _direction(figure, unit, metric["higher_is_better"])
        cells = [_cell(result["metrics"].get(name), figure, unit) for result in results]
        rows.append(Row(f"{figure} ({unit}){direction}", cells))
    return Group(name, f"{metric['convention']}. {better}.", rows)
