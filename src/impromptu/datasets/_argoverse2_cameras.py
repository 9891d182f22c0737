"""The calibration of an Argoverse 2 log's cameras, its lenses checked to be lenses."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from impromptu.arrays import Floats
from impromptu.datasets import LogError
from impromptu.datasets._feather import ADVICE, POSE, Columns, numbers, read_columns
from impromptu.poses import Poses, poses

_SENSOR = ("sensor_name",)
_IMAGE = "width_px", "height_px"
_PINHOLE = "fx_px", "fy_px", "cx_px", "cy_px"
_MAX_PX = 100_000


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """A camera's (width, height), its (3, 3) pinhole matrix, and its pose; not valid if damaged."""

    size_px: tuple[int, int]
    intrinsics_px: Floats
    ego_SE3_camera: Poses


def read_calibration(log: Path) -> dict[str, Calibration]:
    """Read the calibration of each sensor by name; empty for a copy without.

    Raises:
        LogError: A file is missing or damaged, or a lens or an image is of no size.
    """
    folder = log / "calibration"
    if not folder.is_dir():
        return {}
    inner = _lenses(folder / "intrinsics.feather")
    outer = read_columns(folder / "egovehicle_SE3_sensor.feather", POSE, _SENSOR)
    placed = poses(numbers(outer, POSE))
    row_of = {name: row for row, name in enumerate(outer["sensor_name"])}
    return {
        name: Calibration(
            (int(width), int(height)),
            np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]),
            placed[row_of[name]],
        )
        for name, (fx, fy, cx, cy, width, height) in zip(
            inner["sensor_name"], numbers(inner, (*_PINHOLE, *_IMAGE)), strict=True
        )
        if name in row_of
    }


def _lenses(path: Path) -> Columns:
    columns = read_columns(path, (*_PINHOLE, *_IMAGE), _SENSOR)
    for name in (*_PINHOLE, *_IMAGE):
        values = np.asarray(columns[name], dtype=np.float64)
        # The image's centre may be anywhere; focal lengths and sizes are lengths.
        lowest = -_MAX_PX if name in ("cx_px", "cy_px") else 0
        if (wrong := np.flatnonzero(~((values > lowest) & (values < _MAX_PX)))).size:
            raise LogError(
                f"{path}: row {wrong[0] + 1}: {name} of {columns['sensor_name'][wrong[0]]} is "
                f"{values[wrong[0]]}; expected a number from {lowest} to {_MAX_PX}: {ADVICE}"
            )
    return columns
