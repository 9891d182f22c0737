"""Are there image files with other names and the same bytes, and in two splits?"""

import os
from array import array
from collections.abc import Iterator

import numpy as np

from impromptu.arrays import Bools, Ints
from impromptu.audits import Audit, Finding, Image, Record, Severity, graded
from impromptu.audits._keys import first_pairs
from impromptu.image_files import open_at_once

_REMEMBERED = 100_000
_ENDS = 64
_SPLITS = ("", "train", "val", "test")


class _ImageContent:
    """Keeps 25 bytes an image file; its size, middle and end stand for its content.

    The compressed picture ends in them, and no two shots of a sensor compress alike.
    """

    def __init__(self) -> None:
        self.known = set[int]()
        self.contents, self.paths, self.numbers = array("q"), array("q"), array("q")
        self.splits = array("b")

    def see(self, record: Record) -> None:
        for image, path in zip(record.images, record.paths, strict=True):
            key = hash(path)
            if key in self.known:
                continue
            if len(self.known) >= _REMEMBERED:
                self.known.clear()
            self.known.add(key)
            base = image.rpartition("/")[2]
            inside = record.shard[base] if record.shard and base in record.shard else None
            content = _content(path) if inside is None else _key(inside)
            if content is not None:
                self.contents.append(content)
                self.paths.append(key)
                self.numbers.append(record.number)
                self.splits.append(_SPLITS.index(record.source.split))

    def findings(self) -> Iterator[Finding]:
        first, later, split = self._repeats()
        total = len(np.unique(np.array(self.paths, dtype=np.int64)))
        for apart in (True, False):
            chosen = split == apart
            count = len(np.unique(later[chosen]))
            if not count:
                continue
            text = f"{count:,} image files have the very bytes of an earlier one under another name"
            where = ", in another split: that split was seen." if apart else "."
            severity: Severity = "error" if apart else _graded(count, total)
            name = "same_content_in_splits" if apart else "same_content"
            numbers = np.array(self.numbers, dtype=np.int64)
            examples = first_pairs(numbers[first[chosen]], numbers[later[chosen]])
            yield Finding(severity, name, text + where, count, total, examples)

    def _repeats(self) -> tuple[Ints, Ints, Bools]:
        """Return places of files and of the first one with their content; if the split differs."""
        paths = np.array(self.paths, dtype=np.int64)
        _, kept = np.unique(paths, return_index=True)
        kept = np.sort(kept)
        _, first, group = np.unique(
            np.array(self.contents, dtype=np.int64)[kept], return_index=True, return_inverse=True
        )
        first = kept[first[group]]
        again = first != kept
        splits = np.array(self.splits, dtype=np.int8)
        apart = (splits[first] != splits[kept]) & (splits[first] > 0) & (splits[kept] > 0)
        return first[again], kept[again], apart[again]


def _graded(count: int, total: int) -> Severity:
    """A few still shots of made-up cameras are alike; many are a fault."""
    return "note" if graded(count, total) == "warning" else "warning"


def _content(path: str) -> int | None:
    """Return a key of a file's content; None if there is no such file."""
    try:
        with open(path, "rb", opener=open_at_once) as file:
            size = os.fstat(file.fileno()).st_size
            room = max(0, size - _ENDS)
            parts = [os.pread(file.fileno(), _ENDS, at) for at in (room // 2, room)]
    except (OSError, ValueError):
        return None
    return _key(Image(size, b"", *parts)) if size else None


def _key(image: Image) -> int:
    return hash((image.size, image.middle, image.tail))


AUDIT = Audit("Are there images with other names and the same content?", _ImageContent)
