"""Tells whether an image file is there and whole, from its two ends, without decoding it."""

import os
from pathlib import Path

_HEADS_AND_ENDS = ((b"\xff\xd8\xff", b"\xff\xd9"), (b"\x89PNG\r\n\x1a\n", b"IEND"))
"""How JPEG and PNG files begin, and what stands in their last bytes."""


def open_at_once(path: str, flags: int) -> int:
    """Open without waiting, as a pipe would have us do."""
    return os.open(path, flags | os.O_NONBLOCK)


def image_fault(path: Path) -> str:
    """Say what is wrong with an image file, if anything."""
    try:
        head, tail = _ends(path)
    except FileNotFoundError:
        return "missing_image"
    except OSError:
        return "unreadable_image"
    for begins, ends in _HEADS_AND_ENDS:
        if head.startswith(begins):
            return "" if ends in tail else "truncated_image"
    return "not_an_image"


def _ends(path: Path) -> tuple[bytes, bytes]:
    """Return the first 8 and the last 64 bytes of a file."""
    handle = open_at_once(str(path), os.O_RDONLY)
    try:
        size = os.fstat(handle).st_size
        return os.pread(handle, 8, 0), os.pread(handle, 64, max(0, size - 64))
    finally:
        os.close(handle)
