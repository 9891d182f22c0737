"""The closed loop in a report: what ``impromptu ncap score --out table.json`` tells, as a table."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from impromptu.files import read_json

COLUMNS = {
    "mean": "mean of the three",
    "mean_10_5_5": "mean 10:5:5",
    "stationary": "stationary",
    "frontal": "frontal",
    "side": "side",
}
"""Rows of ``ncap score`` that are no single scenario, as they are headed."""
_NONE = "–"


@dataclass(frozen=True, slots=True)
class Cell:
    """A score, its interval, and the share of runs with a collision; empty where there is none."""

    score: str
    interval: str = ""
    collisions: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A driver, or a published row.

    Attributes:
        note: Of a driver how many runs, of a published row its edition.
        unreadable: Share of the plans asked that could not be read.
        remark: What must be known of it.
    """

    name: str
    note: str
    cells: Sequence[Cell]
    unreadable: str = ""
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Driven:
    """All that is shown.

    Attributes:
        lines: A driver each.
        scenarios: (scenario, a cell for each driver).
        printed: Published rows.
        simulated: Whether any run is the mini-simulator's, which no published row is of.
        remarks: What else must be known to read the scores.
    """

    lines: Sequence[Line]
    scenarios: Sequence[tuple[str, Sequence[Cell]]]
    printed: Sequence[Line]
    simulated: bool
    remarks: Sequence[str]


def read(path: Path) -> Driven:
    """Read the file that ``ncap score`` wrote.

    Raises:
        OSError, ValueError: It cannot be read, or holds something else; the message names it.
    """
    told = read_json(path)
    try:
        return driven(told)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path}: expected the JSON of `impromptu ncap score RUNS --out table.json`, "
            f"cannot use it ({type(error).__name__}: {error})"
        ) from error


def driven(told: Mapping[str, Any]) -> Driven:
    """Return what is shown of scores.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: They are no scores.
    """
    models = told["models"]
    figures = [{(one["row"], one["quantity"]): one for one in model["figures"]} for model in models]
    rows = {row: None for of in figures for row, _ in of if row not in COLUMNS}
    order = sorted(rows, key=lambda row: ([*COLUMNS].index(row.partition("-")[0]), row))
    return Driven(
        [_line(model, of) for model, of in zip(models, figures, strict=True)],
        [(row, [_cell(of, row) for of in figures]) for row in order],
        [_printed(row) for row in told["published"]],
        any(model["simulated"] for model in models),
        [*_remarks(told), *_incomplete(models, figures, len(order))],
    )


Figures = Mapping[tuple[str, str], Mapping[str, Any]]
"""By row and quantity."""


def _line(model: Mapping[str, Any], figures: Figures) -> Line:
    rate = model["parse_failure_rate"]
    unreadable = _NONE if rate is None else f"{100 * rate:.1f} % of {model['plans_asked']:,}"
    runs = f"{model['runs']} of {model['expected']} runs"
    cells = [_cell(figures, row) for row in COLUMNS]
    return Line(str(model["name"]).replace("_", " "), runs, cells, unreadable)


def _cell(figures: Figures, row: str) -> Cell:
    score, rate = (figures.get((row, quantity)) for quantity in ("score", "collision_rate"))
    if score is None or rate is None:
        return Cell(_NONE)
    interval = "{:.2f} to {:.2f}".format(*score["interval"]) if score["interval"] else ""
    return Cell(f"{score['value']:.2f}", interval, f"{100 * rate['value']:.1f} %")


def _printed(row: Mapping[str, Any]) -> Line:
    cells = [
        _NONE if (score := row.get(f"score_{name}")) is None else f"{score:.2f}" for name in COLUMNS
    ]
    rates = [row.get(f"collision_rate_{name}") for name in COLUMNS]
    shown = [
        Cell(cell, collisions="" if rate is None else f"{100 * rate:.1f} %")
        for cell, rate in zip(cells, rates, strict=True)
    ]
    return Line(row["method"], row["edition"], shown, remark=row["note"])


def _remarks(told: Mapping[str, Any]) -> Iterator[str]:
    interval = told["interval"]
    yield (
        f"Small: {100 * interval['level']:g} % interval, {interval['drawn']} of each scenario "
        f"drawn anew {interval['resamples']:,} times; other seeds, not other scenarios."
    )
    yield f"Reference speed {told['v_ref']}: {told['v_ref_is']}."


def _incomplete(
    models: Sequence[Mapping[str, Any]], figures: Sequence[Figures], scenarios: int
) -> Iterator[str]:
    for model, of in zip(models, figures, strict=True):
        name = str(model["name"]).replace("_", " ")
        if lost := len(model["missing"]):
            failed = len(model["failed"])
            yield f"{name} is incomplete: {lost} runs are missing, {failed} of them failed."
        driven = sum(quantity == "score" and row not in COLUMNS for row, quantity in of)
        if driven < scenarios:
            yield (
                f"{name} drove {driven} of the {scenarios} scenarios: compare it with others in "
                "the table by scenario, not by its means."
            )
