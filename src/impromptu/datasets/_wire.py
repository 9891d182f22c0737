"""Walk many messages in the protobuf wire format side by side.

Each field is a tag (its number and wire type) and a value; fields come in any order, and those
not known are passed over (https://protobuf.dev/programming-guides/encoding).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from impromptu.arrays import Bools, Floats, Ints
from impromptu.tfrecord import Bytes, FileContent

_VARINT, _BYTES = 0, 2
_SIZES = {1: 8, 5: 4}
"""Bytes of each wire type that is of one size."""
_LONGEST = 10
"""Bytes of a varint."""
_HEAD = 2 * _LONGEST
"""Bytes of a tag and of the varint after it, at most."""
_BLOCK, _GROWTH = 512, 8
"""Bytes that are read at once at a message's field, and how fast they become more; bytes between
two places that are rather read than passed over."""
_NEAR = 16_384
"""The next field is near if no more than so many bytes are passed over."""
_REST = 65_536
"""Bytes up to a message's end that are read at once: where a frame's labels are, as a rule."""


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One field of some messages.

    Attributes:
        number: The field's.
        rows: (n,) which messages.
        varints: (n,) values of varint fields; elsewhere they mean nothing.
        starts, ends: (n,) where values lie.
    """

    number: int
    rows: Ints
    varints: Ints
    starts: Ints
    ends: Ints

    def __getitem__(self, order: Any) -> "Column":
        """Return that of some of the messages, by any numpy index."""
        return Column(
            self.number, self.rows[order], self.varints[order], self.starts[order], self.ends[order]
        )

    @property
    def spans(self) -> Ints:
        """(n, 2) starts and ends."""
        return np.column_stack([self.starts, self.ends])


@dataclass(frozen=True, slots=True, eq=False)
class Messages:
    """Bytes in memory in which many messages lie.

    Attributes:
        data: At least one byte.
        origins: (k, 2) where each part of it begins, and where that was in the file.
    """

    data: bytes | bytearray
    origins: Ints = field(default_factory=lambda: np.zeros((1, 2), np.int64))
    _bytes: Bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """View the bytes as numbers."""
        object.__setattr__(self, "_bytes", np.frombuffer(self.data, np.uint8))

    def fields(self, places: Ints, beyond: Ints | int = 0) -> Iterator[Column]:
        """Yield the first fields of messages at (n, 2) places, then the second ones, and so on.

        Args:
            places: Where each begins and ends.
            beyond: (n,) by how many bytes each goes on after its place. The walk ends with the
                first field that leaves the place, or where the head of the next one may do so.

        Raises:
            ValueError: The bytes are not messages; the text names the byte.
        """
        starts, stops = places.T
        ends = stops + beyond
        stops = np.where(ends > stops, stops - _HEAD + 1, stops)
        rows = np.flatnonzero(starts < stops)
        at, stops, ends = starts[rows], stops[rows], ends[rows]
        while rows.size:
            tags, bodies = self._varints(at)
            for tag, mine in _groups(tags):
                varints, first, last = self._values(tag & 7, bodies[mine])
                if _any(wrong := (last < first) | (last > ends[mine])):
                    place = self._origin(int(at[mine][wrong.argmax()]))
                    raise ValueError(f"byte {place}: not a protobuf field of its message")
                yield Column(tag >> 3, rows[mine], varints, first, last)
                at[mine] = last
            if _any(done := at >= stops):
                rows, at, stops, ends = rows[~done], at[~done], stops[~done], ends[~done]

    def _values(self, wire: int, bodies: Ints) -> tuple[Ints, Ints, Ints]:
        """Return (n,) varints, starts and ends of values of one type that follow their tags."""
        if wire in _SIZES:
            return bodies, bodies, bodies + _SIZES[wire]
        varints, after = self._varints(bodies)
        if wire == _BYTES:
            return varints, after, after + varints
        # Of a type that does not exist no value has an end.
        return varints, bodies, after if wire == _VARINT else bodies - 1

    def holds(self, places: Ints) -> Ints | None:
        """Return where (n, 2) places of the file are here, if all of them are."""
        part = np.searchsorted(self.origins[:, 1], places[:, 0], side="right") - 1
        here, there = self.origins[part].T
        moved = places + (here - there)[:, None]
        ends = np.append(self.origins[1:, 0], len(self.data))[part]
        return moved if ((part >= 0) & (moved[:, 1] <= ends)).all() else None

    def _origin(self, place: int) -> int:
        """Tell where in the file a byte is."""
        part = np.searchsorted(self.origins[:, 0], place, side="right") - 1
        here, there = self.origins[part].tolist()
        return int(place - here + there)

    def _varints(self, at: Ints) -> tuple[Ints, Ints]:
        """Return (n,) varints, and where the next values begin; garbage where one has no end."""
        byte = self._bytes.take(at, mode="clip").astype(np.int64)
        values, after, more = byte & 0x7F, at + 1, byte >> 7
        for place in range(1, _LONGEST):
            if not _any(more):
                break
            byte = self._bytes.take(after, mode="clip") * more
            values |= (byte & 0x7F) << 7 * place
            after += more
            more = byte >> 7
        return values, after

    def values(self, kind: DTypeLike, starts: Ints) -> NDArray[Any]:
        """Return the values of one type that begin at some places."""
        size = np.dtype(kind).itemsize
        # As if one began at every byte.
        values: NDArray[Any] = np.ndarray(max(0, len(self.data) - size + 1), kind, self.data, 0, 1)
        return values[starts]

    def texts(self, column: Column) -> list[str]:
        """Return the texts of fields, equal ones as one; what is not UTF-8 is replaced."""
        sizes = column.ends - column.starts
        if len(sizes) and sizes[0] and not _any(sizes != sizes[0]):
            found = self.values(f"V{sizes[0]}", column.starts).tolist()
        else:
            found = [bytes(self.data[start:end]) for start, end in column.spans.tolist()]
        known = {text: text.decode("utf-8", "replace") for text in set(found)}
        return [known[text] for text in found]

    def repeated(self, column: Column, rows: int, count: int) -> Floats:
        """Return a repeated double, packed or not, of messages numbered below ``rows``.

        The result is (rows, count): values beyond it are passed over, those not there are NaN.
        """
        counts = (column.ends - column.starts) // 8
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        starts, of = np.repeat(column.starts, counts) + 8 * within, np.repeat(column.rows, counts)
        order = np.lexsort([starts, of])
        starts, of = starts[order], of[order]
        place = np.arange(len(of)) - np.searchsorted(of, of)
        values, there = np.full((rows, count), np.nan), place < count
        values[of[there], place[there]] = self.values("<f8", starts[there])
        return values


def read(content: FileContent, places: Ints, held: Messages | None = None) -> tuple[Messages, Ints]:
    """Read (n, 2) places that do not overlap; return where each is now.

    What lies between near ones is read as well, and nothing if all is ``held`` already.
    """
    if held and (moved := held.holds(places)) is not None:
        return held, moved
    order = np.argsort(places[:, 0], kind="stable")
    starts, ends = places[order].T
    first = np.flatnonzero(np.append(True, starts[1:] - ends[:-1] > _BLOCK)[: len(order)])
    counts = np.diff(first, append=len(order))
    froms, sizes = starts[first], ends[first + counts - 1] - starts[first]
    here = np.cumsum(sizes) - sizes
    moved = np.empty_like(places)
    moved[order] = places[order] + np.repeat(here - froms, counts)[:, None]
    data = content.parts(froms, sizes)
    return Messages(data or b"-", np.column_stack([here, froms])), moved


def skim(content: FileContent, places: Ints) -> tuple[list[Column], Messages]:
    """Return the fields of messages at (n, 2) places; what lies in long ones is not read.

    The second result is what was read last.

    Raises:
        ValueError: The bytes are not messages; the text names the byte.
    """
    found, at, ends = list[Column](), places[:, 0].copy(), places[:, 1]
    ahead, messages = np.full(len(at), _BLOCK), Messages(b"-")
    while (rows := np.flatnonzero(at < ends)).size:
        starts, left = at[rows], ends[rows] - at[rows]
        stops = starts + np.where(left > _REST, np.minimum(ahead[rows], left), left)
        messages, blocks = read(content, np.column_stack([starts, stops]))
        moved = starts - blocks[:, 0]
        for c in messages.fields(blocks, ends[rows] - stops):
            back = moved[c.rows]
            here = Column(c.number, rows[c.rows], c.varints, c.starts + back, c.ends + back)
            at[here.rows] = here.ends
            found.append(here)
        # Where fields are short there are more of them, and a longer block saves some reads.
        ahead[rows] = np.where(at[rows] - stops > _NEAR, _BLOCK, _GROWTH * ahead[rows])
    return found, messages


def every(fields: Iterable[Column], number: int) -> Column:
    """Return all fields of one number, in the order of the file."""
    columns = [_absent(number, 0), *(column for column in fields if column.number == number)]
    lists = zip(*((c.rows, c.varints, c.starts, c.ends) for c in columns), strict=True)
    joined = Column(number, *map(np.concatenate, lists))
    return joined[np.argsort(joined.starts, kind="stable")]


def latest(fields: Iterable[Column], count: int, *numbers: int) -> list[Column]:
    """Return the fields of some numbers, a row for each of so many messages.

    Of several in a message the last counts, as is the rule; where there is none all is zero.
    """
    found = {number: _absent(number, count) for number in numbers}
    for column in fields:
        if known := found.get(column.number):
            known.varints[column.rows] = column.varints
            known.starts[column.rows], known.ends[column.rows] = column.starts, column.ends
    return list(found.values())


def _absent(number: int, count: int) -> Column:
    return Column(number, np.arange(count), *np.zeros((3, count), np.int64))


def _groups(tags: Ints) -> Iterator[tuple[int, Any]]:
    """Yield each tag and where it is; that there is only one is the rule."""
    if not _any(tags != tags[0]):
        yield int(tags[0]), slice(None)
        return
    for tag in np.unique(tags).tolist():
        yield tag, np.flatnonzero(tags == tag)


def _any(values: Bools | Ints) -> bool:
    """Tell whether any is not zero, four times as soon as ``any``."""
    return np.count_nonzero(values) > 0
