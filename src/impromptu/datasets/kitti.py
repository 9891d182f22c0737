"""KITTI tracking: poses and motion from the oxts (GPS and IMU) rows, agents from label_02.

The ego origin is the IMU. Rows have no stamps: they are 0.1 s apart, and every fifth is a
present. A box counts as observed when its label says visible or partly occluded.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from impromptu.arrays import Floats
from impromptu.clip import Camera, Clip, Kind
from impromptu.datasets import Dataset, Dropped, Log, LogError, not_found
from impromptu.datasets._agents import Surroundings, surroundings
from impromptu.datasets._boxes import Boxes, distinct
from impromptu.datasets._drive import Drive, ego_track
from impromptu.datasets._images import first_size_px
from impromptu.datasets._kitti_text import (
    Calibration,
    check_columns,
    lines,
    read_calibration,
    table,
)
from impromptu.geometry import SE3
from impromptu.poses import MAX_POSITION_M, Poses
from impromptu.sampling import LOGGED_LIMIT, Windows, windows

ROW_NS = 100_000_000
STRIDE = 5
MAX_GAP_NS = 250_000_000
"""A label may be missing for one row of a track."""
LOOKBACK_NS = 500_000_000
"""Agents' velocities are over this time: over one row they are mostly the labels' jitter."""
EARTH_RADIUS_M = 6_378_137.0
_SPLITS = {"training": "train", "testing": "test"}
_KINDS: dict[str, Kind] = {
    "Car": "vehicle",
    "Van": "vehicle",
    "Truck": "vehicle",
    "Tram": "vehicle",
    "Cyclist": "cyclist",
    "Pedestrian": "pedestrian",
    "Person": "pedestrian",
    "Person_sitting": "pedestrian",
    "Misc": "object",
}
_VF_VL_AF_AL = [8, 9, 14, 15]
"""Columns of an oxts row: velocity forward and left, level with the earth; acceleration so."""


def logs(root: Path, scratch: Path) -> Sequence[Log]:
    """List the sequences that have an oxts file, as ``training_0000`` and so on.

    Raises:
        FileNotFoundError: There is none.
    """
    found = [
        Log(f"{folder}_{path.stem}", split, root, path, _inputs(path))
        for folder, split in _SPLITS.items()
        for path in sorted((root / "data_tracking_oxts" / folder / "oxts").glob("*.txt"))
    ]
    if not found:
        raise not_found(DATASET, root, "no oxts file is here")
    return found


def clips(log: Log) -> Iterator[Clip | Dropped]:
    """Yield a clip for every fifth row of a sequence.

    Raises:
        LogError: A row of a file has another number of columns, a value that is no number or an
            absurd one, or disagrees with another; the message names file, row and column.
    """
    oxts = _oxts(log.source)
    world_SE3_ego = _world_SE3_ego(oxts)
    stamps_ns = ROW_NS * np.arange(len(oxts))
    track = ego_track(stamps_ns, world_SE3_ego, str(log.source), max_gap_ns=ROW_NS)
    ego = windows(track, stamps_ns[::STRIDE])
    rows = range(0, len(oxts), STRIDE)
    calibration = read_calibration(_beside(log.source, "calib", "calib"))
    drive = Drive(
        dataset="kitti",
        log=log,
        presents_ns=stamps_ns[::STRIDE],
        ego=ego,
        cameras=_cameras(_beside(log.source, "image_2", "image_02"), rows, calibration),
        around=_around(_beside(log.source, "label_2", "label_02"), calibration, world_SE3_ego, ego),
        # Where the past is not known this picks some row, which ``statuses`` passes over.
        motion=oxts[np.maximum(ego.times_ns, 0) // ROW_NS][..., _VF_VL_AF_AL],
    )
    for index, row in enumerate(rows):
        yield drive.clip(index, f"kitti/{log.id}/{row:06d}")


def _beside(oxts: Path, kind: str, folder: str) -> Path:
    """Return the file of another kind about the same sequence."""
    split = oxts.parent.parent.name
    return oxts.parents[3] / f"data_tracking_{kind}" / split / folder / oxts.name


def _inputs(oxts: Path) -> tuple[Path, ...]:
    paths = oxts, _beside(oxts, "calib", "calib"), _beside(oxts, "label_2", "label_02")
    return tuple(path for path in paths if os.path.lexists(path))


def _oxts(path: Path) -> Floats:
    """Return the (rows, 30) table of a sequence's motion."""
    rows = lines(path)
    check_columns(path, rows, 30)
    if not rows:
        raise LogError(f"{path}: no rows; unpack it again")
    values = table(path, dict(enumerate(rows, start=1)))
    limits = {0: 90, 1: 360, **dict.fromkeys(_VF_VL_AF_AL, LOGGED_LIMIT)}
    for column, limit in limits.items():
        if (wrong := np.flatnonzero(np.abs(values[:, column]) >= limit)).size:
            raise LogError(
                f"{path}:{wrong[0] + 1}: column {column + 1} is {values[wrong[0], column]}; "
                f"expected a number between {-limit:g} and {limit:g}: unpack it again"
            )
    return values


def _world_SE3_ego(oxts: Floats) -> Poses:
    """Return the IMU's poses in a world of east, north, up that begins at the first row.

    Mercator at the scale of the first row's latitude, as in KITTI's own development kit.
    """
    lat_rad, lon_rad = np.radians(oxts[:, 0]), np.radians(oxts[:, 1])
    scale_m = EARTH_RADIUS_M * np.cos(lat_rad[0])
    north_m = scale_m * np.log(np.tan(np.pi / 4 + lat_rad / 2))
    position_m = np.stack([scale_m * lon_rad, north_m, oxts[:, 2]], axis=-1)
    # Turns about z, the new y and the new x: Rz(yaw) Ry(pitch) Rx(roll).
    turned = Rotation.from_euler("ZYX", oxts[:, [5, 4, 3]]).as_matrix()
    return Poses(turned, position_m - position_m[0], np.ones(len(oxts), dtype=bool))


def _boxes(path: Path, calibration: Calibration, world_SE3_ego: Poses) -> Boxes:
    """Read a label file into boxes in the world; regions marked DontCare are no boxes.

    Raises:
        LogError: A row is not a label of a row of the oxts file, or disagrees with another.
    """
    rows = lines(path)
    check_columns(path, rows, 17)
    kept = {row: line for row, line in enumerate(rows, 1) if line[2] != "DontCare"}
    for row, line in kept.items():
        _check_label(path, row, line, len(world_SE3_ego.valid))
    # Truncated, occluded, alpha, 2D box, height, width, length, x, y, z, turn.
    values = table(path, {row: line[3:] for row, line in kept.items()}, 4).reshape(-1, 14)
    _check_values(path, numbers := [*kept], values)
    frames = np.array([int(line[0]) for line in kept.values()], dtype=np.int64)
    placed = world_SE3_ego[frames] @ _one(calibration.ego_SE3_rectified) @ _label_poses(values)
    boxes = Boxes(
        timestamps_ns=ROW_NS * frames,
        ids=[line[1] for line in kept.values()],
        categories=[line[2].lower().replace("_", " ") for line in kept.values()],
        kinds=[_KINDS[line[2]] for line in kept.values()],
        rotations=placed.rotations,
        centers_m=placed.translations_m,
        sizes_m=values[:, [9, 8, 7]],
        observed=values[:, 1] < 2,
    )
    return distinct(boxes, str(path), lambda place: f"row {numbers[place]}")


def _check_label(path: Path, row: int, line: Sequence[str], frames: int) -> None:
    """Raise a LogError for a type that is unknown or a frame that is not there."""
    if line[2] not in _KINDS:
        raise LogError(f"{path}:{row}: type {line[2]!r}; expected one of {', '.join(_KINDS)}")
    if not (line[0].isdecimal() and len(line[0]) < 10 and int(line[0]) < frames):
        raise LogError(
            f"{path}:{row}: frame {line[0]!r}; the oxts file has frames 0 to {frames - 1}"
        )


def _check_values(path: Path, rows: Sequence[int], values: Floats) -> None:
    """Raise a LogError for the first size or place that cannot be, of the labels in some rows."""
    limits = (
        (7, values[:, 7:10] <= 0, "a height, width or length above 0"),
        (10, np.abs(values[:, 10:13]) >= MAX_POSITION_M, f"a place within {MAX_POSITION_M:g} m"),
    )
    for first, wrong, wanted in limits:
        for label, column in np.argwhere(wrong).tolist():
            raise LogError(
                f"{path}:{rows[label]}: column {first + column + 4} is "
                f"{values[label, first + column]}; expected {wanted}: unpack it again"
            )


def _one(pose: SE3) -> Poses:
    return Poses(pose.rotation, pose.translation_m, np.array(True))


def _label_poses(values: Floats) -> Poses:
    """Return ``rectified_SE3_box``, x along its length, z up; a label gives the bottom's centre."""
    cos, sin, zero = np.cos(values[:, 13]), np.sin(values[:, 13]), np.zeros(len(values))
    # Columns: forward (cos, 0, -sin), left (sin, 0, cos), up (0, -1, 0) in camera axes.
    rows = [cos, sin, zero, zero, zero, zero - 1, -sin, cos, zero]
    center_m = values[:, 10:13] - np.stack([zero, values[:, 7] / 2, zero], axis=-1)
    return Poses(np.stack(rows, axis=-1).reshape(-1, 3, 3), center_m, np.ones(len(values), bool))


def _around(
    path: Path, calibration: Calibration | None, world_SE3_ego: Poses, ego: Windows
) -> Surroundings | None:
    """Return the agents around each present; None where there are no labels, or none to place."""
    boxes = _boxes(path, calibration, world_SE3_ego) if calibration and path.is_file() else None
    if boxes is None or not boxes.ids:
        return None
    stamps_ns = ego.times_ns[:, -1]
    return surroundings(
        boxes, stamps_ns, stamps_ns, ego.present, max_gap_ns=MAX_GAP_NS, lookback_ns=LOOKBACK_NS
    )


def _cameras(
    sequence: Path, rows: Sequence[int], calibration: Calibration | None
) -> list[tuple[Camera]]:
    """Return the one image of each row; its folder is named like the sequence's other files."""
    folder = sequence.with_suffix("")
    # Sequences differ in size, rows do not.
    names = sorted(path.name for path in folder.glob("*.png"))
    view, size_px = "FRONT", first_size_px(folder / name for name in names)
    images = [folder / f"{row:06d}.png" for row in rows]
    if calibration is None:
        return [(Camera(view, image, size_px),) for image in images]
    matrix, ego_SE3_camera = calibration.intrinsics_px, calibration.ego_SE3_camera
    return [(Camera(view, image, size_px, matrix, ego_SE3_camera),) for image in images]


DATASET = Dataset(
    home="kitti",
    title="KITTI tracking",
    url="https://www.cvlibs.net/datasets/kitti/eval_tracking.php",
    licence="CC BY-NC-SA 3.0: non-commercial",
    size="50 sequences; images 15 GB, all else 11 MB",
    tree="""data_tracking_oxts/{training,testing}/oxts/0000.txt
data_tracking_image_2/{training,testing}/image_02/0000/000000.png
data_tracking_calib/{training,testing}/calib/0000.txt
data_tracking_label_2/training/label_02/0000.txt""",
    splits=("train", "test"),
    surround=("FRONT",),
    forward=("FRONT",),
    logs=logs,
    clips=clips,
)
