"""Read the Arrow files of a py123d log, checked so that a fault names file, column and row."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import ipc
from pyarrow.lib import ArrowException

from impromptu.arrays import Floats, Ints
from impromptu.datasets import LogError
from impromptu.poses import Poses, poses

ADVICE = "convert the log again with py123d 0.7, or take its folder away"
STAMP = "timestamp_us"
POSE = pa.list_(pa.float64(), 7)
"""x, y, z, qw, qx, qy, qz."""
WXYZ_XYZ = [3, 4, 5, 6, 0, 1, 2]
"""Puts the numbers of such a pose into the order of ``impromptu.poses.poses``."""
_MAPPED_BATCHES = 8
"""py123d puts ten images into a batch."""
_LATEST_US = 2**52
"""Stamps are microseconds, most since 1970: this is the year 2112."""


@dataclass(frozen=True, slots=True, eq=False)
class File:
    """One modality of a log.

    Attributes:
        path: Its file; columns are named after it, which the names here leave out.
        columns: Those asked for.
        metadata: What py123d says of the sensor or the log.
        starts: (batches + 1,) the row each record batch begins with.
    """

    path: Path
    columns: Mapping[str, pa.ChunkedArray]
    metadata: Mapping[str, Any]
    starts: Ints

    def stamps_ns(self) -> Ints:
        """Return (rows,) stamps.

        Raises:
            LogError: One is of no possible time.
        """
        stamps_us: Ints = self.columns[STAMP].to_numpy()
        if (wrong := np.flatnonzero((stamps_us < 0) | (stamps_us > _LATEST_US))).size:
            raise LogError(
                f"{self.path}: row {wrong[0] + 1}: {STAMP} is {stamps_us[wrong[0]]}; expected "
                f"microseconds from 0 to {_LATEST_US}: {ADVICE}"
            )
        return stamps_us * 1000

    def poses(self, column: str) -> Poses:
        """Return (rows,) poses; one that is empty or damaged is not valid."""
        rows = flat_numbers(self.columns[column].combine_chunks(), 7)
        return poses(rows[:, WXYZ_XYZ], np.inf)

    def fixed_pose(self, key: str) -> Poses:
        """Return a pose that the metadata give.

        Raises:
            LogError: They do not.
        """
        value = self.metadata.get(key)
        if not (isinstance(value, list) and len(value) == 7 and all(map(_is_number, value))):
            raise LogError(f"{self.path}: metadata: {key} is {value!r:.80}; expected {POSE}")
        pose = poses(np.array(value, dtype=np.float64)[WXYZ_XYZ])
        if not pose.valid:
            raise LogError(f"{self.path}: metadata: {key} is {value}, which is no pose: {ADVICE}")
        return pose

    def cells(self, column: str) -> Callable[[int], pa.Scalar]:
        """Return a reader of one column by row, best asked in order."""
        read = lru_cache(maxsize=1)(_batches(self.path, [f"{self.path.stem}.{column}"]))

        def cell(row: int) -> pa.Scalar:
            batch = int(np.searchsorted(self.starts, row, side="right")) - 1
            return read(batch).column(0)[row - int(self.starts[batch])]

        return cell

    def content(self, column: str, row: int) -> bytes:
        """Read one value."""
        content: bytes = self.cells(column)(row).as_py()
        return content


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)


def read_file(
    path: Path, expected: Mapping[str, pa.DataType], hollow: tuple[str, ...] = ()
) -> File:
    """Read some columns of a modality's file; the others are not touched.

    Args:
        path: The file.
        expected: Type of each column.
        hollow: Columns that may have empty rows.

    Raises:
        LogError: The file is missing or damaged, lacks a column, or has one of another type or
            with an empty row.
    """
    reader, metadata = open_file(path)
    schema, names = reader.schema, {name: f"{path.stem}.{name}" for name in expected}
    for name, kind in expected.items():
        found = schema.field(names[name]).type if names[name] in schema.names else "nothing"
        if found != kind:
            raise LogError(
                f"{path}: column {names[name]} holds {found}; expected {kind} (there are "
                f"{', '.join(schema.names)}): {ADVICE}"
            )
    read = _batches(path, list(names.values()))
    # Taken out of the mapped file, which can then be let go of.
    batches = [_taken_out(read(number)) for number in range(reader.num_record_batches)]
    table = pa.Table.from_batches(
        batches, pa.schema([schema.field(name) for name in names.values()])
    )
    columns = {name: table[names[name]] for name in expected}
    for name in set(expected) - set(hollow):
        if columns[name].null_count:
            row = columns[name].is_null().to_pylist().index(True) + 1
            raise LogError(f"{path}: row {row}: {names[name]} is empty: {ADVICE}")
    starts = np.cumsum([0, *(len(batch) for batch in batches)])
    return File(path, columns, metadata, starts)


def open_file(path: Path) -> tuple[ipc.RecordBatchFileReader, Mapping[str, Any]]:
    """Open a file and read its metadata alone.

    Raises:
        LogError: The file is missing or damaged, or no metadata of py123d is in it.
    """
    msgpack = unpacker()
    try:
        # Not limited to some fields: pyarrow would then copy whole batches, images and all.
        reader = ipc.open_file(pa.memory_map(str(path)))
        packed = (reader.schema.metadata or {}).get(b"metadata", b"")
        reader.schema.names  # noqa: B018 - names are decoded, and so checked, when asked for
    except FileNotFoundError as error:
        raise LogError(f"{path}: missing, so this log is incomplete: {ADVICE}") from error
    except (ArrowException, OSError, UnicodeDecodeError) as error:
        raise _damaged(path, error) from error
    try:
        metadata = msgpack.unpackb(packed, strict_map_key=False)
    except (ValueError, msgpack.exceptions.UnpackException) as error:
        raise LogError(f"{path}: no metadata of py123d in it ({error!r}): {ADVICE}") from error
    if not isinstance(metadata, dict):
        raise LogError(f"{path}: metadata are {metadata!r:.80}; expected a mapping: {ADVICE}")
    return reader, metadata


def unpacker() -> ModuleType:
    """Import the package that reads py123d's metadata.

    Raises:
        LogError: It is not installed.
    """
    try:
        import msgpack
    except ModuleNotFoundError as error:
        raise LogError(
            "logs of py123d need one more package: pip install 'impromptu-vla[py123d]'"
        ) from error
    module: ModuleType = msgpack
    return module


def _batches(path: Path, names: list[str]) -> Callable[[int], pa.RecordBatch]:
    """Return a reader of some columns by record batch; what they point to is looked through.

    The file is mapped anew every few batches: what was read of it would count as this process's
    memory as long as it is mapped, which for images is all of them.
    """
    window = lru_cache(maxsize=1)(lambda _: open_file(path)[0])

    def read(number: int) -> pa.RecordBatch:
        try:
            batch = window(number // _MAPPED_BATCHES).get_batch(number).select(names)
            batch.validate(full=True)
        except (ArrowException, OSError) as error:
            raise _damaged(path, error) from error
        return batch

    return read


def _taken_out(batch: pa.RecordBatch) -> pa.RecordBatch:
    return batch.take(pa.array(np.arange(len(batch))))


def _damaged(path: Path, error: Exception) -> LogError:
    return LogError(f"{path}: not a whole Arrow file ({error}): {ADVICE}")


def flat_numbers(values: pa.Array, width: int) -> Floats:
    """Return the (n, width) numbers of n fixed-size lists, NaN where one is empty."""
    numbers = np.full((len(values), width), np.nan)
    known = values.is_valid().to_numpy(zero_copy_only=False)
    # Flattened, an empty list leaves nothing.
    numbers[known] = values.flatten().to_numpy(zero_copy_only=False).reshape(-1, width)
    return numbers
