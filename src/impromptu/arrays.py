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
    if array.shape != shape and (
        array.ndim != len(shape)
        or any(want not in (None, got) for want, got in zip(shape, array.shape, strict=True))
    ):
        wanted = "(" + ", ".join("n" if want is None else str(want) for want in shape) + ")"
        raise ValueError(f"{name}: expected shape {wanted}, got {array.shape}")
    # One product is a quicker look than a mask; each value is looked at only where it overflows.
    flat = array.ravel()
    if not math.isfinite(flat.dot(flat)) and not np.isfinite(array).all():
        raise ValueError(f"{name}: {int((~np.isfinite(array)).sum())} values are not finite")
    array.setflags(write=False)
    return array
