"""Tells whether an image file is there and whole, from its two ends, without decoding it."""

import os
from pathlib import Path

_HEADS_AND_ENDS = ((b"\xff\xd8\xff", b"\xff\xd9"), (b"\x89PNG\r\n\x1a\n", b"IEND"))
"""How JPEG and PNG files begin, and what stands in their last bytes."""


def image_fault(path: Path, known: dict[Path, str]) -> str:
    """Say what is wrong with an image file, if anything, from its two ends; nothing is decoded."""
    if path not in known:
        known[path] = _fault_of(path)
    return known[path]


def _fault_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            head = file.read(8)
            file.seek(max(0, file.seek(0, os.SEEK_END) - 64))
            tail = file.read()
    except FileNotFoundError:
        return "missing_image"
    except OSError:
        return "unreadable_image"
    for begins, ends in _HEADS_AND_ENDS:
        if head.startswith(begins):
            return "" if ends in tail else "truncated_image"
    return "not_an_image"
