"""Reads the members of a tar file one after another, without writing any of them anywhere.

Unlike the standard library it never reads more of a member than asked for, whatever its header
claims, and follows no link.
"""

import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_BLOCK = 512
_LONGEST_NAME = 1 << 16
_PAX_PATH = re.compile(rb"\d+ path=([^\n]*)\n")
_PAX_SIZE = re.compile(rb"\d+ size=(\d+)\n")
_KINDS = {b"1": "link", b"2": "link", b"3": "device", b"4": "device", b"5": "folder"} | {
    b"6": "device",
    b"S": "sparse",
    b"g": "header",
}


@dataclass(frozen=True, slots=True)
class Member:
    """A file in a tar file.

    Attributes:
        at: Where its bytes begin in the tar file.
    """

    name: str
    size: int
    at: int


def members(path: Path, passed_over: Counter[str] | None = None) -> Iterator[Member]:
    """Yield the regular files of a tar file in their order.

    Args:
        path: The file.
        passed_over: Counts what is no regular file, by kind.

    Raises:
        ValueError: It is no tar file, or is cut short; the message names file and byte.
    """
    with path.open("rb") as file:
        end = os.fstat(file.fileno()).st_size
        if not end:
            raise ValueError(f"{path}: an empty file; download or write it again")
        at, name, size = 0, "", None
        while (header := _read(file, at, _BLOCK)).strip(b"\0"):
            kind, length = header[156:157], _length(path, at, header)
            if kind in b"Lx":
                extra = _read(file, at + _BLOCK, min(length, _LONGEST_NAME))
                name, size = _extended(kind, extra, name, size)
            else:
                length = length if size is None else size
                if at + _BLOCK + length > end:
                    raise ValueError(f"{path}: cut short: byte {at} announces {length} more bytes")
                if kind in b"0\0":
                    yield Member(name or _name(header), length, at + _BLOCK)
                elif passed_over is not None:
                    passed_over[_KINDS.get(kind, "unknown_kind")] += 1
                name, size = "", None
            at += _BLOCK + -(-length // _BLOCK) * _BLOCK


def _read(file: IO[bytes], at: int, count: int) -> bytes:
    file.seek(at)
    return file.read(count)


def _length(path: Path, at: int, header: bytes) -> int:
    """Return the size a header states, if it is a header."""
    try:
        stated = int(header[148:156].strip(b" \0") or b"x", 8)
        field = header[124:136]
        length = int(field.strip(b" \0") or b"0", 8) if field[0] < 128 else _binary(field)
    except (ValueError, IndexError):
        stated, length = -1, 0
    if stated != sum(header[:148]) + 8 * 32 + sum(header[156:]) or length < 0:
        raise ValueError(f"{path}: no tar header at byte {at}; the file is damaged or no tar file")
    return length


def _binary(field: bytes) -> int:
    return int.from_bytes(field[1:], "big")


def _name(header: bytes) -> str:
    name, prefix = _text(header[:100]), _text(header[345:500])
    return f"{prefix}/{name}" if prefix and header[257:262] == b"ustar" else name


def _extended(kind: bytes, extra: bytes, name: str, size: int | None) -> tuple[str, int | None]:
    """Return the name and size of the member that follows, from the two common extensions."""
    if kind == b"L":
        return _text(extra), size
    path, length = _PAX_PATH.search(extra), _PAX_SIZE.search(extra)
    return _text(path[1]) if path else name, int(length[1]) if length else size


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "replace")
