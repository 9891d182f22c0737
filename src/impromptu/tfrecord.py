"""TFRecord framing and its CRC-32C, without TensorFlow.

A record is its length (u64), a masked checksum of those eight bytes, the payload, and a masked
checksum of the payload; all little-endian
(https://www.tensorflow.org/tutorials/load_data/tfrecord).
"""

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

import numpy as np
from numpy.typing import NDArray

from impromptu.arrays import Ints

_POLYNOMIAL = 0x82F63B78
"""Castagnoli's, lowest power in the highest bit."""
_ONES = 0xFFFFFFFF
_LANE = 256
_HEAD, _TAIL = 12, 4
Bytes = NDArray[np.uint8]
_ADVISE = hasattr(os, "posix_fadvise")


def _table() -> list[int]:
    """Return what each value of a byte adds to a checksum."""
    states: NDArray[np.uint32] = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        states = np.where(states & 1, (states >> 1) ^ np.uint32(_POLYNOMIAL), states >> 1)
    table: list[int] = states.tolist()
    return table


_TABLE = _table()


def _over_zeros() -> list[list[int]]:
    """Return, for each byte of a state, what it becomes after ``_LANE`` zero bytes."""
    table = np.array(_TABLE, dtype=np.uint32)
    states = np.arange(256, dtype=np.uint32) << (8 * np.arange(4, dtype=np.uint32)[:, None])
    for _ in range(_LANE):
        states = (states >> 8) ^ table[states & 0xFF]
    after: list[list[int]] = states.tolist()
    return after


_AFTER = _over_zeros()


def crc32c(data: bytes) -> int:
    """Return the CRC-32C (Castagnoli, RFC 3720 appendix B.4) of some bytes.

    The bytes are cut into lanes whose checksums are made side by side, and then joined: a
    checksum is linear, so a lane's is carried over the next one as over zeros.
    """
    head, state = len(data) % _LANE, _ONES
    for byte in data[:head]:
        state = (state >> 8) ^ _TABLE[(state ^ byte) & 0xFF]
    if head == len(data):
        return state ^ _ONES
    a, b, c, d = _AFTER
    for lane in _lanes(data[head:]).tolist():
        state = (
            a[state & 0xFF] ^ b[state >> 8 & 0xFF] ^ c[state >> 16 & 0xFF] ^ d[state >> 24] ^ lane
        )
    return state ^ _ONES


def _lanes(data: bytes) -> Ints:
    """Return the checksum of each lane, begun with zero."""
    lanes = np.frombuffer(data, dtype=np.uint8).reshape(-1, _LANE)
    table, state = np.array(_TABLE, dtype=np.uint32), np.zeros(len(lanes), dtype=np.uint32)
    for column in lanes.T:
        state = (state >> 8) ^ table[(state ^ column) & 0xFF]
    return state


def masked_crc32c(data: bytes) -> int:
    """Return the checksum as records hold it: turned by 15 bits, plus a constant."""
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & _ONES


def framed(payload: bytes) -> bytes:
    """Return a record."""
    length = struct.pack("<Q", len(payload))
    sums = (struct.pack("<I", masked_crc32c(part)) for part in (length, payload))
    return length + next(sums) + payload + next(sums)


class Content(Protocol):
    """Bytes that are asked for part by part: ``bytes``, or a file's."""

    def __len__(self) -> int:
        """Return how many there are."""

    def __getitem__(self, part: slice, /) -> bytes:
        """Return some that follow on one another."""


@dataclass(frozen=True, slots=True)
class FileContent:
    """An open file's bytes; none is read before it is asked for."""

    file: IO[bytes]

    def __len__(self) -> int:
        """Return the file's size."""
        return os.fstat(self.file.fileno()).st_size

    def __getitem__(self, part: slice, /) -> bytes:
        """Read from ``part.start`` to before ``part.stop``."""
        return os.pread(self.file.fileno(), part.stop - part.start, part.start)

    def parts(self, starts: Ints, sizes: Ints) -> bytearray:
        """Read parts, one after another; a disk that is able to fetches them side by side.

        Raises:
            ValueError: The file ends before one of them does.
        """
        places, file = list(zip(sizes.tolist(), starts.tolist(), strict=True)), self.file.fileno()
        if _ADVISE:
            for size, start in places:
                os.posix_fadvise(file, start, size, os.POSIX_FADV_WILLNEED)
        data, end = bytearray(sum(sizes.tolist())), 0
        into = memoryview(data)
        for size, start in places:
            here, end = end, end + size
            if os.preadv(file, [into[here:end]], start) < size:
                raise ValueError(
                    f"byte {start}: the file ends within {size} bytes from there, but was longer "
                    "just now: download it again"
                )
        return data


@contextmanager
def opened(path: Path) -> Iterator[FileContent]:
    """Open a file for reading some of its parts."""
    with path.open("rb", buffering=0) as file:
        if _ADVISE:  # else what lies around them is fetched as well
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
        yield FileContent(file)


def spans(data: Content) -> Iterator[tuple[int, int]]:
    """Yield where each record's payload starts and ends.

    The checksum of every length is checked. Those of payloads are not: it would take reading all
    of them, where only some per cent are wanted.

    Raises:
        ValueError: A length's checksum differs, or the file ends within a record.
    """
    start, number, size = 0, 0, len(data)
    while start < size:
        number, head = number + 1, bytes(data[start : start + _HEAD])
        if len(head) == _HEAD and masked_crc32c(head[:8]) != int.from_bytes(head[8:], "little"):
            raise ValueError(
                f"record {number} at byte {start}: the checksum of its length does not match, so "
                "the file is damaged: download it again"
            )
        # Where the head itself is cut short the end is beyond the file as well.
        end = start + _HEAD + int.from_bytes(head[:8], "little")
        if len(head) < _HEAD or end + _TAIL > size:
            raise ValueError(
                f"record {number} at byte {start}: the file ends within it, after {size} "
                "bytes: download it again"
            )
        yield start + _HEAD, end
        start = end + _TAIL
