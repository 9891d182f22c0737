"""Columns of a CSV file, checked so that a fault names file, column and row."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow
from pyarrow import csv

from impromptu.datasets import LogError

ADVICE = "download it again"
Columns = Mapping[str, Any]


def read_columns(
    path: Path, texts: Sequence[str], numbers: Sequence[str] = (), integers: Sequence[str] = ()
) -> Columns:
    """Read some columns by their header as arrays of equal length.

    Texts are kept as written, leading zeros included. An empty number becomes NaN.

    Raises:
        LogError: The file is missing or damaged, lacks a column, or a value is of another type.
    """
    if not path.is_file():
        raise LogError(f"{path}: missing: {ADVICE}")
    types = {name: pyarrow.string() for name in texts}
    types |= {name: pyarrow.float64() for name in numbers}
    types |= {name: pyarrow.int64() for name in integers}
    try:
        # One thread reads as fast as files of this size need, and knows the numbers of bad rows.
        table = csv.read_csv(
            path,
            read_options=csv.ReadOptions(use_threads=False),
            convert_options=csv.ConvertOptions(column_types=types, strings_can_be_null=False),
        )
        header = table.column_names
    except (pyarrow.ArrowException, UnicodeDecodeError, OSError) as error:
        raise LogError(f"{path}: not a whole CSV file ({error}): {ADVICE}") from error
    for name in types:
        if header.count(name) != 1:
            found = ", ".join(header)
            raise LogError(f"{path}: expected one column {name!r}; it has {found}: {ADVICE}")
    for name in integers:
        if table[name].null_count:
            row = table[name].is_null().to_pylist().index(True) + 2
            raise LogError(f"{path}:{row}: {name} is empty; expected an integer: {ADVICE}")
    return {name: table[name].to_numpy() for name in types}
