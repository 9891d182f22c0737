"""Metrics: each module here compares answers with the truth."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Metric:
    """A comparison, what sets it apart from others of its name, its unit, and which way is better.

    Attributes:
        convention: One sentence that is printed wherever the figures are.
        unit: Of every figure, but for names that end in ``_rate`` (a share of one) and in
            ``_count`` (a number of things, neither better nor worse).
        compare: (predicted, true) answers of equal, non-zero number -> named figures, unrounded;
            None where a figure is 0 / 0. Only answers that could be read come here.
    """

    convention: str
    unit: str
    higher_is_better: bool
    compare: Callable[[Sequence[Any], Sequence[Any]], Mapping[str, float | None]]

    def unit_of(self, figure: str) -> str:
        """Return the unit of one of the figures."""
        kind = figure.rpartition("_")[2]
        return {"rate": "share", "count": "count"}.get(kind, self.unit)
