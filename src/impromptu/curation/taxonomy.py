"""Sets of the four kinds of unstructured scenes, as bits."""

import numpy as np

from impromptu.arrays import Bools, Ints
from impromptu.taxonomy import CATEGORIES, NAMES

__all__ = ["CATEGORIES", "NAMES", "bits", "names"]


def bits(named: Bools) -> Ints:
    """Return (n,) sets as numbers of (n, 4) whether each category is in them."""
    numbers: Ints = named.astype(np.int64) @ (1 << np.arange(len(NAMES)))
    return numbers


def names(number: int) -> list[str]:
    """Return the names of a set that is given as a number."""
    return [name for place, name in enumerate(NAMES) if number >> place & 1]
