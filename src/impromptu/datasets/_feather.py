"""Columns of a feather file, checked so that a fault names file, column and row."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pyarrow import DataType, types
from pyarrow.feather import read_table
from pyarrow.lib import ArrowException

from impromptu.arrays import Floats
from impromptu.datasets import LogError

ADVICE = "download the log again, or take its folder away"
POSE = "qw", "qx", "qy", "qz", "tx_m", "ty_m", "tz_m"
"""Columns of a pose, in the order of ``impromptu.poses.poses``."""
Columns = Mapping[str, Any]


def read_columns(path: Path, numeric: Sequence[str], texts: Sequence[str] = ()) -> Columns:
    """Read some columns of equal length, numbers as arrays; those named ``_ns`` are integers.

    Raises:
        LogError: The file is missing or damaged, lacks a column, or a value is empty or of
            another type.
    """
    if not path.is_file():
        raise LogError(f"{path}: missing, so this log is incomplete: {ADVICE}")
    try:
        # Threads take longer to begin than such a file to read, and other workers want the cores.
        table = read_table(path, use_threads=False)
        table.validate(full=True)
    except (ArrowException, MemoryError, OSError, UnicodeDecodeError) as error:
        raise LogError(f"{path}: not a whole feather file ({error}): {ADVICE}") from error
    for name in (*numeric, *texts):
        if name not in table.column_names:
            raise LogError(f"{path}: no column {name!r}; it has {', '.join(table.column_names)}")
        if table[name].null_count:
            row = table[name].is_null().to_pylist().index(True) + 1
            raise LogError(f"{path}: row {row}: {name} is empty: {ADVICE}")
        kind = table[name].type
        if not _fits(kind, name, name in texts):
            wanted = "texts" if name in texts else "numbers"
            raise LogError(f"{path}: column {name!r} holds {kind}; expected {wanted}: {ADVICE}")
    # Texts are picked one by one, which is quicker from a list than from an array of objects.
    found: Columns = {name: table[name].to_numpy() for name in numeric}
    return {**found, **{name: table[name].to_pylist() for name in texts}}


def _fits(kind: DataType, name: str, text: bool) -> bool:
    """Tell whether a column is of a type that it may have; stamps are whole numbers."""
    if text:
        return bool(types.is_string(kind) or types.is_large_string(kind))
    if name.endswith("_ns"):
        return bool(types.is_signed_integer(kind))
    return bool(types.is_integer(kind) or types.is_floating(kind))


def numbers(columns: Columns, names: Sequence[str]) -> Floats:
    """Return some columns side by side, (rows, len(names))."""
    return np.stack([np.asarray(columns[name], dtype=np.float64) for name in names], axis=-1)
