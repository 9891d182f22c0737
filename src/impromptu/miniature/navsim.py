"""Write drives as navsim (OpenScene) logs: pickles of frames at 2 Hz, and images of eight cameras.

Every second drive lacks two frames, as frames without all images were left out; in the others a
frame's pose is lost (a zero quaternion); and everywhere an image is missing that the log names.
"""

import pickle  # noqa: S403 - written, not read
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from impromptu.arrays import Floats, Ints
from impromptu.geometry import SE3, wrap_rad
from impromptu.miniature.canvas import Lens
from impromptu.miniature.files import Drive, Pictures, camera_axes, moved, quat_wxyz, token
from impromptu.miniature.sensing import sense
from impromptu.miniature.world import Boxes, Shape, axes

GLOBAL_SE3_WORLD = SE3(
    Rotation.from_euler("z", 0.9).as_matrix(), np.array([587_700.0, 4_476_000.0, 605.0])
)
_EGO_SE3_LIDAR = SE3(
    Rotation.from_euler("z", 0.4, degrees=True).as_matrix(), np.array([1.0, 0.0, 1.8])
)
_EPOCH_US = 1_622_700_000_000_000
_FRAME_S = 0.5
_SIZE_PX = 320, 180
LOST_POSE = 0.8
"""How far into a drive a pose is lost."""
_TURN_RAD, _LOOK_AHEAD_S = 0.35, 4.0
"""A command tells of a turn that comes within so long."""
# Camera: yaw (degrees), position (m) in the ego frame.
_CAMERAS: dict[str, tuple[float, tuple[float, float, float]]] = {
    "CAM_F0": (0.2, (1.65, 0.0, 1.52)),
    "CAM_B0": (179.9, (-0.45, 0.0, 1.60)),
    "CAM_L0": (55.2, (1.60, 0.12, 1.51)),
    "CAM_L1": (109.8, (1.30, 0.30, 1.50)),
    "CAM_L2": (144.6, (0.10, 0.35, 1.55)),
    "CAM_R0": (-54.9, (1.60, -0.12, 1.51)),
    "CAM_R1": (-110.1, (1.30, -0.30, 1.50)),
    "CAM_R2": (-145.0, (0.10, -0.35, 1.55)),
}
_FOCAL_PX = 258.0
_NAMES: dict[Shape, str] = {
    **dict.fromkeys(("car", "van", "truck", "bus"), "vehicle"),
    "pedestrian": "pedestrian",
    "cyclist": "bicycle",
}


def write(root: Path, drives: Iterable[Drive], pictures: Pictures) -> None:
    """Write a log for each drive: its pickle, and a folder of images."""
    for drive in drives:
        split = "trainval" if drive.first_split else "test"
        name = (
            f"2021.06.{drive.index // 24 + 1:02d}.{drive.index % 24:02d}.00.00_veh-35_00000_00600"
        )
        t_s = _instants_s(drive)
        frames = _frames(drive, name, t_s)
        path = root / "navsim_logs" / split / f"{name}.pkl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pickle.dumps(frames, protocol=4))
        blobs = root / "sensor_blobs" / split
        for camera in _CAMERAS:
            film = drive.studio.film(_LENS, _ego_SE3_camera(camera), t_s)
            images = [blobs / frame["cams"][camera]["data_path"] for frame in frames]
            pictures.save_all(images, film)
        (blobs / frames[1]["cams"]["CAM_L1"]["data_path"]).unlink()


def _instants_s(drive: Drive) -> Floats:
    """Return the frames' times, to the microsecond."""
    frames = np.arange(1 + int(drive.duration_s / _FRAME_S))
    late_us = drive.rng.integers(-300, 301, len(frames))
    lost = np.isin(frames, int(0.75 * len(frames)) + np.arange(2)) & (drive.index % 2 == 1)
    t_s: Floats = (frames * _FRAME_S + 0.02 + late_us / 1e6)[~lost].round(6)
    return t_s


_LENS = Lens(_SIZE_PX, np.array([[_FOCAL_PX, 0.0, 161.0], [0.0, _FOCAL_PX, 88.0], [0, 0, 1.0]]))


def _ego_SE3_camera(camera: str) -> SE3:
    yaw_deg, position_m = _CAMERAS[camera]
    return SE3(camera_axes(yaw_deg, 0.4, -0.1), np.array(position_m))


def _matrix(pose: SE3) -> Floats:
    """Return the (4, 4) matrix of a pose."""
    top = np.column_stack([pose.rotation, pose.translation_m])
    return np.vstack([top, [0.0, 0.0, 0.0, 1.0]])


def _frames(drive: Drive, log: str, t_s: Floats) -> list[dict[str, Any]]:
    """Return a log's frames."""
    world = drive.world
    rotations, positions = moved(GLOBAL_SE3_WORLD, *world.ego_poses(t_s))
    quats, boxes, commands = quat_wxyz(rotations), world.boxes(t_s), _commands(drive, t_s)
    world_SE3_egos, turn = world.world_SE3_egos(t_s), GLOBAL_SE3_WORLD.rotation
    velocity, acceleration, rate = (
        np.einsum("nji,nj->ni", rotations, vectors @ turn.T)
        for vectors in world.ego_kinematics(t_s)
    )
    if drive.index % 2 == 0:
        quats[int(LOST_POSE * len(quats))] = 0.0
    tokens = [token("navsim", log, at)[:16] for at in range(len(t_s))]
    frames = []
    for at, (before, after) in enumerate(zip(["", *tokens[:-1]], [*tokens[1:], ""], strict=True)):
        pose = SE3(rotations[at], positions[at])
        frames.append(
            {
                "token": tokens[at],
                "frame_idx": at,
                "timestamp": _EPOCH_US + 10**9 * drive.index + round(1e6 * t_s[at]),
                "log_name": log,
                "log_token": token(log)[:16],
                "scene_name": f"log-{drive.index:04d}-scene-0000",
                "scene_token": token(log, "scene")[:16],
                "map_location": "us-nv-las-vegas-strip",
                "roadblock_ids": ["47112"],
                "vehicle_name": "veh-35",
                "sample_prev": before or None,
                "sample_next": after or None,
                "ego2global_translation": positions[at],
                "ego2global_rotation": quats[at],
                "ego_dynamic_state": [*velocity[at, :2], *acceleration[at, :2]],
                "ego2global": _matrix(pose),
                "lidar2ego": _matrix(_EGO_SE3_LIDAR),
                "lidar2global": _matrix(pose @ _EGO_SE3_LIDAR),
                "can_bus": np.concatenate(
                    [positions[at], quats[at], acceleration[at], velocity[at], rate[at], [0, 0]]
                ),
                "driving_command": commands[at],
                "traffic_lights": [(68_211, world.lights.colours(float(t_s[at]))[0] == "red")],
                "cams": {name: _camera_record(name, log, tokens[at]) for name in _CAMERAS},
                "anns": _anns(drive, log, boxes, at, world_SE3_egos[at]),
            }
        )
    return frames


def _commands(drive: Drive, t_s: Floats) -> Ints:
    """Return (n, 4) one-hot rows: left, forward, right, unknown; the last frame's is unknown."""
    now, later = (
        drive.world.ego.xy_heading(instants_s)[1] for instants_s in (t_s, t_s + _LOOK_AHEAD_S)
    )
    turned = wrap_rad(later - now)
    place = np.where(turned > _TURN_RAD, 0, np.where(turned < -_TURN_RAD, 2, 1))
    place[-1] = 3
    one_hot: Ints = np.eye(4, dtype=np.int64)[place]
    return one_hot


def _camera_record(camera: str, log: str, frame: str) -> dict[str, Any]:
    lidar_SE3_camera = _EGO_SE3_LIDAR.inverse() @ _ego_SE3_camera(camera)
    return {
        "data_path": f"{log}/{camera}/{token(frame, camera)[:16]}.jpg",
        "sensor2lidar_rotation": lidar_SE3_camera.rotation,
        "sensor2lidar_translation": lidar_SE3_camera.translation_m,
        "cam_intrinsic": _LENS.intrinsics_px,
        "distortion": np.zeros(5),
    }


def _anns(drive: Drive, log: str, boxes: Boxes, at: int, world_SE3_ego: SE3) -> dict[str, Any]:
    """Return the labels of one frame, in the lidar's frame."""
    world_SE3_lidar = world_SE3_ego @ _EGO_SE3_LIDAR
    eye_m, houses_m = world_SE3_lidar.translation_m, drive.studio.scenery.houses_m
    sensed, lidar_SE3_world = sense(boxes, at, eye_m, houses_m), world_SE3_lidar.inverse()
    body = sensed.body[sensed.points > 0]
    turned = lidar_SE3_world.rotation @ axes(boxes.yaw_rad[at, body])
    yaw_rad, speed_mps = np.arctan2(turned[:, 1, 0], turned[:, 0, 0]), boxes.speed_mps[at, body]
    center_m = lidar_SE3_world.transform(boxes.centre_m[at, body])
    names = [_NAMES[drive.world.bodies[column].shape] for column in body.tolist()]
    return {
        "gt_boxes": np.column_stack([center_m, boxes.size_m[body], yaw_rad]),
        "gt_names": np.array(names, dtype=np.str_),
        "gt_velocity_3d": turned[:, :, 0] * speed_mps[:, None],
        "instance_tokens": [token(log, at, column)[:16] for column in body.tolist()],
        "track_tokens": [token(log, column)[:16] for column in body.tolist()],
    }
