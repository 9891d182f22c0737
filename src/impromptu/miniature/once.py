"""Write drives as ONCE sequences: lidar poses with the scalar last, and the faults they have.

In every second drive a frame's pose is lost (a zero quaternion), in the others some frames are
missing; and everywhere a front image. The numbers of the side cameras are made up.
"""

from collections.abc import Iterable
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from impromptu.arrays import Bools, Floats, Ints
from impromptu.files import write_json
from impromptu.geometry import SE3
from impromptu.miniature.canvas import Lens
from impromptu.miniature.files import Drive, Pictures, camera_axes
from impromptu.miniature.sensing import sense
from impromptu.miniature.world import Shape, axes

EGO_SE3_LIDAR = SE3(
    np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]), np.array([1.1, 0.0, 1.9])
)
"""Lidar axes: x left, y back, z up; the ego frame is at the rear axle on the ground."""

LISTS = "train", "val", "test", "raw_small"
_EPOCH_MS = 1_616_100_000_000
_FRAME_MS = 500
_SIZE_PX = 320, 170
# Camera: yaw (degrees), position (m) in the ego frame, focal length (px).
_CAMERAS: dict[str, tuple[float, tuple[float, float, float], float]] = {
    "cam01": (0.2, (1.5, 0.05, 1.62), 274.0),
    "cam03": (-0.3, (1.5, -0.05, 1.62), 160.0),
    "cam05": (61.0, (1.4, 0.5, 1.60), 161.0),
    "cam06": (119.0, (0.8, 0.5, 1.61), 160.0),
    "cam07": (179.8, (0.2, 0.0, 1.62), 160.0),
    "cam08": (-120.5, (0.8, -0.5, 1.61), 159.0),
    "cam09": (-59.5, (1.4, -0.5, 1.60), 160.0),
}
_NAMES: dict[Shape, str] = {
    "car": "Car",
    "van": "Car",
    "truck": "Truck",
    "bus": "Bus",
    "pedestrian": "Pedestrian",
    "cyclist": "Cyclist",
}


def write(root: Path, drives: Iterable[Drive], pictures: Pictures) -> None:
    """Write a folder with a sequence for each drive, and the lists of sequences.

    Of the first half of the drives every second is raw, of the other every second is for testing;
    neither have labels.
    """
    lists: dict[str, list[str]] = {name: [] for name in LISTS}
    for drive in drives:
        number = drive.index if drive.first_split else drive.index - drive.count + drive.count // 2
        halves = ("train", "raw_small") if drive.first_split else ("val", "test")
        lists[halves[number % 2]].append(f"{drive.index:06d}")
        _write_sequence(root / "data" / f"{drive.index:06d}", drive, number % 2 == 0, pictures)
    (root / "ImageSets").mkdir(parents=True)
    for name, sequences in lists.items():
        text = "".join(f"{sequence}\n" for sequence in sequences)
        (root / "ImageSets" / f"{name}.txt").write_text(text, encoding="utf-8")


def _stamps_ms(drive: Drive) -> Ints:
    """Return the frames' stamps after the first; every second drive has a gap of 2 s."""
    frames = np.arange(1 + int(1000 * drive.duration_s) // _FRAME_MS)
    late_ms = np.cumsum(drive.rng.integers(-1, 2, len(frames))) + 5
    from_frame = int(0.7 * len(frames))
    lost: Bools = (frames >= from_frame) & (frames < from_frame + 3) & (drive.index % 2 == 1)
    kept: Ints = (_FRAME_MS * frames + late_ms)[~lost]
    return kept


def _write_sequence(folder: Path, drive: Drive, labelled: bool, pictures: Pictures) -> None:
    """Write a sequence's JSON file and images."""
    stamps_ms = _stamps_ms(drive)
    t_s = stamps_ms / 1000
    names = [str(_EPOCH_MS + 10**6 * drive.index + stamp) for stamp in stamps_ms.tolist()]
    poses = [world_SE3_ego @ EGO_SE3_LIDAR for world_SE3_ego in drive.world.world_SE3_egos(t_s)]
    frames = [
        {"sequence_id": folder.name, "frame_id": name, "pose": pose}
        for name, pose in zip(names, _pose_rows(drive, poses), strict=True)
    ]
    if labelled:
        for frame, annos in zip(frames, _annos(drive, t_s, poses), strict=True):
            frame |= annos
    content = {
        "meta_info": {"weather": "sunny", "period": "morning", "image_size": _SIZE_PX},
        "calib": {name: _calibration(name) for name in _CAMERAS},
        "frames": frames,
    }
    write_json(folder / f"{folder.name}.json", content)
    for name in _CAMERAS:
        lens, ego_SE3_camera = _camera(name)
        film = drive.studio.film(lens, ego_SE3_camera, t_s)
        pictures.save_all([folder / name / f"{frame_id}.jpg" for frame_id in names], film)
    (folder / "cam03" / f"{names[1]}.jpg").unlink()


def _pose_rows(drive: Drive, poses: list[SE3]) -> list[list[float]]:
    """Return qx, qy, qz, qw, x, y, z from each lidar frame to the first."""
    first_SE3_world = poses[0].inverse()
    rows = []
    for pose in poses:
        first_SE3_lidar = first_SE3_world @ pose
        quat_xyzw = Rotation.from_matrix(first_SE3_lidar.rotation).as_quat(canonical=True)
        rows.append([*quat_xyzw.tolist(), *first_SE3_lidar.translation_m.tolist()])
    if drive.index % 2 == 0:
        rows[int(0.8 * len(rows))] = [0.0] * 7
    return rows


def _annos(drive: Drive, t_s: Floats, poses: list[SE3]) -> Iterable[dict[str, Any]]:
    """Yield the labels of two frames of three; nothing for the third."""
    boxes, houses_m = drive.world.boxes(t_s), drive.studio.scenery.houses_m
    for frame, world_SE3_lidar in zip(count(), poses, strict=False):
        if frame % 3 == 2:
            yield {}
            continue
        sensed = sense(boxes, frame, world_SE3_lidar.translation_m, houses_m)
        body = sensed.body[sensed.points > 0]
        lidar_SE3_world = world_SE3_lidar.inverse()
        turned = lidar_SE3_world.rotation @ axes(boxes.yaw_rad[frame, body])
        yaw_rad = np.arctan2(turned[:, 1, 0], turned[:, 0, 0])
        center_m = lidar_SE3_world.transform(boxes.centre_m[frame, body])
        rows = np.column_stack([center_m, boxes.size_m[body], yaw_rad]).round(6)
        names = [_NAMES[drive.world.bodies[column].shape] for column in body.tolist()]
        yield {"annos": {"names": names, "boxes_3d": rows.tolist()}}


def _camera(name: str) -> tuple[Lens, SE3]:
    """Return a camera's lens and ``ego_SE3_camera``."""
    yaw_deg, position_m, focal_px = _CAMERAS[name]
    width, height = _SIZE_PX
    intrinsics = np.array([[focal_px, 0, width / 2 + 2], [0, focal_px, height / 2 - 3], [0, 0, 1]])
    return Lens(_SIZE_PX, intrinsics), SE3(camera_axes(yaw_deg, 0.3, 0.1), np.array(position_m))


def _calibration(name: str) -> dict[str, Any]:
    lens, ego_SE3_camera = _camera(name)
    lidar_SE3_camera = EGO_SE3_LIDAR.inverse() @ ego_SE3_camera
    top = np.column_stack([lidar_SE3_camera.rotation, lidar_SE3_camera.translation_m])
    return {
        "cam_to_velo": [*top.tolist(), [0.0, 0.0, 0.0, 1.0]],
        "cam_intrinsic": lens.intrinsics_px.tolist(),
        "distortion": [0.0] * 8,
    }
