"""Searches a formula of one or two numbers of the prompt that gives a waypoint to the digit.

The search is by consensus: so few samples as fix a formula's coefficients are drawn, and the
formula that is exact for most of the others wins. So a leak is found that only some samples have,
and whatever the prompt's wording, units and time steps are.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from impromptu.arrays import Floats, Ints

_MOST_COLUMNS = 64
_MOST_ROWS = 400
_DRAWS = 60


@dataclass(frozen=True, slots=True)
class Formula:
    """A weighted sum of columns.

    Attributes:
        exact: Within how much it is equal, by the rounding of both sides, m.
    """

    columns: tuple[int, ...]
    weights: tuple[float, ...]
    exact: float

    def miss_m(self, told: Floats, target_m: Floats) -> Floats:
        """Return how far (n,) values are from what the formula makes of (n, k) numbers."""
        made_m = told[:, list(self.columns)] @ np.array(self.weights)
        miss_m: Floats = np.abs(made_m - target_m)
        return miss_m


@dataclass(frozen=True, slots=True)
class Hits:
    """How a formula fares on samples it was not made from.

    Attributes:
        exact: Samples for which it is exact.
        near: Samples it misses, but by less than three times as much: what chance gives is
            about half of that, for chance spreads evenly.
    """

    of: int
    exact: int
    near: int


def find(
    told: Floats,
    rounding: Floats,
    target_m: Floats,
    target_rounding_m: float,
    coarsest_m: float,
    seed: int,
) -> Formula | None:
    """Return the simplest formula that is exact for the most samples.

    Args:
        told: (n, k) numbers of prompts.
        rounding: (k,) half of the last decimal of each.
        target_m: (n,) coordinates of waypoints, m.
        target_rounding_m: Half of their last decimal.
        coarsest_m: Formulas that rounding blurs by more than this are not considered.
        seed: Of the draws.
    """
    random = np.random.default_rng(seed)
    if len(told) > _MOST_ROWS:
        rows = random.choice(len(told), _MOST_ROWS, replace=False)
        told, target_m = told[rows], target_m[rows]
    kept = _related(told, target_m)
    best, most = None, 0.0
    for size, margin in ((1, 0.0), (2, 0.05)):
        for columns in combinations(kept.tolist(), size):
            blur = (rounding[list(columns)], target_rounding_m, coarsest_m)
            share, formula = _best(told, target_m, columns, blur, random)
            if share > most + (margin if best and len(best.columns) < size else 0):
                best, most = formula, share
    return best


def _related(told: Floats, target_m: Floats) -> Ints:
    """Return the columns to try: all, or of very many those that go with the target most."""
    if told.shape[1] <= _MOST_COLUMNS:
        return np.arange(told.shape[1])
    centred, aim = told - told.mean(axis=0), target_m - target_m.mean()
    strength = np.abs(aim @ centred) / np.maximum(np.linalg.norm(centred, axis=0), 1e-9)
    return np.sort(np.argsort(strength)[-_MOST_COLUMNS:])


def _best(
    told: Floats,
    target_m: Floats,
    columns: tuple[int, ...],
    blur: tuple[Floats, float, float],
    random: np.random.Generator,
) -> tuple[float, Formula | None]:
    """Return the best formula of these columns and the share of samples it is exact for."""
    values = told[:, list(columns)]
    weights = _drawn(values, target_m, random)
    exact = _exact(weights, blur)
    weights, exact = weights[exact <= blur[2]], exact[exact <= blur[2]]
    if not len(weights):
        return 0.0, None
    # A draw's own rounding bends its weights; all samples near it straighten them.
    near = np.abs(values @ weights.T - target_m[:, None]) <= 2 * exact
    best = near.sum(axis=0).argmax()
    weight = np.linalg.lstsq(values[near[:, best]], target_m[near[:, best]], rcond=None)[0]
    formula = Formula(columns, tuple(weight.tolist()), float(_exact(weight[None], blur)[0]))
    return float((formula.miss_m(told, target_m) <= formula.exact).mean()), formula


def _exact(weights: Floats, blur: tuple[Floats, float, float]) -> Floats:
    """Return within how much (n,) formulas of (n, k) weights are equal to their target."""
    rounding, target_rounding_m, _ = blur
    exact: Floats = target_rounding_m + np.abs(weights) @ rounding + 1e-6
    return exact


def _drawn(values: Floats, target_m: Floats, random: np.random.Generator) -> Floats:
    """Return (draws, size) weights, each exact for the samples it was drawn from."""
    size = values.shape[1]
    draws = random.integers(0, len(values), (_DRAWS, size))
    matrices, sides = values[draws], target_m[draws]
    solvable = np.abs(np.linalg.det(matrices)) > 1e-2**size
    weights: Floats = np.linalg.solve(matrices[solvable], sides[solvable][..., None])[..., 0]
    return weights


def hits(formula: Formula, told: Floats, target_m: Floats) -> Hits:
    """Count for how many samples a formula is exact, and nearly so."""
    miss_m = formula.miss_m(told, target_m)
    exact = miss_m <= formula.exact
    near = ~exact & (miss_m <= 3 * formula.exact)
    return Hits(len(miss_m), int(exact.sum()), int(near.sum()))
