"""Dictionaries read from a file of unchecked content, a frame each, and arrays of their fields."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from impromptu.arrays import Floats, Ints
from impromptu.datasets import LogError

_HUGE = 1e30


@dataclass(frozen=True, slots=True, eq=False)
class Records:
    """Dictionaries of one kind, one from each of some frames of a file.

    Attributes:
        places: How errors name each.
        values: The dictionaries.
    """

    places: Sequence[str]
    values: Sequence[Mapping[str, Any]]

    def __post_init__(self) -> None:
        """Check that they are dictionaries.

        Raises:
            LogError: One is something else.
        """
        for place, value in zip(self.places, self.values, strict=True):
            if not isinstance(value, Mapping):
                raise LogError(f"{place}: expected a dictionary, got {value!r:.60}")

    def rows(self, rows: Sequence[int]) -> "Records":
        """Return some rows in the order asked for."""
        return Records([self.places[row] for row in rows], [self.values[row] for row in rows])

    def having(self, name: str) -> tuple["Records", list[int]]:
        """Return the dictionaries in which a name stands for something, and their rows."""
        rows = [row for row, value in enumerate(self.values) if value.get(name) is not None]
        return self.rows(rows), rows

    def of(self, name: str) -> tuple["Records", list[int]]:
        """Return the dictionaries that a name stands for, and the rows that have one."""
        found, rows = self.having(name)
        places = [f"{place}: {name}" for place in found.places]
        return Records(places, [value[name] for value in found.values]), rows

    def arrays(self, name: str, *shape: int | None) -> list[Floats]:
        """Return an array of every dictionary, of a shape in which None is any length.

        What is infinite or beyond all measure is NaN.

        Raises:
            LogError: One is absent, no numbers, or of another shape.
        """
        return [_plausible(array) for array in self._arrays(name, *shape)]

    def column(self, name: str, *shape: int) -> Floats:
        """Return the arrays of one shape as one, (rows, *shape)."""
        return _plausible(np.array(self._arrays(name, *shape)).reshape(-1, *shape))

    def _arrays(self, name: str, *shape: int | None) -> list[Floats]:
        return [
            _array(place, name, value.get(name), shape)
            for place, value in zip(self.places, self.values, strict=True)
        ]

    def texts(self, name: str) -> list[str]:
        """Return a text of every dictionary."""
        for place, value in zip(self.places, self.values, strict=True):
            if not isinstance(value.get(name), str):
                raise LogError(f"{place}: {name}: expected a text, got {value.get(name)!r:.60}")
        return [value[name] for value in self.values]

    def words(self, name: str, counts: Sequence[int]) -> list[str]:
        """Return the words of all lists under one name, one after the other.

        Raises:
            LogError: A list is not as long as it should be, or holds something else.
        """
        words: list[str] = []
        for place, value, count in zip(self.places, self.values, counts, strict=True):
            part = value.get(name)
            part = part.tolist() if isinstance(part, np.ndarray) else part
            if not isinstance(part, list | tuple) or len(part) != count:
                raise LogError(f"{place}: {name}: expected one for each of {count} boxes")
            if not all(isinstance(word, str) for word in part):
                raise LogError(f"{place}: {name}: expected texts, got {part!r:.60}")
            words += part
        return words


def _array(place: str, name: str, value: object, shape: tuple[int | None, ...]) -> Floats:
    try:
        array = np.asarray("none" if value is None else value, dtype=np.float64)
        # A list without rows does not tell how wide they would be.
        array = array if array.size else array.reshape([width or 0 for width in shape])
        fits = [want in (None, got) for want, got in zip(shape, array.shape, strict=True)]
    except (TypeError, ValueError):
        fits = [False]
    if not all(fits):
        size = " x ".join("n" if want is None else str(want) for want in shape)
        wanted = f"{size} numbers" if shape else "one number"
        raise LogError(f"{place}: {name}: expected {wanted}, got {value!r:.60}")
    return array


def _plausible(array: Floats) -> Floats:
    """Nothing about a drive is so large that its square overflows."""
    return np.where(np.abs(array) < _HUGE, array, np.nan)


def listed(path: Path, frames: object) -> Records:
    """Take the frames of a file for what they should be.

    Raises:
        LogError: They are no list of dictionaries, or it is empty.
    """
    if not isinstance(frames, list) or not frames:
        raise LogError(f"{path}: expected a list of frames, got {frames!r:.60}: download it again")
    return Records([f"{path}: frame {row}" for row in range(len(frames))], frames)


def in_time_order(frames: Records, stamps: Floats, unit_ns: int) -> tuple[Records, Ints]:
    """Sort frames by their stamps; return them, and the stamps in nanoseconds.

    Raises:
        LogError: A stamp is no time, or two frames have one.
    """
    if (wrong := np.flatnonzero(~((stamps >= 0) & (stamps * unit_ns < 2**62)))).size:
        raise LogError(f"{frames.places[wrong[0]]}: its stamp is {stamps[wrong[0]]}; no time")
    order = np.argsort(stamps, kind="stable")
    stamps_ns = unit_ns * stamps[order].astype(np.int64)
    if (same := np.flatnonzero(np.diff(stamps_ns) == 0)).size:
        first, second = sorted(order[same[0] : same[0] + 2].tolist())
        raise LogError(
            f"{frames.places[second]}: has the stamp of frame {first}, {stamps_ns[same[0]]} ns; "
            "expected one each: download the log again"
        )
    return frames.rows(order.tolist()), stamps_ns
