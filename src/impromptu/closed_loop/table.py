"""The closed-loop table: models, categories and averages, beside published rows, in three forms."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from impromptu.closed_loop import outcomes, scenarios, scores
from impromptu.closed_loop.outcomes import Failed, VRef
from impromptu.closed_loop.scenarios import CATEGORIES
from impromptu.closed_loop.scores import FIGURES, Figure, Outcome, Summary
from impromptu.intervals import LEVEL

ROWS = ("mean", "mean_10_5_5", *CATEGORIES)
WITHDRAWN = ("first", "Base+nuScenes")
SHIFTED = tuple(("first", name) for name in ("Base+nuScenes", "Base+Impromptu+nuScenes"))
"""Rows whose cells do not fit their header; they do as categories first and average last."""
V_REFS: Mapping[VRef, str] = {
    "fixed": "relative speed of log and target actor 4 s after the start, where the scenarios "
    "have them meet",
    "upstream": "as NeuroNCAP computes it: of the log's last half second, its condition being the "
    "wrong way round",
}
SOURCES = {
    "trace": "speeds from trace.jsonl: exact",
    "metrics": "the engine's own score from metrics.json: exact",
    "poses": "the engine's files hold no speed, so it is told from poses half a second apart: "
    "seen to be off by 0.067 in a score on average, by 0.53 at worst",
}


@dataclass(frozen=True, slots=True)
class Model:
    """What one folder of runs gave.

    Attributes:
        missing: (scenario, run) pairs that should be there and are not.
        simulated: Whether the runs are the mini-simulator's.
    """

    name: str
    outcomes: Sequence[Outcome]
    failed: Sequence[Failed]
    missing: Sequence[tuple[str, int]]
    summary: Summary
    simulated: bool

    @property
    def expected(self) -> int:
        """Return how many runs there should be."""
        return len(self.outcomes) + len(self.missing)


def scored(
    folder: Path,
    v_ref: VRef,
    runs: int | None,
    resamples: int,
    seed: int,
    names: Sequence[str] | None = None,
) -> Model:
    """Score a folder of runs.

    Args:
        folder: It gives the model its name.
        v_ref: Reference speed.
        runs: That each scenario should have; None for as many as one has.
        resamples: Draws of runs for the intervals.
        seed: Of the draws.
        names: Scenarios that should be there; None for all.

    Raises:
        FileNotFoundError: There is no such folder.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder of runs")
    found, failed = outcomes.read(folder, v_ref)
    runs = runs or 1 + max([one.run for one in found] + [one.run for one in failed])
    missing = scores.missing(found, names or list(scenarios.load()), runs)
    summary = scores.summarise(found, resamples, seed)
    name = folder.name or folder.resolve().name
    return Model(name, found, failed, missing, summary, outcomes.simulated(folder))


@dataclass(frozen=True, slots=True)
class Printed:
    """A published row, as printed.

    Attributes:
        cells: By (quantity, row); a collision rate is a share. None is not printed.
        note: What must be known of it.
    """

    edition: str
    method: str
    cells: Mapping[tuple[str, str], float | None]
    note: str


@cache
def published() -> tuple[Printed, ...]:
    """Return the published rows, in the file's order."""
    text = files("impromptu.report").joinpath("published/neuroncap.csv").read_text("utf-8")
    return tuple(_printed(row) for row in csv.DictReader(text.splitlines()))


def _printed(row: Mapping[str, str]) -> Printed:
    cells = {}
    for name, column in zip(("mean", *CATEGORIES), ("avg", *CATEGORIES), strict=True):
        score, percent = row[f"score_{column}"], row[f"collision_pct_{column}"]
        cells["score", name] = float(score) if score else None
        cells["collision_rate", name] = float(percent) / 100 if percent else None
    key = row["edition"], row["method"]
    notes = ["withdrawn by its authors"] * (key == WITHDRAWN)
    notes += ["cells do not fit their header"] * (key in SHIFTED)
    return Printed(*key, cells, "; ".join(notes))


def to_json(models: Sequence[Model], v_ref: VRef, resamples: int, seed: int) -> dict[str, Any]:
    """Return all that is known, unrounded."""
    return {
        "v_ref": v_ref,
        "v_ref_is": V_REFS[v_ref],
        "interval": {"level": LEVEL, "resamples": resamples, "seed": seed, "drawn": "runs"},
        "models": [_model_json(model) for model in models],
        "published": [
            {
                "edition": row.edition,
                "method": row.method,
                "note": row.note,
                **{f"{quantity}_{name}": value for (quantity, name), value in row.cells.items()},
            }
            for row in published()
        ],
    }


def _model_json(model: Model) -> dict[str, Any]:
    return {
        "name": model.name,
        "simulated": model.simulated,
        "runs": len(model.outcomes),
        "expected": model.expected,
        "missing": [{"scenario": name, "run": run} for name, run in model.missing],
        "failed": [
            {"scenario": one.scenario, "run": one.run, "why": one.why} for one in model.failed
        ],
        "sources": sorted({one.source for one in model.outcomes}),
        "parse_failure_rate": model.summary.parse_failure_rate,
        "plans_asked": model.summary.asked,
        "figures": [
            {
                "quantity": quantity,
                "row": name,
                "value": figure.value,
                "interval": figure.interval,
                "runs": figure.runs,
            }
            for (quantity, name), figure in model.summary.figures.items()
        ],
    }


def to_csv(models: Sequence[Model]) -> str:
    """Return a row a model and a row a published one."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    cells = [(quantity, row) for row in ROWS for quantity in FIGURES]
    names = [f"{quantity}_{row}" for quantity, row in cells]
    bounds = ("", "_low", "_high")
    writer.writerow(
        ["edition", "method", "runs", "expected", "parse_failure_rate"]
        + [name + bound for name in names for bound in bounds]
        + ["note"]
    )
    for model in models:
        rate = model.summary.parse_failure_rate
        first = ["", model.name, len(model.outcomes), model.expected, _plain(rate)]
        figures = [_bounded(model.summary.figures.get(cell)) for cell in cells]
        writer.writerow([*first, *(value for cell in figures for value in cell), _note(model)])
    for row in published():
        values = [(_plain(row.cells.get(cell)), "", "") for cell in cells]
        flat = [value for cell in values for value in cell]
        writer.writerow([row.edition, row.method, "", "", "", *flat, row.note])
    return buffer.getvalue()


def _bounded(figure: Figure | None) -> tuple[str, str, str]:
    if figure is None:
        return "", "", ""
    low, high = figure.interval or (None, None)
    return _plain(figure.value), _plain(low), _plain(high)


def _plain(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def _note(model: Model) -> str:
    notes = ["mini-simulator"] * model.simulated
    notes += [f"incomplete: {len(model.outcomes)} of {model.expected} runs"] * bool(model.missing)
    return "; ".join(notes)


def to_markdown(models: Sequence[Model], v_ref: VRef, scenarios: bool = True) -> str:
    """Return the table for people, with what must be known of it below."""
    lines = [*_table(models), "", *_notes(models, v_ref)]
    if scenarios:
        lines += ["", *_by_scenario(models)]
    return "\n".join([*lines, "", *_published_table(models)]) + "\n"


def _table(models: Sequence[Model]) -> Iterator[str]:
    yield from _header(["model", "runs", "unreadable plans"], "")
    for model in models:
        rate = model.summary.parse_failure_rate
        told = "not told" if rate is None else f"{100 * rate:.1f} % of {model.summary.asked:,}"
        runs = f"{len(model.outcomes)} of {model.expected}"
        cells = [_both(model.summary.figures, row) for row in ROWS]
        yield _line([model.name, runs, told, *cells])


def _header(first: Sequence[str], note: str) -> Iterator[str]:
    named = ["mean of the three", "mean 10:5:5", *CATEGORIES]
    yield _line([*first, *named, *([note] if note else [])])
    yield _line(["---"] * (len(first) + len(named) + bool(note)))


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _both(figures: Mapping[tuple[str, str], Figure], row: str) -> str:
    """Return score and collision rate, each with its interval."""
    score, rate = (figures.get((quantity, row)) for quantity in FIGURES)
    if score is None or rate is None:
        return "-"
    told = f"{score.value:.2f}"
    if score.interval:
        told += f" ({score.interval[0]:.2f} to {score.interval[1]:.2f})"
    return f"{told}; {100 * rate.value:.1f} %"


def _notes(models: Sequence[Model], v_ref: VRef) -> Iterator[str]:
    yield (
        f"Score (0 to 5, higher is better), {100 * LEVEL:g} % interval over runs drawn anew; share "
        f"of runs with a collision. Reference speed `{v_ref}`: {V_REFS[v_ref]}."
    )
    for source in sorted({one.source for model in models for one in model.outcomes}):
        yield f"- `{source}`: {SOURCES[source]}."
    for model in models:
        if model.missing:
            names = ", ".join(f"{name}/run_{run}" for name, run in model.missing[:5])
            more = f" and {len(model.missing) - 5} more" if len(model.missing) > 5 else ""
            yield (
                f"- **{model.name} is incomplete**: {len(model.missing)} of {model.expected} runs "
                f"are missing ({names}{more}); {len(model.failed)} of them failed."
            )


def _by_scenario(models: Sequence[Model]) -> Iterator[str]:
    yield _line(["scenario", *(model.name for model in models)])
    yield _line(["---"] * (len(models) + 1))
    averages = set(ROWS)
    rows = {row for model in models for _, row in model.summary.figures} - averages
    order = sorted(rows, key=lambda row: (CATEGORIES.index(row.partition("-")[0]), row))
    for row in order:
        yield _line([row, *(_both(model.summary.figures, row) for model in models)])


def _published_table(models: Sequence[Model]) -> Iterator[str]:
    yield "Published rows, of NeuroNCAP itself, as printed in either edition:"
    yield ""
    yield from _header(["method", "edition"], "note")
    for row in published():
        cells = [_printed_cell(row, name) for name in ROWS]
        yield _line([row.method, row.edition, *cells, row.note])
    if any(model.simulated for model in models):
        yield ""
        yield (
            "Runs of the mini-simulator are made-up drives in a made-up street: compare them with "
            "each other, not with the published rows."
        )


def _printed_cell(row: Printed, name: str) -> str:
    score, rate = (row.cells.get((quantity, name)) for quantity in FIGURES)
    if score is None:
        return "-"
    return f"{score:.2f}" + ("" if rate is None else f"; {100 * rate:.1f} %")
