"""KITTI's text files: their fields with a fault's place, and the calibration among them."""

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from impromptu.arrays import Floats
from impromptu.datasets import LogError
from impromptu.geometry import SE3
from impromptu.poses import MAX_POSITION_M

_UNIT_TOLERANCE = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """A sequence's calibration.

    Attributes:
        intrinsics_px: (3, 3) of the left colour camera.
        ego_SE3_rectified: The frame of the labels, rectified camera 0, to the IMU.
        ego_SE3_camera: The left colour camera to the IMU.
    """

    intrinsics_px: Floats
    ego_SE3_rectified: SE3
    ego_SE3_camera: SE3


def lines(path: Path) -> list[list[str]]:
    """Return the blank-separated fields of each line; bytes that are no text fail as fields."""
    text = path.read_text(encoding="utf-8", errors="replace")
    return [line.split() for line in text.splitlines()]


def check_columns(path: Path, rows: Sequence[Sequence[str]], columns: int) -> None:
    """Raise a LogError for the first line that has another number of fields."""
    for row, line in enumerate(rows, start=1):
        if len(line) != columns:
            raise LogError(
                f"{path}:{row}: expected {columns} columns, got {len(line)}; "
                "the file may be cut short: unpack it again"
            )


def table(path: Path, rows: Mapping[int, Sequence[str]], first_column: int = 1) -> Floats:
    """Return the fields of lines of one length as (lines, fields) numbers.

    Args:
        path: The file.
        rows: Some of its lines by their numbers, from 1.
        first_column: The number of their first field, from 1.

    Raises:
        LogError: One is no finite number.
    """
    with suppress(ValueError):
        found = np.array(list(map(float, chain.from_iterable(rows.values()))))
        if np.isfinite(found).all():
            return found.reshape(len(rows), len(next(iter(rows.values()), ())))
    row, column, text = next(
        (row, column, text)
        for row, fields in rows.items()
        for column, text in enumerate(fields, first_column)
        if not _is_finite(text)
    )
    raise LogError(f"{path}:{row}: column {column} is {text!r}; expected a finite number")


def _is_finite(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def read_calibration(path: Path) -> Calibration | None:
    """Read a calibration file, its keys spelled with a colon or without; None without a file.

    Raises:
        LogError: A matrix is missing, cut short, or not what it is for.
    """
    if not path.is_file():
        return None
    found = {
        line[0].rstrip(":"): (row, line[1:]) for row, line in enumerate(lines(path), 1) if line
    }
    projection = _projection(path, found)
    rectified_SE3_ego = (
        _motion(path, found, "R_rect", 3)
        @ _motion(path, found, "Tr_velo_cam", 4)
        @ _motion(path, found, "Tr_imu_velo", 4)
    )
    # P2 = K [I | b]: the colour camera stands at -b in the rectified frame.
    offset_m = np.linalg.solve(projection[:, :3], projection[:, 3])
    ego_SE3_rectified = rectified_SE3_ego.inverse()
    camera = ego_SE3_rectified @ SE3(np.eye(3), -offset_m)
    return Calibration(projection[:, :3], ego_SE3_rectified, camera)


_Fields = Mapping[str, tuple[int, list[str]]]


def _matrix(path: Path, found: _Fields, key: str, columns: int) -> Floats:
    row, fields = found.get(key, (len(found) + 1, []))
    if len(fields) != 3 * columns:
        raise LogError(f"{path}:{row}: expected {key} and {3 * columns} numbers, got {len(fields)}")
    values = table(path, {row: fields}, 2).reshape(3, columns)
    if (largest := np.abs(values).max()) >= MAX_POSITION_M:
        raise LogError(
            f"{path}:{row}: {key} holds {largest}; expected numbers below {MAX_POSITION_M:g}: "
            "unpack it again"
        )
    return values


def _projection(path: Path, found: _Fields) -> Floats:
    projection = _matrix(path, found, "P2", 4)
    (fx, _, _), (skew, fy, _), last = projection[:, :3].tolist()
    if not (fx > 0 and fy > 0 and skew == 0 and last == [0, 0, 1]):
        raise LogError(
            f"{path}:{found['P2'][0]}: P2 is no projection: expected fx . . . 0 fy . . 0 0 1 . "
            f"with fx and fy above 0, got {projection.ravel().tolist()}: unpack it again"
        )
    return projection


def _motion(path: Path, found: _Fields, key: str, columns: int) -> SE3:
    """Return a rigid motion; three columns are a rotation alone."""
    rows = _matrix(path, found, key, columns)
    turn, moved_m = rows[:, :3], rows[:, 3] if columns == 4 else np.zeros(3)
    # A rotation's transpose undoes it, and it does not mirror.
    undone = np.abs(turn @ turn.T - np.eye(3)).max() < _UNIT_TOLERANCE
    if not (undone and np.linalg.det(turn) > 0):
        raise LogError(
            f"{path}:{found[key][0]}: {key} holds no rotation, but {turn.ravel().tolist()}: "
            "unpack it again"
        )
    return SE3(turn, moved_m)
