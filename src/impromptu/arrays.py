"""Array types, and the one check that gives them shapes."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]
Bools = NDArray[np.bool_]


def floats(values: object, *shape: int | None, name: str) -> Floats:
    """Copy values into a read-only float64 array of the given shape; ``None`` admits any length.

    Raises:
        ValueError: The shape differs or a value is not finite.
    """
    array = np.array(values, dtype=np.float64)
    if array.shape != shape and not _fits(array.shape, shape):
        wanted = "(" + ", ".join("n" if want is None else str(want) for want in shape) + ")"
        raise ValueError(f"{name}: expected shape {wanted}, got {array.shape}")
    # One product is a quicker look than a mask; each value is looked at only where it overflows.
    flat = array.ravel()
    if not math.isfinite(flat.dot(flat)) and not np.isfinite(array).all():
        raise ValueError(f"{name}: {int((~np.isfinite(array)).sum())} values are not finite")
    array.setflags(write=False)
    return array


def _fits(got: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    if len(got) != len(wanted):
        return False
    # A loop, as trajectories are made by the hundred thousand.
    for length, want in zip(got, wanted, strict=True):
        if want is not None and want != length:
            return False
    return True
