"""Read a JSON array of objects row by row, however large the file."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

_BLOCK = 4 * 1024 * 1024
_LONGEST_ROW = 16 * 1024 * 1024
_BETWEEN_ROWS = re.compile(r"\s*,?\s*")


def json_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (row number from 1, object) of a file that holds one array, in flat memory.

    Raises:
        ValueError: The file is not an array of objects, or ends before the array does; the
            message names file and row.
    """
    with path.open(encoding="utf-8") as file:
        for row, value in enumerate(_values(path, file), start=1):
            if not isinstance(value, dict):
                raise ValueError(f"{path}: row {row}: expected an object, got {value!r:.40}")
            yield row, value


def _values(path: Path, file: IO[str]) -> Iterator[Any]:
    decode, row = json.JSONDecoder().raw_decode, 1
    text = _block(path, file, row).lstrip()
    if not text.startswith("["):
        raise ValueError(f"{path}: expected a JSON array, got {text[:20]!r}")
    at = 1
    while not text.startswith("]", at := _after_separator(text, at)):
        try:
            value, at = decode(text, at)
        except json.JSONDecodeError as error:
            # Most likely the block ended within a row: read on, and try that row again.
            more = _block(path, file, row) if len(text) - at < _LONGEST_ROW else ""
            if not more:
                raise ValueError(
                    f"{path}: row {row}: cut short or not JSON ({error.msg}); "
                    "download or unpack the file again"
                ) from error
            text, at = text[at:] + more, 0
        except (RecursionError, ValueError) as error:
            raise ValueError(
                f"{path}: row {row}: not JSON ({error}); download or unpack the file again"
            ) from error
        else:
            yield value
            row += 1


def _after_separator(text: str, at: int) -> int:
    found = _BETWEEN_ROWS.match(text, at)
    return found.end() if found else at


def _block(path: Path, file: IO[str], row: int) -> str:
    try:
        return file.read(_BLOCK)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: near row {row}: expected UTF-8 text ({error})") from error
