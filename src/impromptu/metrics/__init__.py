"""Metrics: each module here compares answers with the truth."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Metric:
    """A comparison, its unit, and which way is better.

    Attributes:
        compare: (predicted, true) answers of equal, non-zero number -> named figures, unrounded.
            Only answers that could be read come here.
    """

    unit: str
    higher_is_better: bool
    compare: Callable[[Sequence[Any], Sequence[Any]], Mapping[str, float]]
