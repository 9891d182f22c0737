"""Figures of several runs side by side, one table for each file of samples."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from impromptu import metrics, plugins
from impromptu.metrics import Metric
from impromptu.report.runs import Entry, Result, SampleFile
from impromptu.report.text import counted, number
from impromptu.report.verdict import verdicts

COUNTS = ("asked", "answered", "missing", "read", "unreadable")
_FOLD_FROM = 12
"""A metric of more figures than this is folded but for its headline."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A figure as printed, and its interval; empty where there is none."""

    value: str
    interval: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A figure of every run."""

    label: str
    cells: Sequence[Cell]


@dataclass(frozen=True, slots=True)
class Group:
    """The figures of one metric, the one that stands for all first.

    Attributes:
        folded: Whether there are so many that only the first is shown at once.
    """

    name: str
    convention: str
    rows: Sequence[Row]
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Breakdown:
    """The headlines of one run by groups of samples.

    Attributes:
        dimension: What tells the groups apart, such as ``location``.
        columns: Names of the headlines.
        rows: (group, number of samples, figures).
    """

    run: str
    dimension: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, int, Sequence[str]]]


@dataclass(frozen=True, slots=True)
class Policies:
    """What becomes of one run's headlines by what an unreadable answer counts as.

    Attributes:
        rows: (policy, its convention, number of samples, how many were filled in, figures).
    """

    run: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, str, int, int, Sequence[str]]]


@dataclass(frozen=True, slots=True)
class Table:
    """One file of samples.

    Attributes:
        runs: (position among all runs, name) of those that were asked.
        bootstrap: How the intervals were made; empty where there are none.
        remarks: What else must be known to read the figures.
        verdicts: Of each model, whether it beats the baselines.
    """

    file: str
    question: str
    runs: Sequence[tuple[int, str]]
    counts: Sequence[Row]
    groups: Sequence[Group]
    bootstrap: str
    remarks: Sequence[str]
    verdicts: Sequence[str]
    policies: Sequence[Policies]
    breakdowns: Sequence[Breakdown]


def table(file: SampleFile) -> Table:
    """Return the tables of a file."""
    results = [entry.result for entry in file.entries]
    models = [entry for entry in file.entries if entry.run.role == "model"]
    return Table(
        file=file.name,
        question=results[0]["question"],
        runs=[(entry.position, entry.run.name) for entry in file.entries],
        counts=[Row(name, [Cell(str(one[name])) for one in results]) for name in COUNTS],
        groups=[_group(name, metric, results) for name, metric in file.metrics.items()],
        bootstrap=_bootstrap(results),
        remarks=list(_all_remarks(file.entries)),
        verdicts=verdicts(file),
        policies=[
            _policies(entry.run.name, entry.result)
            for entry in models
            if entry.result["policies"] and entry.result["read"] < entry.result["asked"]
        ],
        breakdowns=[
            _breakdown(entry, dimension)
            for entry in models
            for dimension in entry.result["breakdown"]
        ],
    )


def _group(name: str, metric: Mapping[str, Any], results: Sequence[Result]) -> Group:
    told = [result["metrics"].get(name, {"figures": {}, "units": {}}) for result in results]
    units = {figure: unit for one in told for figure, unit in one["units"].items()}
    arrow = " ↑" if metric["higher_is_better"] else " ↓"
    rows = {
        figure: Row(
            f"{figure} ({unit})" + ("" if unit == "count" else arrow),
            [_cell(one, figure, unit) for one in told],
        )
        for figure, unit in units.items()
    }
    if folded := len(rows) > _FOLD_FROM:
        rows = {metric["headline"]: rows[metric["headline"]]} | rows
    return Group(name, metric["convention"], list(rows.values()), folded)


def _cell(metric: Mapping[str, Any], figure: str, unit: str) -> Cell:
    if figure not in metric["figures"]:
        return Cell("–")
    ends = metric.get("intervals", {}).get(figure)
    interval = f"{number(ends[0], unit)} to {number(ends[1], unit)}" if ends else ""
    return Cell(number(metric["figures"][figure], unit), interval)


def _bootstrap(results: Sequence[Result]) -> str:
    for one in results:
        if any(metric.get("intervals") for metric in one["metrics"].values()):
            how = one["bootstrap"]
            return (
                f"Small: {how['level']:.0%} bootstrap intervals; of {how['clusters']} logs whole "
                f"logs are drawn, {how['resamples']} times, seed {how['seed']}."
            )
    return ""


def _all_remarks(entries: Sequence[Entry]) -> Iterator[str]:
    """Say once what is true of every run, and of the others of which it is."""
    by_remark: dict[str, list[str]] = {}
    for entry in entries:
        for remark in _remarks(entry.result):
            by_remark.setdefault(remark, []).append(entry.run.name)
    for remark, names in by_remark.items():
        yield remark if len(names) == len(entries) > 1 else f"{', '.join(names)}: {remark}"


def _remarks(result: Result) -> Iterator[str]:
    if result["preset"]:
        yield f"prompts and true answers of the {result['preset']} preset"
    if result["joined_by"] != "id":
        yield f"answers joined to samples by {result['joined_by']}, not by id"
    for name, what in (("extra", "nobody asked for"), ("repeated", "given more than once")):
        if result[name]:
            yield f"{result[name]} predictions {what}"
    if result["note"]:
        yield result["note"]
    if result["unreadable_reasons"]:
        yield f"unreadable: {counted(result['unreadable_reasons'])}"
    for example in result["unreadable_examples"][:1]:
        yield f"first unreadable, {example['id']}: {example['why']}"
    if result["masks"]:
        masks = ", ".join(f"{count} {name}" for name, count in result["masks"].items())
        yield f"of the split: {masks}"
    yield from result["remarks"]


def _headlines(result: Result) -> dict[str, str]:
    return {name: metric["headline"] for name, metric in result["metrics"].items()}


def _figures(figures: Mapping[str, Mapping[str, Any]], of: Mapping[str, str]) -> list[str]:
    told = (figures.get(name, {}).get(headline) for name, headline in of.items())
    return ["–" if value is None else number(value, "") for value in told]


def _policies(run: str, result: Result) -> Policies:
    told = dict.fromkeys(name for one in result["policies"].values() for name in one["figures"])
    names = {name: plugins.load(metrics, name, Metric).headline for name in told}
    rows = [
        (policy, one["convention"], one["samples"], one["filled"], _figures(one["figures"], names))
        for policy, one in result["policies"].items()
    ]
    return Policies(run, [f"{name} {headline}" for name, headline in names.items()], rows)


def _breakdown(entry: Entry, dimension: str) -> Breakdown:
    names = _headlines(entry.result)
    rows = [
        (group, one["samples"], _figures(one["figures"], names))
        for group, one in entry.result["breakdown"][dimension].items()
    ]
    columns = [f"{name} {headline}" for name, headline in names.items()]
    return Breakdown(entry.run.name, dimension, columns, rows)
