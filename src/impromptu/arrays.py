"""Array types, and the one check that gives them shapes."""

import math
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]
Bools = NDArray[np.bool_]
T = TypeVar("T")


def floats(values: object, *shape: int | None, name: str, holes: bool = False) -> Floats:
    """Copy values into a read-only float64 array of the given shape; ``None`` admits any length.

    Args:
        values: What numpy makes an array of.
        shape: What its shape must be.
        name: What the values are called in an error.
        holes: Whether NaN is admitted, for what is not known.

    Raises:
        ValueError: The shape differs or a value is not finite.
    """
    array = np.array(values, dtype=np.float64)
    if array.shape != shape and not _fits(array.shape, shape):
        wanted = "(" + ", ".join("n" if want is None else str(want) for want in shape) + ")"
        raise ValueError(f"{name}: expected shape {wanted}, got {array.shape}")
    # One product is a quicker look than a mask; each value is looked at only where it overflows.
    flat = array.ravel()
    if not math.isfinite(flat.dot(flat)):
        wrong = np.isinf(array) if holes else ~np.isfinite(array)
        if wrong.any():
            raise ValueError(f"{name}: {int(wrong.sum())} values are not finite")
    array.setflags(write=False)
    return array


def assembled(kind: type[T], *values: object) -> T:
    """Make one of our frozen dataclasses of parts of what was checked as a whole.

    Its own check is left out, and nothing is copied: a log's arrays go through ``floats`` once,
    and are cut into thousands of small ones. Everything else is made by its constructor.

    Args:
        kind: A dataclass with slots.
        values: All its fields, in order; arrays are read-only float64 of the right shape.
    """
    made = object.__new__(kind)
    for name, value in zip(kind.__slots__, values, strict=True):  # type: ignore[attr-defined]
        object.__setattr__(made, name, value)
    return made


def altered(one: T, **fields: object) -> T:
    """Copy one of our frozen dataclasses with other values in some fields.

    Its own check is left out, as in ``assembled``: the values are whole parts of what was checked.

    Raises:
        AttributeError: It has no such field.
    """
    made = object.__new__(type(one))
    for name in type(one).__slots__:  # type: ignore[attr-defined]
        object.__setattr__(made, name, getattr(one, name))
    for name, value in fields.items():
        object.__setattr__(made, name, value)
    return made


def _fits(got: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    if len(got) != len(wanted):
        return False
    # A loop, as trajectories are made by the hundred thousand.
    for length, want in zip(got, wanted, strict=True):
        if want is not None and want != length:
            return False
    return True
