"""Remembers millions of texts in eight bytes each, and finds those that come again."""

from array import array

import numpy as np

from impromptu.arrays import Ints
from impromptu.audits import SHOWN


class Keys:
    """Keys, each with the number of its record, in the order of their coming.

    Keys are Python's own salted hashes: among a million texts the chance of two by accident is
    one in thirty million. The salt changes with the process, what equals what does not.
    """

    def __init__(self) -> None:
        self._keys, self._numbers = array("q"), array("q")

    def add(self, key: object, number: int) -> None:
        """Remember one."""
        self._keys.append(hash(key))
        self._numbers.append(number)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._keys)

    def keys(self) -> Ints:
        """Return all keys."""
        return np.array(self._keys, dtype=np.int64)

    def numbers(self) -> Ints:
        """Return their records' numbers."""
        return np.array(self._numbers, dtype=np.int64)

    def repeats(self) -> tuple[Ints, Ints]:
        """Return the numbers of the records whose key came before, and of each the first one."""
        keys, numbers = self.keys(), self.numbers()
        order = np.argsort(keys, kind="stable")
        ordered = keys[order]
        starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(keys) else order
        sizes = np.diff(np.r_[starts, len(keys)])
        first = numbers[order[np.repeat(starts, sizes)]]
        again = np.ones(len(keys), dtype=np.bool_)
        again[starts] = False
        later, first = numbers[order][again], first[again]
        by_number = np.argsort(later, kind="stable")
        return later[by_number], first[by_number]


def joined(left: Ints, right: Ints) -> tuple[Ints, Ints]:
    """Return the places (i, j) where ``left[i] == right[j]``, each i at most once."""
    if not len(left) or not len(right):
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    order = np.argsort(right, kind="stable")
    at = np.minimum(np.searchsorted(right[order], left), len(right) - 1)
    j = order[at]
    i = np.flatnonzero(right[j] == left)
    return i, j[i]


class Reservoir:
    """Chooses ``size`` of any number of items, all with the same chance."""

    def __init__(self, size: int, seed: int) -> None:
        self.size, self.seen = size, 0
        self._random = np.random.default_rng(seed)

    def place(self) -> int | None:
        """Return where to keep the next item, in place of any there; None to pass it over."""
        self.seen += 1
        if self.seen <= self.size:
            return self.seen - 1
        place = int(self._random.integers(self.seen))
        return place if place < self.size else None


def first_pairs(left: Ints, right: Ints) -> tuple[tuple[int, int], ...]:
    """Return the first few pairs of record numbers, as examples."""
    return tuple(zip(left[:SHOWN].tolist(), right[:SHOWN].tolist(), strict=True))
