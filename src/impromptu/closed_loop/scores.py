"""NeuroNCAP's score of a run, and how scores of runs become those of a model.

A run without a collision has 5; else it has 4 * max(0, 1 - impact / reference), where impact is
the relative speed of ego and actor, and reference what that would be had the log gone on.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from impromptu.arrays import Floats
from impromptu.closed_loop.scenarios import CATEGORIES
from impromptu.intervals import LEVEL, Interval

NO_COLLISION = 5.0
WEIGHTS = {"stationary": 10, "frontal": 5, "side": 5}
"""Scenarios of each category in the full set."""
FIGURES = ("score", "collision_rate")


def score(impact_mps: float | None, reference_mps: float) -> float:
    """Return a run's score; None is no collision.

    A reference of nothing (a log that stands) leaves nothing to be better than: a collision is 0.
    """
    if impact_mps is None:
        return NO_COLLISION
    if reference_mps <= 0:
        return 0.0
    return 4.0 * max(0.0, 1.0 - impact_mps / reference_mps)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run's figures.

    Attributes:
        scenario: Its name, such as ``side-0103``.
        run: Its index, which is its seed.
        collided: Whether anything was hit.
        asked: Plans asked of the model; 0 where nobody counted.
        unreadable: How many of them could not be read; None where nobody told.
        source: What the figures are from: ``trace``, ``metrics`` or ``poses``.
    """

    scenario: str
    run: int
    score: float
    collided: bool
    asked: int
    unreadable: int | None
    source: str

    @property
    def category(self) -> str:
        """Return the first part of the scenario's name."""
        return self.scenario.partition("-")[0]


@dataclass(frozen=True, slots=True)
class Figure:
    """A mean, the interval that runs drawn anew would give it, and over how many runs it is."""

    value: float
    interval: Interval | None
    runs: int


@dataclass(frozen=True, slots=True)
class Summary:
    """All figures of one model: by quantity and row.

    Attributes:
        figures: (``score`` or ``collision_rate``, row): rows are scenarios, categories, ``mean``
            (the plain mean of the three categories) and ``mean_10_5_5`` (by number of
            scenarios); a mean of categories is there only if all three are.
        parse_failure_rate: Over all plans asked; None where nobody told.
        asked: Plans asked.
    """

    figures: Mapping[tuple[str, str], Figure]
    parse_failure_rate: float | None
    asked: int


def summarise(outcomes: Sequence[Outcome], resamples: int, seed: int) -> Summary:
    """Average over runs, over scenarios, over categories, without rounding in between.

    Intervals are percentiles over draws of runs, as many of each scenario as there are, with
    replacement: they tell how far other seeds might move a figure, not other scenarios. Where a
    scenario has one run only, nothing is known of that, and there is no interval.
    """
    rng = np.random.default_rng(seed)
    figures: dict[tuple[str, str], Figure] = {}
    by_scenario = _by_scenario(outcomes)
    weights = {
        name: rng.multinomial(len(runs), np.full(len(runs), 1 / len(runs)), resamples) / len(runs)
        for name, runs in by_scenario.items()
    }
    counts = {name: len(runs) for name, runs in by_scenario.items()}
    for quantity in FIGURES:
        drawn = {}
        for name, runs in by_scenario.items():
            values = np.array([_value(run, quantity) for run in runs])
            # The mean itself first, then its draws: every later mean is taken of all at once.
            drawn[name] = np.append(values.mean(), weights[name] @ values)
        for row, names, column in _rows(drawn):
            driven = [counts[name] for name in names]
            interval = _interval(column[1:], min(driven))
            figures[quantity, row] = Figure(float(column[0]), interval, sum(driven))
    return Summary(figures, *_parsed(outcomes))


def _by_scenario(outcomes: Sequence[Outcome]) -> dict[str, list[Outcome]]:
    groups: dict[str, list[Outcome]] = {}
    for outcome in sorted(outcomes, key=lambda one: (CATEGORIES.index(one.category), one.scenario)):
        groups.setdefault(outcome.scenario, []).append(outcome)
    return groups


def _value(outcome: Outcome, quantity: str) -> float:
    return outcome.score if quantity == "score" else float(outcome.collided)


def _rows(drawn: Mapping[str, Floats]) -> Iterator[tuple[str, list[str], Floats]]:
    """Yield rows: name, the scenarios in it, its column."""
    yield from ((name, [name], column) for name, column in drawn.items())
    categories = {}
    for category in CATEGORIES:
        names = [name for name in drawn if name.partition("-")[0] == category]
        if names:
            categories[category] = np.mean([drawn[name] for name in names], axis=0)
            yield category, names, categories[category]
    if len(categories) == len(CATEGORIES):
        columns = [categories[category] for category in CATEGORIES]
        yield "mean", list(drawn), np.mean(columns, axis=0)
        weights = [WEIGHTS[category] for category in CATEGORIES]
        yield "mean_10_5_5", list(drawn), np.average(columns, axis=0, weights=weights)


def _interval(column: Floats, fewest: int) -> Interval | None:
    if not column.size or fewest < 2:
        return None
    tail = 50 * (1 - LEVEL)
    low, high = np.percentile(column, [tail, 100 - tail]).tolist()
    return low, high


def _parsed(outcomes: Sequence[Outcome]) -> tuple[float | None, int]:
    told = [one for one in outcomes if one.unreadable is not None]
    asked = sum(one.asked for one in told)
    if not asked:
        return None, 0
    return sum(one.unreadable or 0 for one in told) / asked, asked


def missing(
    outcomes: Sequence[Outcome], scenarios: Sequence[str], runs: int
) -> list[tuple[str, int]]:
    """Return the (scenario, run) pairs that should be there and are not."""
    there = {(one.scenario, one.run) for one in outcomes}
    return [(name, run) for name in scenarios for run in range(runs) if (name, run) not in there]
