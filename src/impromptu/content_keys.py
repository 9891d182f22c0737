"""Tells images of the same content by a few bytes of each."""

import hashlib
import os

_ENDS = 64


def content_key(path: str | os.PathLike[str]) -> int | None:
    """Return a number that stands for a file's content; None if it cannot be read or is empty.

    Its size, middle and end stand for it: the compressed picture ends in them, and no two shots of
    a sensor compress alike. The same in every process.
    """
    try:
        with open(path, "rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            room = max(0, size - _ENDS)
            parts = [os.pread(file.fileno(), _ENDS, at) for at in (room // 2, room)]
    except (OSError, ValueError):
        return None
    told = b"%d:" % size + b"".join(parts)
    digest = hashlib.blake2b(told, digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True) if size else None
