"""Write drives as KITTI tracking does: navigation rows, images, calibration and labels at 10 Hz.

Each sequence lacks one image.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from impromptu.arrays import Floats
from impromptu.geometry import SE3, wrap_rad
from impromptu.miniature.canvas import NEAR_M, Lens
from impromptu.miniature.files import Drive, Pictures, camera_axes, moved
from impromptu.miniature.sensing import Sensed, sense
from impromptu.miniature.world import GRAVITY_MPS2, Boxes, Shape, axes

PERIOD_S = 0.1
LOST_IMAGE = 5
_SEQUENCES = {"training": 21, "testing": 29}
_SIZE_PX = (310, 94)
_EARTH_RADIUS_M = 6_378_137.0
_ENU_SE3_WORLD = SE3(Rotation.from_euler("z", 2.2).as_matrix(), np.array([0.0, 0.0, 112.0]))
"""East, north, up; turned so that headings cross from pi to -pi in a left turn."""

_K = np.array([[180.0, 0.0, 154.0], [0.0, 180.0, 43.0], [0.0, 0.0, 1.0]])
_BASELINES_M = ((0.0, 0.0, 0.0), (-0.54, 0.0, 0.0), (0.06, 0.0, 0.003), (-0.47, 0.0, 0.003))
"""Where camera 0's centre lies in each of the four cameras."""


def _small(x_deg: float, y_deg: float, z_deg: float) -> Floats:
    """Return a small rotation, as no sensor is mounted quite straight."""
    rotation: Floats = Rotation.from_euler("xyz", [x_deg, y_deg, z_deg], degrees=True).as_matrix()
    return rotation


_EGO_SE3_IMU = SE3(np.eye(3), np.array([-0.05, 0.32, 0.93]))
_EGO_SE3_VELO = SE3(_small(0.2, -0.1, 0.1), np.array([0.76, 0.0, 1.73]))
_EGO_SE3_RECT = SE3(camera_axes(0.2, 0.5, -0.1), np.array([1.03, 0.06, 1.65]))
_RECT_R_CAMERA = _small(0.3, -0.4, 0.5)

_TYPES: dict[Shape, str] = {
    "car": "Car",
    "van": "Van",
    "truck": "Truck",
    "bus": "Misc",
    "pedestrian": "Pedestrian",
    "cyclist": "Cyclist",
}
_CORNERS = np.array([(x, y, z) for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])


def write(root: Path, drives: Iterable[Drive], pictures: Pictures) -> None:
    """Write a folder with a sequence for each drive; testing sequences have no labels.

    Raises:
        ValueError: There are more drives than the dataset has numbers.
    """
    written = {"training": 0, "testing": 0}
    for drive in drives:
        split = "training" if drive.first_split else "testing"
        if drive.count > 2 * _SEQUENCES["training"]:
            raise ValueError(
                f"kitti: expected at most {2 * _SEQUENCES['training']} logs, got {drive.count}"
            )
        name, t_s = f"{written[split]:04d}", np.arange(0.0, drive.duration_s + 1e-9, PERIOD_S)
        written[split] += 1
        _write_text(root / f"data_tracking_oxts/{split}/oxts/{name}.txt", _oxts(drive, t_s))
        _write_text(root / f"data_tracking_calib/{split}/calib/{name}.txt", _calibration())
        if split == "training":
            labels = root / f"data_tracking_label_2/{split}/label_02/{name}.txt"
            _write_text(labels, _labels(drive, t_s))
        folder = root / f"data_tracking_image_2/{split}/image_02/{name}"
        film = drive.studio.film(Lens(_SIZE_PX, _K), _EGO_SE3_RECT @ _rect_SE3_camera2(), t_s)
        pictures.save_all([folder / f"{frame:06d}.png" for frame in range(len(t_s))], film)
        (folder / f"{LOST_IMAGE:06d}.png").unlink()


def _write_text(path: Path, lines: Iterable[str]) -> None:
    """Write lines of text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _rect_SE3_camera2() -> SE3:
    """Return camera 2, from which the images are, in camera 0's rectified frame."""
    return SE3(np.eye(3), -np.array(_BASELINES_M[2]))


def _calibration() -> list[str]:
    """Return the lines of a calibration file, spelled as the dataset spells them."""
    velo_SE3_imu = _EGO_SE3_VELO.inverse() @ _EGO_SE3_IMU
    rect_SE3_velo = _EGO_SE3_RECT.inverse() @ _EGO_SE3_VELO
    camera_SE3_velo = SE3(_RECT_R_CAMERA.T, np.zeros(3)) @ rect_SE3_velo
    rows = {
        f"P{i}:": np.column_stack([_K, _K @ np.array(baseline)])
        for i, baseline in enumerate(_BASELINES_M)
    }
    rows["R_rect"] = _RECT_R_CAMERA
    for name, pose in (("Tr_velo_cam", camera_SE3_velo), ("Tr_imu_velo", velo_SE3_imu)):
        rows[name] = np.column_stack([pose.rotation, pose.translation_m])
    return [f"{name} {' '.join(f'{v:.12e}' for v in row.ravel())} " for name, row in rows.items()]


def _oxts(drive: Drive, t_s: Floats) -> list[str]:
    """Return a row of 30 values for each time, all about the IMU."""
    arm_m, turn = _EGO_SE3_IMU.translation_m, _ENU_SE3_WORLD.rotation
    rotations, ego_m = drive.world.ego_poses(t_s)
    enu_R_imu, enu_m = moved(_ENU_SE3_WORLD, rotations, ego_m + rotations @ arm_m)
    yaw, pitch, roll = Rotation.from_matrix(enu_R_imu).as_euler("ZYX").T
    velocity, acceleration, rate = (
        vector @ turn.T for vector in drive.world.ego_kinematics(t_s, arm_m.tolist())
    )
    force = acceleration + [0.0, 0.0, GRAVITY_MPS2]
    level = axes(yaw)
    columns = [
        *_latitude_longitude(enu_m, 49.0 + 0.01 * drive.index),
        *(enu_m[:, 2], roll, pitch, wrap_rad(yaw), velocity[:, 1], velocity[:, 0]),
        *_in_axes(level, velocity),
        *_in_axes(enu_R_imu, force),
        *_in_axes(level, force),
        *_in_axes(enu_R_imu, rate),
        *_in_axes(level, rate),
    ]
    fixed = "0.05 0.02 4 10 4 4 0"
    return [f"{' '.join(map(repr, row))} {fixed}" for row in np.column_stack(columns).tolist()]


def _in_axes(rotation: Floats, vectors: Floats) -> Floats:
    """Return (3, n) components of (n, 3) vectors along (n, 3, 3) axes."""
    components: Floats = np.einsum("nji,nj->in", rotation, vectors)
    return components


def _latitude_longitude(enu_m: Floats, latitude_deg: float) -> tuple[Floats, Floats]:
    """Return degrees by the dataset's Mercator projection, whose scale is that of the first row."""
    scale_m = np.cos(np.deg2rad(latitude_deg)) * _EARTH_RADIUS_M
    east, north = ((enu_m[:, :2] - enu_m[0, :2]) / scale_m).T
    start = np.log(np.tan(np.deg2rad(90 + latitude_deg) / 2))
    latitude = np.rad2deg(2 * np.arctan(np.exp(start + north))) - 90
    return latitude, 8.4 + np.rad2deg(east)


def _labels(drive: Drive, t_s: Floats) -> list[str]:
    """Return the lines of all boxes that reach into the image and are not wholly hidden."""
    boxes, houses_m = drive.world.boxes(t_s), drive.studio.scenery.houses_m
    lines = []
    for frame, world_SE3_ego in enumerate(drive.world.world_SE3_egos(t_s)):
        world_SE3_rect = world_SE3_ego @ _EGO_SE3_RECT
        sensed = sense(boxes, frame, world_SE3_rect.translation_m, houses_m)
        lines += _frame_labels(drive, frame, boxes, sensed, world_SE3_rect.inverse())
    return lines


def _frame_labels(
    drive: Drive, frame: int, boxes: Boxes, sensed: Sensed, rect_SE3_world: SE3
) -> list[str]:
    """Return the lines of one frame."""
    lines = []
    for place, column in enumerate(sensed.body.tolist()):
        size_m = boxes.size_m[column]
        turned = axes(boxes.yaw_rad[frame, column])
        corners = (_CORNERS * size_m) @ turned.T + boxes.centre_m[frame, column]
        outline = _outline(rect_SE3_world.transform(corners))
        if outline is None or sensed.fraction[place] == 0:
            continue
        truncation, rectangle = outline
        foot = boxes.centre_m[frame, column] - [0.0, 0.0, size_m[2] / 2]
        x, _, z = location = rect_SE3_world.transform(foot)
        ahead = rect_SE3_world.rotation @ turned[:, 0]
        turn = np.arctan2(-ahead[2], ahead[0])
        alpha = float(wrap_rad(turn - np.arctan2(x, z)))
        hidden = 2 - int(np.searchsorted((0.4, 0.8), sensed.fraction[place], side="right"))
        values = (alpha, *rectangle, *size_m[[2, 1, 0]], *location, turn)
        head = f"{frame} {column} {_TYPES[drive.world.bodies[column].shape]} {truncation} {hidden}"
        lines.append(f"{head} {' '.join(f'{value:.6f}' for value in values)}")
    return lines


def _outline(corners_m: Floats) -> tuple[int, tuple[float, ...]] | None:
    """Return a box's truncation (0, 1 or 2) and its rectangle in the image, or None outside it."""
    before = corners_m[corners_m[:, 2] > NEAR_M]
    if len(before) < 4:
        return None
    homogeneous = (before + np.array(_BASELINES_M[2])) @ _K.T
    pixels = homogeneous[:, :2] / homogeneous[:, 2:]
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    inside_low, inside_high = np.maximum(low, 0), np.minimum(high, np.array(_SIZE_PX) - 1)
    if (inside_high - inside_low < 2).any():
        return None
    kept = np.prod(inside_high - inside_low) / np.prod(high - low)
    return int(kept < 0.95) + int(kept < 0.5), (*inside_low, *inside_high)
