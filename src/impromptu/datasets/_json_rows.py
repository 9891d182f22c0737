"""Read a JSON array of objects many rows at once, however large the file."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

_BLOCK = 64 * 1024
"""Characters at once: what is made of so many stays in the processor's cache."""
_LONGEST_ROW = 16 * 1024 * 1024
_BETWEEN_ROWS = re.compile(r"\s*,?\s*")


def json_rows(
    path: Path, parse_float: Callable[[str], Any] | None = None
) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """Yield (number of the first, from 1, rows) of a file that holds one array, in flat memory.

    Args:
        path: UTF-8 text.
        parse_float: Makes the fractions, if not ``float``.

    Raises:
        ValueError: The file is not an array of objects, or ends before the array does; the
            message names file and row. All rows before that one have been yielded.
    """
    first = 1
    with path.open(encoding="utf-8") as file:
        for values in _values(path, file, json.JSONDecoder(parse_float=parse_float)):
            if {*map(type, values)} != {dict}:
                at = next(at for at, value in enumerate(values) if not isinstance(value, dict))
                yield first, values[:at]
                raise ValueError(
                    f"{path}: row {first + at}: expected an object, got {values[at]!r:.40}"
                )
            yield first, values
            first += len(values)


def _values(path: Path, file: IO[str], decoder: json.JSONDecoder) -> Iterator[list[Any]]:
    """Yield the array's elements, some of them at a time."""
    row, at = 1, 1
    text = _block(path, file, row, _BLOCK).lstrip()
    if not text.startswith("["):
        raise ValueError(f"{path}: expected a JSON array, got {text[:20]!r}")
    while not text.startswith("]", at := _after_separator(text, at)):
        values, end, error = _decoded(decoder, text, at)
        if values:
            yield values
            row, text, at = row + len(values), text[end:], 0
        elif isinstance(error, json.JSONDecodeError):
            # Most likely the block ended within a row: read on, and try that row again.
            kept = text[at:]
            if len(kept) >= _LONGEST_ROW:
                raise ValueError(
                    f"{path}: row {row}: longer than {_LONGEST_ROW} characters, or not JSON "
                    f"({error.msg}); download or unpack the file again"
                ) from error
            more = _block(path, file, row, max(_BLOCK, len(kept)))
            if not more:
                raise ValueError(
                    f"{path}: row {row}: cut short or not JSON ({error.msg}); "
                    "download or unpack the file again"
                ) from error
            text, at = kept + more, 0
        else:
            raise ValueError(
                f"{path}: row {row}: not JSON ({error}); download or unpack the file again"
            ) from error


def _decoded(
    decoder: json.JSONDecoder, text: str, at: int
) -> tuple[list[Any], int, Exception | None]:
    """Return the values that are complete, where they end, and what is wrong with the next."""
    values, end, error = list[Any](), at, None
    last = text.rfind("}", at) + 1
    try:
        if last:
            # Where a row does not end there, or the array ends before, this is no JSON.
            return decoder.decode(f"[{text[at:last]}]"), last, None
    except (RecursionError, ValueError):
        pass
    try:
        while not text.startswith("]", at):
            value, end = decoder.raw_decode(text, at)
            values.append(value)
            at = _after_separator(text, end)
    except (RecursionError, ValueError) as found:
        error = found
    return values, end, error


def _after_separator(text: str, at: int) -> int:
    found = _BETWEEN_ROWS.match(text, at)
    return found.end() if found else at


def _block(path: Path, file: IO[str], row: int, size: int) -> str:
    try:
        return file.read(size)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: near row {row}: expected UTF-8 text ({error})") from error
