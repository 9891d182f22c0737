"""Walk many messages in the protobuf wire format side by side.

Each field is a tag (its number and wire type) and a value; fields come in any order, and those
not known are passed over (https://protobuf.dev/programming-guides/encoding).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from impromptu.arrays import Floats, Ints
from impromptu.tfrecord import Bytes

_VARINT, _BYTES = 0, 2
_LONGEST = 10
"""Bytes of a varint."""
_SIZES = np.array([-1, 8, -1, -1, -1, 4, -1, -1])
"""Bytes of each wire type that is of one size; others end before they begin."""


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """The next field of each of some messages.

    Attributes:
        rows: (n,) which messages.
        numbers: (n,) field numbers.
        varints: (n,) values of varint fields.
        starts, ends: (n,) where values lie.
    """

    rows: Ints
    numbers: Ints
    varints: Ints
    starts: Ints
    ends: Ints

    @property
    def spans(self) -> Ints:
        """(n, 2) starts and ends."""
        return np.column_stack([self.starts, self.ends])

    def of(self, number: int) -> "Columns":
        """Return the fields of one number."""
        mine = self.numbers == number
        return Columns(
            self.rows[mine],
            self.numbers[mine],
            self.varints[mine],
            self.starts[mine],
            self.ends[mine],
        )


@dataclass(frozen=True, slots=True, eq=False)
class Messages:
    """Bytes, at least one, in which many messages lie.

    Attributes:
        data: (bytes,) a file's, for one; values that are not asked for are not looked at.
    """

    data: Bytes

    def fields(self, places: Ints) -> Iterator[Columns]:
        """Yield the first field of each message at (n, 2) places, then the second, and so on.

        Raises:
            ValueError: The bytes are not messages; the text names the byte.
        """
        starts, ends = places.T
        rows = np.flatnonzero(starts < ends)
        at = starts[rows]
        while rows.size:
            tags, body = self._varints(at)
            varints, after = self._varints(body)
            wires = tags & 7
            delimited = wires == _BYTES
            first = np.where(delimited, after, body)
            last = np.where(delimited, after + varints, body + _SIZES[wires])
            last = np.where(wires == _VARINT, after, last)
            if (wrong := (last < first) | (last > ends[rows])).any():
                place = int(at[wrong.argmax()])
                raise ValueError(f"byte {place}: not a protobuf field of its message")
            yield Columns(rows, tags >> 3, varints, first, last)
            going = last < ends[rows]
            rows, at = rows[going], last[going]

    def _varints(self, at: Ints) -> tuple[Ints, Ints]:
        """Return (n,) varints, and where the next values begin; garbage where one has no end."""
        byte = self.data[np.minimum(at, len(self.data) - 1)].astype(np.int64)
        values, after = byte & 0x7F, at + 1
        going = np.flatnonzero(byte >= 0x80)
        for place in range(1, _LONGEST):
            if not going.size:
                break
            byte = self.data[np.minimum(after[going], len(self.data) - 1)].astype(np.int64)
            values[going] |= (byte & 0x7F) << 7 * place
            after[going] += 1
            going = going[byte >= 0x80]
        return values, after

    def doubles(self, starts: Ints) -> Floats:
        """Return the float64 values that begin at some places."""
        values: Floats = self.data[starts[:, None] + np.arange(8)].view("<f8")[:, 0]
        return values

    def repeated(self, places: Ints, number: int, count: int) -> Floats:
        """Return a repeated double, packed or not, of messages at (n, 2) places.

        The result is (n, count): values beyond it are passed over, those not there are NaN.
        """
        values, known = np.full((len(places), count), np.nan), np.zeros(len(places), np.int64)
        for column in self.fields(places):
            mine = column.of(number)
            for place in range(int((mine.ends - mine.starts).max(initial=0)) // 8):
                there = (place < (mine.ends - mine.starts) // 8) & (known[mine.rows] < count)
                rows = mine.rows[there]
                values[rows, known[rows]] = self.doubles(mine.starts[there] + 8 * place)
                known[rows] += 1
        return values
