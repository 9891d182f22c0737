"""Write drives as Argoverse 2 sensor logs: a pose for every stamp, boxes in the ego frame.

Each log lacks one image of one camera.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import feather
from scipy.spatial.transform import Rotation

from impromptu.arrays import Floats, Ints
from impromptu.geometry import SE3
from impromptu.miniature import argoverse2_map
from impromptu.miniature.canvas import Lens
from impromptu.miniature.files import Drive, Pictures, camera_axes, moved, quat_wxyz, token
from impromptu.miniature.sensing import ground_points_m, sense
from impromptu.miniature.world import Shape, axes

CITY_SE3_WORLD = SE3(Rotation.from_euler("z", -1.05).as_matrix(), np.array([4810.0, 2330.0, 62.0]))
_GROUND_SE3_EGO = SE3(np.eye(3), np.array([0.0, 0.0, 0.33]))
"""This dataset's ego frame lies at the middle of the rear axle, a wheel's radius up."""

_EPOCH_NS = 315_960_000_000_000_000
_FRAME_NS = 50_000_000
_LIDAR_LAG_NS = 9_800_000
LOST_CAMERA = "ring_side_left"
"""Its second picture is missing."""
_PICTURE_EVERY = 10
"""Cameras expose at 20 Hz, and each exposure has a pose; only pictures at 2 Hz are kept."""

# Camera: yaw (degrees), position (m), focal length (px), width and height (px), lag (ns). The front
# one is the last of the ring, so that no kept exposure is later than the front's.
_CAMERAS: dict[str, tuple[float, tuple[float, float, float], float, tuple[int, int], int]] = {
    "ring_front_center": (0.1, (1.63, 0.0, 1.40), 275.0, (242, 320), 0),
    "ring_front_left": (44.8, (1.55, 0.20, 1.39), 264.0, (320, 242), -5_000_000),
    "ring_front_right": (-45.1, (1.55, -0.20, 1.40), 264.0, (320, 242), -2_500_000),
    "ring_rear_left": (153.0, (1.09, 0.13, 1.42), 263.0, (320, 242), -14_000_000),
    "ring_rear_right": (-153.2, (1.10, -0.13, 1.41), 264.0, (320, 242), -13_999_999),
    "ring_side_left": (99.3, (1.31, 0.28, 1.41), 264.0, (320, 242), -12_500_000),
    "ring_side_right": (-99.1, (1.31, -0.28, 1.40), 263.0, (320, 242), -9_000_000),
    "stereo_front_left": (0.0, (1.63, 0.25, 1.19), 264.0, (320, 242), 12_000_000),
    "stereo_front_right": (0.1, (1.63, -0.25, 1.19), 264.0, (320, 242), 24_000_000),
}
_LIDARS = {
    "up_lidar": SE3(np.eye(3), np.array([1.35, 0.0, 1.64])),
    "down_lidar": SE3(
        Rotation.from_euler("x", 180, degrees=True).as_matrix(), np.array([1.35, 0.0, 1.53])
    ),
}
_CATEGORIES: dict[Shape, str] = {
    "car": "REGULAR_VEHICLE",
    "van": "LARGE_VEHICLE",
    "truck": "BOX_TRUCK",
    "bus": "BUS",
    "pedestrian": "PEDESTRIAN",
    "cyclist": "BICYCLIST",
}
_Columns = Mapping[str, NDArray[np.generic] | list[str]]


def write(root: Path, drives: Iterable[Drive], pictures: Pictures) -> None:
    """Write a folder with a log for each drive."""
    for drive in drives:
        log = _uuid("argoverse2", drive.index, drive.count, drive.world.story)
        folder = root / ("train" if drive.first_split else "val") / log
        stamps = _stamps_ns(drive)
        _write_poses(folder, drive, stamps)
        _write_calibration(folder)
        _write_lidar_and_boxes(folder, drive, stamps["lidar"], pictures)
        _write_pictures(folder, drive, stamps, pictures)
        argoverse2_map.write(folder / "map", log, CITY_SE3_WORLD)


def _uuid(*parts: object) -> str:
    """Return a name in the form of a UUID."""
    digits = token(*parts)
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _start_ns(drive: Drive) -> int:
    """Return the stamp of a drive's time zero."""
    return _EPOCH_NS + drive.index * 100_000_000_000 + 3


def _seconds(drive: Drive, stamps_ns: Ints) -> Floats:
    """Return times of a drive's world."""
    seconds: Floats = (stamps_ns - _start_ns(drive)) / 1e9
    return seconds


def _stamps_ns(drive: Drive) -> dict[str, Ints]:
    """Return each camera's and the lidar's stamps; no two are the same, but some are 1 ns apart."""
    frames = np.arange(1, int((drive.duration_s - 0.05) / 0.05))
    beat = _start_ns(drive) + frames * _FRAME_NS + drive.rng.integers(-40_000, 40_001, len(frames))
    stamps: dict[str, Ints] = {name: beat + lag for name, (*_, lag) in _CAMERAS.items()}
    stamps["lidar"] = (beat + _LIDAR_LAG_NS)[::2]
    return stamps


def _write(path: Path, columns: _Columns) -> None:
    """Write one feather file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_feather(columns))


def _feather(columns: _Columns) -> bytes:
    """Return a feather file."""
    sink = pa.BufferOutputStream()
    feather.write_feather(pa.table(dict(columns)), sink)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _pose_columns(rotations: Floats, positions_m: Floats) -> dict[str, NDArray[np.generic]]:
    """Return the seven columns of (n, 3, 3) rotations and (n, 3) positions."""
    values = np.column_stack([quat_wxyz(rotations), positions_m])
    return dict(zip(("qw", "qx", "qy", "qz", "tx_m", "ty_m", "tz_m"), values.T, strict=True))


def _write_poses(folder: Path, drive: Drive, stamps: Mapping[str, Ints]) -> None:
    """Write a pose for each stamp of each sensor."""
    all_ns = np.unique(np.concatenate(list(stamps.values())))
    rotations, positions = drive.world.ego_poses(_seconds(drive, all_ns))
    positions = positions + rotations @ _GROUND_SE3_EGO.translation_m
    poses = _pose_columns(*moved(CITY_SE3_WORLD, rotations, positions))
    _write(folder / "city_SE3_egovehicle.feather", {"timestamp_ns": all_ns, **poses})


def _camera(name: str) -> tuple[Lens, SE3]:
    """Return a camera's lens and ``ego_SE3_camera``."""
    yaw_deg, position_m, focal_px, (width, height), _ = _CAMERAS[name]
    intrinsics = np.array(
        [[focal_px, 0.0, width / 2 + 1.5], [0.0, focal_px, height / 2 - 1.0], [0.0, 0.0, 1.0]]
    )
    ego_SE3_camera = SE3(camera_axes(yaw_deg, 0.3, -0.1), np.array(position_m))
    return Lens((width, height), intrinsics), ego_SE3_camera


def _write_calibration(folder: Path) -> None:
    """Write where the sensors are, and the cameras' lenses, which do not distort."""
    lenses, poses = zip(*(_camera(name) for name in _CAMERAS), strict=True)
    mounted = [*poses, *_LIDARS.values()]
    rotations = np.stack([pose.rotation for pose in mounted])
    positions = np.stack([pose.translation_m for pose in mounted])
    names = {"sensor_name": [*_CAMERAS, *_LIDARS]}
    calibration = folder / "calibration"
    _write(
        calibration / "egovehicle_SE3_sensor.feather",
        {**names, **_pose_columns(rotations, positions)},
    )
    k = np.stack([lens.intrinsics_px for lens in lenses])
    width, height = np.array([lens.size_px for lens in lenses], dtype=np.uint16).T
    lens_columns = {
        "sensor_name": list(_CAMERAS),
        **{"fx_px": k[:, 0, 0], "fy_px": k[:, 1, 1], "cx_px": k[:, 0, 2], "cy_px": k[:, 1, 2]},
        **{name: np.zeros(len(k)) for name in ("k1", "k2", "k3")},
        **{"height_px": height, "width_px": width},
    }
    _write(calibration / "intrinsics.feather", lens_columns)


def _write_lidar_and_boxes(folder: Path, drive: Drive, stamps_ns: Ints, pictures: Pictures) -> None:
    """Write lidar sweeps at 10 Hz, and the boxes around the ego at their stamps."""
    t_s = _seconds(drive, stamps_ns)
    boxes, parts = drive.world.boxes(t_s), []
    names = np.array([_CATEGORIES[body.shape] for body in drive.world.bodies])
    uuids = np.array([_uuid(folder.name, column) for column in range(len(names))])
    poses = drive.world.world_SE3_egos(t_s)
    for i, stamp in enumerate(stamps_ns.tolist()):
        world_SE3_ego = poses[i] @ _GROUND_SE3_EGO
        eye_m = world_SE3_ego.transform(_LIDARS["up_lidar"].translation_m)
        sensed = sense(boxes, i, eye_m, drive.studio.scenery.houses_m)
        ego_SE3_world, body = world_SE3_ego.inverse(), sensed.body
        rotations = ego_SE3_world.rotation @ axes(boxes.yaw_rad[i, body])
        positions = ego_SE3_world.transform(boxes.centre_m[i, body])
        parts.append(
            {
                "timestamp_ns": np.full(len(body), stamp),
                "track_uuid": uuids[body],
                "category": names[body],
                **dict(zip(("length_m", "width_m", "height_m"), boxes.size_m[body].T, strict=True)),
                **_pose_columns(rotations, positions),
                "num_interior_pts": sensed.points,
            }
        )
        points_m = np.concatenate([sensed.points_m, ground_points_m(eye_m)])
        sweep = folder / "sensors" / "lidar" / f"{stamp}.feather"
        pictures.write(sweep, _feather(_sweep(ego_SE3_world.transform(points_m))))
    whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    _write(folder / "annotations.feather", whole)


def _sweep(points_m: Floats) -> _Columns:
    """Return the columns of a lidar sweep in the ego frame."""
    count = len(points_m)
    return {
        **dict(zip("xyz", points_m.astype(np.float16).T, strict=True)),
        "intensity": np.full(count, 20, dtype=np.uint8),
        "laser_number": np.arange(count, dtype=np.uint8) % 64,
        "offset_ns": np.zeros(count, dtype=np.int32),
    }


def _write_pictures(
    folder: Path, drive: Drive, stamps: Mapping[str, Ints], pictures: Pictures
) -> None:
    """Draw the ring cameras' kept exposures."""
    for name in _CAMERAS:
        if not name.startswith("ring"):
            continue
        kept_ns = stamps[name][::_PICTURE_EVERY]
        lens, ego_SE3_camera = _camera(name)
        film = drive.studio.film(lens, _GROUND_SE3_EGO @ ego_SE3_camera, _seconds(drive, kept_ns))
        place = folder / "sensors" / "cameras" / name
        pictures.save_all([place / f"{stamp}.jpg" for stamp in kept_ns.tolist()], film)
        if name == LOST_CAMERA:
            (place / f"{kept_ns[1]}.jpg").unlink()
