"""Files of ShareGPT records as one line of JSON each, read and written with little memory."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from impromptu.json_stream import LARGEST, Broken, batches

_BEGINS, _ENDS = b'{"id": "', b"]\n"


def record_lines(path: Path) -> Iterator[bytes | Broken]:
    """Yield the records of a JSON list as bytes without line breaks.

    A file that has a record a line, as ours do, is not parsed; any other is.
    """
    with path.open("rb") as file:
        first, second = file.readline(4), file.readline(LARGEST)
        if first == b"[\n" and second.startswith(_BEGINS) and second.rstrip(b",\n").endswith(b"}"):
            yield from _ours(file, second)
        else:
            file.seek(0)
            for batch in batches(file):
                yield from map(_line, batch)


def dumped(value: object) -> bytes:
    """Write a value as the lines of such files are written.

    Raises:
        UnicodeEncodeError: A text has half a character in it.
    """
    return json.dumps(value, ensure_ascii=False).encode()


def _line(value: Any) -> bytes | Broken:
    try:
        return value if isinstance(value, Broken) else dumped(value)
    except UnicodeEncodeError:
        return Broken("not_utf8", f"{value!r:.60}")


def _ours(file: IO[bytes], line: bytes) -> Iterator[bytes | Broken]:
    while line and line != _ENDS:
        record = line.rstrip(b",\n")
        if record.startswith(_BEGINS) and record.endswith(b"}"):
            yield record
        else:
            yield Broken("not_json", f"expected a record, got {line[:60]!r}")
        line = file.readline(LARGEST)
    if not line:
        yield Broken("cut_short", "the list has no end: no ']' after the last record")


class RecordWriter:
    """Writes a JSON list, a record a line.

    Attributes:
        count: Records so far.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.count = file, 0
        file.write(b"[")

    def write(self, record: bytes) -> None:
        """Add a record."""
        self._file.write(b",\n" if self.count else b"\n")
        self._file.write(record)
        self.count += 1

    def end(self) -> None:
        """Close the list."""
        self._file.write(b"\n]\n")
