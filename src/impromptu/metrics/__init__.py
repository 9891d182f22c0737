"""Metrics: each module here compares answers with the truth.

Every metric is a function of sums over samples: a mean is a sum divided by a number of samples, an
F1 score is made of counts. So shards add up, a group of samples is scored by its own sums, and a
bootstrap resamples sums.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from impromptu.arrays import Floats
from impromptu.clip import Trajectory
from impromptu.surroundings import Surroundings

Name = TypeVar("Name", bound=Hashable)
Sums = Mapping[str, Floats]
"""Columns of any one shape; each adds up over samples."""


@dataclass(frozen=True, slots=True, eq=False)
class TrueScene:
    """What a path ran through: the true answer, for metrics that ask for the surroundings.

    Attributes:
        path: What the ego really did.
        around: The boxes at the same steps, in the frame of the path.
    """

    path: Trajectory
    around: Surroundings


@dataclass(frozen=True, slots=True)
class Metric:
    """A comparison, what sets it apart from others of its name, its unit, and which way is better.

    Attributes:
        convention: One sentence that is printed wherever the figures are.
        unit: Of every figure, but for names that end in ``_rate`` (a share of one) and in
            ``_count`` (a number of things, neither better nor worse).
        sums: (predicted, true) answers of n samples, n > 0 -> columns (n,), a row a sample. Only
            answers that could be read come here.
        figures: Those columns, summed over whichever samples, in any shape -> named figures of
            that shape, unrounded; NaN where a figure is 0 / 0.
        headline: The one figure that stands for all where there is room for one.
        in_scene: Whether the true answers must come as ``TrueScene``.
    """

    convention: str
    unit: str
    higher_is_better: bool
    sums: Callable[[Sequence[Any], Sequence[Any]], Sums]
    figures: Callable[[Sums], Mapping[str, Floats]]
    headline: str
    in_scene: bool = False

    def compare(self, predicted: Sequence[Any], true: Sequence[Any]) -> dict[str, float | None]:
        """Return the figures of all samples together, as ``total`` does."""
        return self.total(self.sums(predicted, true))

    def total(self, sums: Sums) -> dict[str, float | None]:
        """Return the figures of columns (n,) summed up; None where one is 0 / 0 or infinite."""
        with np.errstate(over="ignore", invalid="ignore"):
            figures = self.figures({name: column.sum() for name, column in sums.items()})
        return {name: float(one) if np.isfinite(one) else None for name, one in figures.items()}

    def unit_of(self, figure: str) -> str:
        """Return the unit of one of the figures."""
        kind = figure.rpartition("_")[2]
        return {"rate": "share", "count": "count"}.get(kind, self.unit)


def grouped(
    sums: Mapping[Name, Floats], groups: Sequence[str]
) -> tuple[list[str], dict[Name, Floats]]:
    """Return the names of the groups, in order, and columns with a row a group.

    Args:
        sums: Columns (n,).
        groups: (n,) the group of each row.
    """
    names = sorted(set(groups))
    places = {name: place for place, name in enumerate(names)}
    of = np.array([places[group] for group in groups], dtype=np.int64)
    totals = {
        name: np.bincount(of, weights=column, minlength=len(names)).astype(np.float64)
        for name, column in sums.items()
    }
    return names, totals


def ratio(part: Floats, whole: Floats) -> Floats:
    """Return part / whole, NaN where the whole is 0."""
    part, whole = np.broadcast_arrays(np.asarray(part, float), np.asarray(whole, float))
    return np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole != 0)
