"""Read a Waymo perception v2 segment: a Parquet table for each component, poses at least."""

import os
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
from pyarrow import ArrowException, parquet

from impromptu.arrays import Floats, Ints
from impromptu.clip import PackedImage
from impromptu.datasets import LogError
from impromptu.datasets._waymo_segment import (
    LAST_US,
    Calibration,
    Image,
    Labels,
    Segment,
    camera_pose,
    pinhole,
    rigid,
)

POSES = "vehicle_pose"
_BOXES, _CALIBRATIONS, _IMAGES = "lidar_box", "camera_calibration", "camera_image"
_STAMP, _CAMERA, _TRACK = "key.frame_timestamp_micros", "key.camera_name", "key.laser_object_id"
_POSE = "[VehiclePoseComponent].world_from_vehicle.transform"
_BOX = "[LiDARBoxComponent]."
_BOX_VALUES = (
    *(f"box.center.{axis}" for axis in "xyz"),
    *(f"box.size.{axis}" for axis in "xyz"),
    "box.heading",
)
_LENS = "[CameraCalibrationComponent]."
_LENS_VALUES = tuple(f"intrinsic.{name}" for name in ("f_u", "f_v", "c_u", "c_v"))
_JPEG = "[CameraImageComponent].image"
_IMAGE_POSE = "[CameraImageComponent].pose.transform"
_Columns = Mapping[str, Sequence[Any]]
_WHOLE, _NUMBER, _TEXT = pyarrow.int64(), pyarrow.float64(), pyarrow.string()
_NUMBERS = _WHOLE, _NUMBER
_MATRIX = pyarrow.list_(_NUMBER)


def table_inputs(poses: Path) -> tuple[Path, ...]:
    """Return a segment's tables that are there, images apart."""
    tables = (_beside(poses, component) for component in (_BOXES, _CALIBRATIONS))
    return (poses, *(path for path in tables if os.path.lexists(path)))


def read_tables(poses: Path) -> Segment:
    """Read a segment by the path of its poses; images are read when they are asked for.

    Raises:
        ValueError: A table is damaged, or lacks a column.
    """
    frames = _columns(poses, {_STAMP: _WHOLE, _POSE: _MATRIX})
    return Segment(
        stamps_ns=_stamps(poses, frames),
        world_SE3_ego=rigid(_transforms(frames[_POSE])),
        labels=_labels(_beside(poses, _BOXES)),
        calibrations=_calibrations(_beside(poses, _CALIBRATIONS)),
        images=partial(_images, _beside(poses, _IMAGES)),
    )


def _beside(poses: Path, component: str) -> Path:
    return poses.parent.parent / component / poses.name


def _columns(path: Path, kinds: Mapping[str, pyarrow.DataType]) -> _Columns:
    """Read columns of some types; those of a table that is not there are empty."""
    if not path.is_file():
        return {name: [] for name in kinds}
    try:
        with parquet.ParquetFile(path) as table:
            if missing := [name for name in kinds if name not in table.schema_arrow.names]:
                raise ValueError(f"{path}: no column {missing[0]!r}; expected a table of Waymo v2")
            read = table.read(columns=list(kinds))
        read.validate(full=True)
    except (ArrowException, MemoryError, OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{path}: not a whole Parquet file ({error}): download it again"
        ) from error
    return {name: _values(path, name, read[name], kind) for name, kind in kinds.items()}


def _values(path: Path, name: str, column: Any, kind: pyarrow.DataType) -> Sequence[Any]:
    if column.null_count:
        row = column.is_null().to_pylist().index(True) + 1
        raise ValueError(f"{path}: row {row}: {name} is empty: download it again")
    try:
        cast = column.cast(kind)
        # Of the many numbers none becomes an object of its own.
        values: Sequence[Any] = cast.to_numpy() if kind in _NUMBERS else cast.to_pylist()
    except ArrowException as error:
        raise ValueError(
            f"{path}: {name} holds {column.type}; expected {kind} ({error}): download it again"
        ) from error
    return values


def _stamps(path: Path, columns: _Columns) -> Ints:
    stamps_us = np.array(columns[_STAMP], dtype=np.int64)
    if (wrong := np.flatnonzero((stamps_us <= 0) | (stamps_us > LAST_US))).size:
        raise LogError(
            f"{path}: row {wrong[0] + 1}: {_STAMP} is {stamps_us[wrong[0]]}; expected 1 to "
            f"{LAST_US}: download it again"
        )
    return stamps_us * 1000


def _transforms(rows: Sequence[Sequence[float]]) -> Floats:
    """Return (n, 16) matrices, NaN where there are not 16 values."""
    unknown = [np.nan] * 16
    whole = [row if len(row) == 16 else unknown for row in rows]
    return np.array(whole, dtype=np.float64).reshape(-1, 16)


def _labels(path: Path) -> Labels:
    numeric = [_BOX + name for name in _BOX_VALUES]
    kind, points = f"{_BOX}type", f"{_BOX}num_lidar_points_in_box"
    whole = dict.fromkeys((_STAMP, kind, points), _WHOLE)
    columns = _columns(path, whole | {_TRACK: _TEXT} | dict.fromkeys(numeric, _NUMBER))
    return Labels(
        stamps_ns=_stamps(path, columns),
        ids=columns[_TRACK],
        types=np.array(columns[kind], dtype=np.int64),
        boxes=np.array([columns[name] for name in numeric], dtype=np.float64).T.reshape(-1, 7),
        points=np.array(columns[points], dtype=np.int64),
    )


def _calibrations(path: Path) -> Mapping[int, Calibration]:
    numeric = [_LENS + name for name in _LENS_VALUES]
    size, outer = (f"{_LENS}width", f"{_LENS}height"), f"{_LENS}extrinsic.transform"
    whole = dict.fromkeys((_CAMERA, *size), _WHOLE)
    columns = _columns(path, whole | {outer: _MATRIX} | dict.fromkeys(numeric, _NUMBER))
    placed = camera_pose(_transforms(columns[outer]))
    return {
        int(camera): Calibration(
            (int(columns[size[0]][row]), int(columns[size[1]][row])),
            pinhole(*(columns[name][row] for name in numeric)),
            placed[row],
        )
        for row, camera in enumerate(columns[_CAMERA])
    }


def _images(path: Path, wanted_ns: Ints) -> Sequence[Mapping[int, Image]]:
    """Find the images of each wanted stamp; one row group of them is in memory at a time."""
    keys = _columns(path, {_STAMP: _WHOLE, _CAMERA: _WHOLE, _IMAGE_POSE: _MATRIX})
    if not len(keys[_CAMERA]):
        return [{} for _ in wanted_ns]
    table = parquet.read_metadata(path)
    sizes = [table.row_group(group).num_rows for group in range(table.num_row_groups)]
    group_of = [(group, row) for group, size in enumerate(sizes) for row in range(size)]
    read = lru_cache(maxsize=1)(partial(_jpegs, path))
    taken = rigid(_transforms(keys[_IMAGE_POSE]))
    images: dict[int, dict[int, Image]] = {}
    for row, stamp_ns in enumerate(_stamps(path, keys).tolist()):
        image = Image(PackedImage(None, partial(_content, read, *group_of[row])), taken[row])
        images.setdefault(stamp_ns, {}).setdefault(int(keys[_CAMERA][row]), image)
    return [images.get(stamp_ns, {}) for stamp_ns in wanted_ns.tolist()]


def _jpegs(path: Path, group: int) -> Any:
    try:
        with parquet.ParquetFile(path) as table:
            column = table.read_row_group(group, columns=[_JPEG])[_JPEG]
        column.validate(full=True)
        return column.cast(pyarrow.binary())
    except (ArrowException, KeyError, MemoryError, OSError) as error:
        raise LogError(f"{path}: {_JPEG} cannot be read ({error}): download it again") from error


def _content(read: Callable[[int], Any], group: int, row: int) -> bytes:
    """Return a JPEG; nothing, which is no image, where the table has none."""
    content: bytes = read(group)[row].as_py() or b""
    return content
