"""Decides which waypoints a prompt's numbers give exactly, and whether that is a leak."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from impromptu.arrays import Bools, Floats
from impromptu.audits._exact import Formula, Hits, find, hits
from impromptu.audits._numbers import Layout

LEAST = 8
ROUNDINGS = (0.005, 0.05)
"""Of numbers with two decimals and with one. The coarser a number, the more inertia must miss."""
_LEAST_SHARE = 0.05
_OVER_CHANCE = 3
"""A leak is exact so many times as often as it is nearly exact; chance, half as often."""
_NEARLY_ALL = 0.9
_FEW = {1: 6, 2: 16}
"""So many samples are enough, by the numbers in the formula, if all of them are exact. The search
has few samples to fit then and many formulas to try."""
_SMALL = 40
"""Of fewer samples all are searched and judged, of more one half each."""
_MOST_FROM_PAST = 0.5
_TRIED = 3
"""Waypoints whose coordinates are searched for."""


@dataclass(frozen=True, slots=True)
class Leak:
    """A formula that gives one coordinate of one waypoint.

    Attributes:
        waypoint: From 0.
        axis: 0 for x, 1 for y.
        sudden: (n,) the samples of the layout on which it was judged: their motion changes so
            suddenly that inertia misses.
    """

    waypoint: int
    axis: int
    formula: Formula
    sudden: Bools

    def miss_m(self, layout: Layout) -> Floats:
        """Return (n,) errors of the formula, m."""
        return self.formula.miss_m(layout.told, layout.path_m[:, self.waypoint, self.axis])


def judged(layout: Layout) -> int:
    """Return how many samples can tell a leak from inertia."""
    surprises_m, _ = layout.surprises_m(0)
    return int((surprises_m.max(axis=1) >= layout.sudden_m(ROUNDINGS[0])).sum())


def search(layout: Layout) -> list[Leak]:
    """Return a leak for each coordinate of the first waypoints that has one."""
    for rounding in ROUNDINGS:
        if leaks := list(_search(layout, layout.sudden_m(rounding))):
            return leaks
    return []


def _search(layout: Layout, sudden_m: float) -> Iterator[Leak]:
    for waypoint in range(min(_TRIED, layout.path_m.shape[1])):
        surprises_m, known = layout.surprises_m(waypoint)
        for axis in (0, 1):
            sudden = surprises_m[:, axis] >= sudden_m
            formula = _formula(layout, waypoint, axis, sudden, known, sudden_m / 3)
            if formula is not None:
                yield Leak(waypoint, axis, formula, sudden)


def _formula(
    layout: Layout,
    waypoint: int,
    axis: int,
    sudden: Bools,
    known: Bools,
    coarsest_m: float,
) -> Formula | None:
    if (count := int(sudden.sum())) < _FEW[1]:
        return None
    many = count > _SMALL
    fitted = sudden & (layout.half == 0) if many else sudden
    tested = sudden & (layout.half == 1) if many else sudden
    target_m = layout.path_m[:, waypoint, axis]
    formula = find(
        layout.told[fitted],
        layout.rounding,
        target_m[fitted],
        layout.path_rounding_m,
        coarsest_m,
        seed=2 * waypoint + axis,
    )
    if formula is None:
        return None
    found = hits(formula, layout.told[tested], target_m[tested])
    if not many:
        return formula if found.exact == found.of >= _FEW[len(formula.columns)] else None
    exact = sudden & (formula.miss_m(layout.told, target_m) <= formula.exact)
    past_known = bool(known[sudden].all())
    from_past = past_known and _from_past(layout, formula, axis, exact)
    # A position told as past may be a future one; what mirrors the past only continues it.
    if from_past and (len(formula.columns) > 1 or formula.weights[0] < 0):
        return None
    return formula if is_leak(found, past_known and not from_past) else None


def _from_past(layout: Layout, formula: Formula, axis: int, exact: Bools) -> bool:
    """Tell whether a formula's exact values are only a continuation of the past positions.

    Where poses lie between two fixes, steps repeat to the digit, and then break.
    """
    past_m = np.nan_to_num(layout.past_m[exact][:, :, axis])
    value_m = layout.told[exact][:, list(formula.columns)] @ np.array(formula.weights)
    if not len(value_m):
        return True
    weights = np.linalg.lstsq(past_m, value_m, rcond=None)[0]
    limit_m = 2 * formula.exact + layout.path_rounding_m * float(np.abs(weights).sum())
    return bool((np.abs(past_m @ weights - value_m) <= limit_m).mean() > _MOST_FROM_PAST)


def is_leak(found: Hits, beyond_past: bool) -> bool:
    """Tell whether so many exact samples are more than inertia and chance can give.

    Args:
        found: On samples the formula was not made from.
        beyond_past: The formula says more than the past positions do. Where the past is not told,
            or the formula is a position of it, nearly all must be exact: between two fixes of
            their position cars may go on as before to the digit.
    """
    if found.exact < LEAST:
        return False
    if not beyond_past:
        return found.exact >= _NEARLY_ALL * found.of
    enough = found.exact >= _LEAST_SHARE * found.of
    return enough and found.exact >= _OVER_CHANCE * found.near
