"""Walk the protobuf wire format: one message in a file, or many in memory side by side.

Each field is a tag (its number and wire type) and a value; fields come in any order, and those
not known are passed over (https://protobuf.dev/programming-guides/encoding).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from impromptu.arrays import Floats, Ints
from impromptu.tfrecord import RandomFile

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LONGEST = 10
"""Bytes of a varint."""


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a varint, and where the next value begins."""
    value = 0
    for place, byte in enumerate(data[at : at + _LONGEST]):
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return value, at + place + 1
    raise ValueError("a number has no end")


def fields(file: RandomFile, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield (number, varint, start, end) of each field of one message in a file.

    Start and end enclose the value; the varint is 0 for other wire types. Values are passed over,
    not read.

    Raises:
        ValueError: The bytes are not a message.
    """
    while start < end:
        head, value = file.read(start, min(start + 2 * _LONGEST, end)), 0
        try:
            tag, at = _varint(head, 0)
            first = last = start + at
            if (wire := tag & 7) == _VARINT:
                value, at = _varint(head, at)
                last = start + at
            elif wire == _BYTES:
                length, at = _varint(head, at)
                first, last = start + at, start + at + length
            elif wire in (_FIXED64, _FIXED32):
                last += 8 if wire == _FIXED64 else 4
            else:
                raise ValueError(f"no wire type {wire}")
        except ValueError as error:
            raise ValueError(f"byte {start}: not a protobuf field ({error})") from error
        if last > end:
            raise ValueError(f"byte {start}: a protobuf field ends outside its message")
        yield tag >> 3, value, first, last
        start = last


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


class Messages:
    """Bytes in memory that hold many messages."""

    def __init__(self, data: bytes) -> None:
        # Room to look for the end of a varint beyond the last message.
        self._bytes = np.frombuffer(data + bytes(2 * _LONGEST), dtype=np.uint8)

    def fields(self, starts: Ints, ends: Ints) -> Iterator[Columns]:
        """Yield the first field of each of (n,) messages, then the second, and so on.

        Raises:
            ValueError: The bytes are not messages.
        """
        rows = np.flatnonzero(starts < ends)
        at = starts[rows]
        while rows.size:
            tags, body = self._varints(at)
            varints, after = self._varints(body)
            wires = tags & 7
            sizes = np.full(len(rows), -1)
            sizes[wires == _FIXED64], sizes[wires == _FIXED32] = 8, 4
            last = np.where(wires == _VARINT, after, body + sizes)
            last = np.where(wires == _BYTES, after + varints, last)
            first = np.where(wires == _BYTES, after, body)
            if ((last < first) | (last > ends[rows])).any():
                raise ValueError("not a protobuf message: a field's type or length is wrong")
            yield Columns(rows, tags >> 3, varints, first, last)
            going = last < ends[rows]
            rows, at = rows[going], last[going]

    def _varints(self, at: Ints) -> tuple[Ints, Ints]:
        """Return (n,) varints, and where the next values begin; garbage where one has no end."""
        values, after, going = np.zeros(len(at), np.int64), at.copy(), np.arange(len(at))
        for shift in range(0, 7 * _LONGEST, 7):
            byte = self._bytes[after[going]].astype(np.int64)
            after[going] += 1
            values[going] |= (byte & 0x7F) << min(shift, 63)
            going = going[byte >= 0x80]
            if not going.size:
                break
        return values, after

    def doubles(self, starts: Ints) -> Floats:
        """Return the float64 values at some places."""
        eight: NDArray[np.uint8] = self._bytes[starts[:, None] + np.arange(8)]
        values: Floats = np.ascontiguousarray(eight).view("<f8")[:, 0]
        return values
