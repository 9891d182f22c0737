"""Keeps the numbers of a fair choice of prompts, and of the waypoints that answer them."""

import re
import zlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from impromptu.arrays import Bools, Floats, Ints
from impromptu.audits import Record
from impromptu.audits._keys import Reservoir

NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?", re.ASCII)
WAYPOINTS = 5
"""Waypoints looked at."""
_PAST = 3
_LONGEST = 16_384
_MOST_NUMBERS = 400
_MOVED_M = 2.0
_SUDDEN_M = 0.05
_GROUPS = 48
_KEPT = 600
"""Rows kept of each group, and as many again whose motion changes suddenly: 60,000 at most."""


@dataclass(frozen=True, slots=True)
class Row:
    """The numbers of one sample.

    Attributes:
        told: (k,) numbers of the prompt, in order.
        decimals: (k,) how many decimals each was printed with.
        path_m: (n, 2) waypoints of the answer.
        past_m: (3, 2) where the car was one, two and three steps ago; NaN where it is not told.
        half: 0 or 1, the same for all samples of a log.
    """

    number: int
    source: str
    prompt: str
    told: Floats
    decimals: Ints
    path_m: Floats
    past_m: Floats
    half: int


@dataclass(frozen=True, slots=True)
class Layout:
    """Samples whose prompts hold as many numbers, and whose answers as many waypoints.

    Attributes:
        told: (n, k) numbers that are not the same in all prompts.
        columns: (k,) which number of the prompt each is, from 0.
        rounding: (k,) half of the last decimal.
        path_m: (n, WAYPOINTS, 2), fewer if there are fewer.
        path_rounding_m: Half of the last decimal of a waypoint.
        past_m: (n, 3, 2) one, two and three steps ago; NaN where unknown.
        half: (n,) 0 or 1 by log.
    """

    rows: list[Row]
    told: Floats
    columns: Ints
    rounding: Floats
    path_m: Floats
    path_rounding_m: float
    past_m: Floats
    half: Ints

    def sudden_m(self, rounding: float) -> float:
        """Return how far inertia must miss for a leak of so rounded numbers to be told from it."""
        return max(_SUDDEN_M, 6 * (self.path_rounding_m + 0.75 * rounding))

    def surprises_m(self, waypoint: int) -> tuple[Floats, Bools]:
        """Return (n, 2) how far inertia misses, along x and y, and (n,) whether the past is told.

        The least of four misses of a waypoint: of the present position, of constant velocity, of
        constant acceleration, and of the first three waypoints' own constant acceleration. The
        second and third need the past.
        """
        now, steps = self.path_m[:, waypoint], waypoint + 1
        jerk = np.abs(self.path_m[:, 2] - 3 * self.path_m[:, 1] + 3 * self.path_m[:, 0])
        one, two, _ = np.moveaxis(self.past_m, 1, 0)
        known = ~np.isnan(two).any(axis=1)
        straight_on = -steps * one
        speeding_on = straight_on + steps * (steps + 1) / 2 * (two - 2 * one)
        misses = np.abs([now, now - straight_on, now - speeding_on])
        told = np.where(known[:, None], misses.min(axis=0), np.abs(now))
        return np.minimum(told, jerk), known


class Numbers:
    """Chooses samples by file and task, so that no large file hides a small one."""

    def __init__(self) -> None:
        self.seen = 0
        self._kept: dict[tuple[str, str, bool], tuple[Reservoir, list[Row]]] = {}

    def see(self, record: Record) -> None:
        """Maybe keep a sample of a moving car."""
        path_m, past_m = record.path_m, record.past_m
        if path_m is None or past_m is None or len(path_m) < 3:
            return
        if max(abs(path_m[-1, 0]), abs(path_m[-1, 1])) < _MOVED_M:
            return
        self.seen += 1
        sudden = _is_sudden(path_m, past_m)
        key = (record.source.name, record.task, sudden)
        if key not in self._kept and len(self._kept) >= _GROUPS:
            key = ("", "", sudden)
        if key not in self._kept:
            self._kept[key] = (Reservoir(_KEPT, seed=len(self._kept)), [])
        reservoir, rows = self._kept[key]
        if (place := reservoir.place()) is not None:
            rows[place : place + 1] = [_row(record, path_m, past_m)]

    def layouts(self) -> Iterator[Layout]:
        """Yield what was kept, those of one layout together, the most numerous first."""
        groups: dict[tuple[int, int], list[Row]] = defaultdict(list)
        for _, rows in self._kept.values():
            for row in rows:
                groups[len(row.told), len(row.path_m)].append(row)
        for rows in sorted(groups.values(), key=len, reverse=True):
            yield _layout(sorted(rows, key=lambda row: row.number))


def _is_sudden(path_m: Floats, past_m: Floats) -> bool:
    if len(past_m) < 2:
        return True
    miss = abs(path_m[0] + past_m[-1])
    return bool(max(miss[0], miss[1]) > _SUDDEN_M)


def _row(record: Record, path_m: Floats, past_m: Floats) -> Row:
    words = NUMBER.findall(record.prompt[:_LONGEST])[-_MOST_NUMBERS:]
    told = np.array([float(word) for word in words])
    decimals = np.array([len(word.partition(".")[2]) for word in words], dtype=np.int64)
    past = np.full((_PAST, 2), np.nan)
    past[: min(_PAST, len(past_m))] = past_m[::-1][:_PAST]
    half = zlib.crc32((record.log or str(record.number)).encode("utf-8", "replace")) & 1
    told[~np.isfinite(told)] = 0.0
    return Row(record.number, record.source.name, record.prompt, told, decimals, path_m, past, half)


def _layout(rows: list[Row]) -> Layout:
    told = np.array([row.told for row in rows])
    decimals = np.array([row.decimals for row in rows]).max(axis=0)
    varies = np.flatnonzero((told != told[0]).any(axis=0))
    path_m = np.array([row.path_m[:WAYPOINTS] for row in rows])
    halves = np.array([row.half for row in rows])
    if min(halves.sum(), len(halves) - halves.sum()) < len(halves) / 4:
        halves = np.arange(len(rows)) % 2
    return Layout(
        rows,
        told[:, varies],
        varies,
        0.5 * 10.0 ** -decimals[varies],
        path_m,
        0.5 * 10.0 ** -_decimals(path_m),
        np.array([row.past_m for row in rows]),
        halves,
    )


def _decimals(path_m: Floats) -> int:
    """Return with how many decimals waypoints are printed, from 0 to 3."""
    for decimals in range(3):
        if np.allclose(path_m, path_m.round(decimals), rtol=0, atol=1e-9):
            return decimals
    return 3
