"""Write drives as nuScenes does: linked tables, key frames, lidar sweeps and CAN bus."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from scipy.spatial.transform import Rotation

from impromptu.arrays import Floats, Ints
from impromptu.files import write_json
from impromptu.geometry import SE3
from impromptu.miniature import road
from impromptu.miniature.files import Pictures, Rows, camera_axes, moved, quat_wxyz, token
from impromptu.miniature.render import Lens, Studio
from impromptu.miniature.sensing import Sensed, ground_points_m, sense
from impromptu.miniature.world import GRAVITY_MPS2, Boxes, Shape, World, axes

VERSION = "v1.0-mini"
TABLES = (
    "attribute",
    "calibrated_sensor",
    "category",
    "ego_pose",
    "instance",
    "log",
    "map",
    "sample",
    "sample_annotation",
    "sample_data",
    "scene",
    "sensor",
    "visibility",
)

_YAW_RAD, _CENTRE_M = 0.42, 360.0
"""The world's turn and place in the global frame, which holds positive coordinates only."""
_SIZE_PX = (400, 225)
_EPOCH_US = 1_600_000_000_000_000
_SWEEP_S = 0.1
_EGO_SE3_LIDAR = SE3(
    Rotation.from_euler("ZYX", [-90.3, 0.4, -0.3], degrees=True).as_matrix(),
    np.array([0.94, 0.0, 1.84]),
)
"""Lidar axes: x right, y ahead, z up."""

# Channel: yaw, pitch and roll (degrees), position (m), focal length (px), lag behind the lidar (us).
_CAMERAS: dict[str, tuple[float, float, float, tuple[float, float, float], float, int]] = {
    "CAM_FRONT": (0.3, 0.4, -0.2, (1.70, 0.01, 1.51), 316.0, -35_500),
    "CAM_FRONT_RIGHT": (-55.4, 0.2, 0.3, (1.55, -0.49, 1.50), 315.0, -27_400),
    "CAM_FRONT_LEFT": (54.8, 0.5, 0.1, (1.53, 0.49, 1.51), 317.0, -43_200),
    "CAM_BACK": (179.6, 0.3, 0.2, (0.03, 0.0, 1.57), 202.0, -10_300),
    "CAM_BACK_LEFT": (109.2, 0.6, -0.3, (1.04, 0.48, 1.58), 314.0, -600),
    "CAM_BACK_RIGHT": (-110.3, 0.4, 0.2, (1.02, -0.48, 1.56), 315.0, -20_000),
}

_CATEGORIES: dict[Shape, str] = {
    "car": "vehicle.car",
    "van": "vehicle.car",
    "truck": "vehicle.truck",
    "bus": "vehicle.bus.rigid",
    "pedestrian": "human.pedestrian.adult",
    "cyclist": "vehicle.bicycle",
}
_ATTRIBUTES = (
    "vehicle.moving",
    "vehicle.stopped",
    "vehicle.parked",
    "cycle.with_rider",
    "cycle.without_rider",
    "pedestrian.sitting_lying_down",
    "pedestrian.standing",
    "pedestrian.moving",
)
_VISIBILITIES = ("v0-40", "v40-60", "v60-80", "v80-100")


_GLOBAL_SE3_WORLD = SE3(
    Rotation.from_euler("z", _YAW_RAD).as_matrix(), np.array([_CENTRE_M, _CENTRE_M, 0.0])
)


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """One drive to be written.

    Attributes:
        name: ``scene-0001``.
        start_us: Stamp of its world's time zero.
        lidar_us: (n,) stamps of lidar sweeps.
        is_key: (n,) which of them are key frames.
    """

    name: str
    start_us: int
    studio: Studio
    lidar_us: Ints
    is_key: Bools

    @property
    def world(self) -> World:
        """Its world."""
        return self.studio.world

    @property
    def log(self) -> str:
        """Name of its log file."""
        return f"n999-{self.name}"

    def token(self, *parts: object) -> str:
        """Return a token for a row of this scene."""
        return token("nuscenes", self.name, self.start_us, *parts)

    def seconds(self, stamps_us: Ints) -> Floats:
        """Return times of its world."""
        seconds: Floats = (stamps_us - self.start_us) / 1e6
        return seconds

    def ego_poses(self, stamps_us: Ints) -> tuple[Floats, Floats]:
        """Return (n, 3, 3) rotations and (n, 3) positions of the ego in the global frame."""
        return moved(_GLOBAL_SE3_WORLD, *self.world.ego_poses(self.seconds(stamps_us)))


def _scene(name: str, index: int, studio: Studio, duration_s: float, rng: Generator) -> Scene:
    """Set the stamps of one scene: key frames 0.45 to 0.55 s apart, sweeps between them."""
    steps_s = rng.choice((0.45, 0.5, 0.5, 0.55), int(duration_s / 0.45)) + rng.uniform(
        -2e-3, 2e-3, int(duration_s / 0.45)
    )
    keys_s = 0.1 + np.concatenate([[0.0], np.cumsum(steps_s)])
    keys_s = keys_s[keys_s <= duration_s]
    between = np.linspace(keys_s[:-1], keys_s[1:], _SWEEPS + 1)[:-1].T.ravel()
    times_s = np.append(between, keys_s[-1])
    start_us = _EPOCH_US + index * 60_000_000
    stamps_us = start_us + np.round(times_s * 1e6).astype(np.int64)
    return Scene(name, start_us, studio, stamps_us, np.arange(len(stamps_us)) % _SWEEPS == 0)


def write(root: Path, studios: Sequence[Studio], rng: Generator, duration_s: float, pictures: Pictures) -> None:
    """Write a folder that holds one scene for each studio."""
    tables = {name: Rows(root / VERSION / f"{name}.json") for name in TABLES}
    _add_fixed(tables)
    names = scene_names(len(studios))
    scenes = []
    for index, (name, studio) in enumerate(zip(names, studios, strict=True)):
        scene = _scene(name, index, studio, duration_s, rng)
        _add_scene(tables, scene)
        _add_samples(tables, scene)
        _add_camera_data(tables, scene, root, pictures)
        sensed = _add_lidar_data(tables, scene, root, pictures)
        _add_annotations(tables, scene, sensed)
        _write_can_bus(root / "can_bus", scene, duration_s, rng)
        scenes.append(scene.token("log"))
    _add_map(tables, root, scenes)
    for table in tables.values():
        table.close()


def scene_names(count: int) -> list[str]:
    """Return official scene names, half of them validation scenes (150 at most)."""
    val = [f"scene-{number:04d}" for number in _VAL[: count // 2]]
    train = [f"scene-{number:04d}" for number in _TRAIN[: count - len(val)]]
    if len(val) + len(train) < count:
        raise ValueError(f"nuscenes: expected at most {len(_VAL) + len(_TRAIN)} logs, got {count}")
    return train + val


def _add_fixed(tables: Mapping[str, Rows]) -> None:
    """Fill the tables that are the same for all drives."""
    for table, names in (("category", sorted(set(_CATEGORIES.values()))), ("attribute", _ATTRIBUTES)):
        tables[table].add(
            {"token": token(table, name), "name": name, "description": name.replace(".", " ")}
            for name in names
        )
    tables["visibility"].add(
        {"description": f"share of the object that is visible, {level[1:]} %", "token": str(i), "level": level}
        for i, level in enumerate(_VISIBILITIES, start=1)
    )
    tables["sensor"].add(
        {
            "token": token("sensor", channel),
            "channel": channel,
            "modality": "lidar" if channel == "LIDAR_TOP" else "camera",
        }
        for channel in (*_CAMERAS, "LIDAR_TOP")
    )


def _add_scene(tables: Mapping[str, Rows], scene: Scene) -> None:
    """Add the scene, its log and its sensors' calibration."""
    keys = scene.lidar_us[scene.is_key]
    tables["log"].add([{
        "token": scene.token("log"),
        "logfile": scene.log,
        "vehicle": "n999",
        "date_captured": "2020-09-13",
        "location": "boston-seaport",
    }])
    tables["scene"].add([{
        "token": scene.token("scene"),
        "log_token": scene.token("log"),
        "nbr_samples": len(keys),
        "first_sample_token": scene.token("sample", 0),
        "last_sample_token": scene.token("sample", len(keys) - 1),
        "name": scene.name,
        "description": f"Made up: {scene.world.story}",
    }])
    tables["calibrated_sensor"].add(
        {
            "token": scene.token("calibration", channel),
            "sensor_token": token("sensor", channel),
            "translation": mounting.translation_m.tolist(),
            "rotation": quat_wxyz(mounting.rotation).tolist(),
            "camera_intrinsic": intrinsics,
        }
        for channel, mounting, intrinsics in _mountings()
    )


def _camera(channel: str) -> tuple[Lens, SE3]:
    """Return a camera's lens and ``ego_SE3_camera``."""
    yaw, pitch, roll, position_m, focal_px, _ = _CAMERAS[channel]
    width, height = _SIZE_PX
    intrinsics = np.array([[focal_px, 0, width / 2 + 3], [0, focal_px, height / 2 + 8], [0, 0, 1]])
    return Lens(_SIZE_PX, intrinsics), SE3(camera_axes(yaw, pitch, roll), np.array(position_m))


def _mountings() -> Iterator[tuple[str, SE3, list[list[float]]]]:
    """Yield each sensor's channel, ``ego_SE3_sensor`` and intrinsics."""
    yield "LIDAR_TOP", _EGO_SE3_LIDAR, []
    for channel in _CAMERAS:
        lens, ego_SE3_camera = _camera(channel)
        yield channel, ego_SE3_camera, lens.intrinsics_px.tolist()


def _add_samples(tables: Mapping[str, Rows], scene: Scene) -> None:
    """Add the key frames; a sample's stamp is its lidar sweep's."""
    keys = scene.lidar_us[scene.is_key].tolist()
    tables["sample"].add(
        {
            "token": scene.token("sample", i),
            "timestamp": stamp,
            **_neighbours([scene.token("sample", k) for k in range(len(keys))], i),
            "scene_token": scene.token("scene"),
        }
        for i, stamp in enumerate(keys)
    )


def _neighbours(tokens: Sequence[str], i: int) -> dict[str, str]:
    """Return the links to the row before and the row after."""
    return {
        "prev": tokens[i - 1] if i else "",
        "next": tokens[i + 1] if i + 1 < len(tokens) else "",
    }


def _add_data(
    tables: Mapping[str, Rows],
    scene: Scene,
    channel: str,
    stamps_us: Ints,
    is_key: Bools,
    samples: Ints,
    shape: Mapping[str, object],
) -> list[str]:
    """Add one channel's files with their ego poses; return the file names."""
    tokens = [scene.token(channel, stamp) for stamp in stamps_us.tolist()]
    suffix = "jpg" if shape["fileformat"] == "jpg" else "pcd.bin"
    names = [
        f"{'samples' if key else 'sweeps'}/{channel}/{scene.log}__{channel}__{stamp}.{suffix}"
        for key, stamp in zip(is_key.tolist(), stamps_us.tolist(), strict=True)
    ]
    rotations, positions = scene.ego_poses(stamps_us)
    tables["ego_pose"].add(
        {"token": tokens[i], "timestamp": stamp, "rotation": quat, "translation": xyz}
        for i, (stamp, quat, xyz) in enumerate(
            zip(stamps_us.tolist(), quat_wxyz(rotations).tolist(), positions.tolist(), strict=True)
        )
    )
    tables["sample_data"].add(
        {
            "token": tokens[i],
            "sample_token": scene.token("sample", int(samples[i])),
            "ego_pose_token": tokens[i],
            "calibrated_sensor_token": scene.token("calibration", channel),
            "timestamp": int(stamps_us[i]),
            **shape,
            "is_key_frame": bool(is_key[i]),
            "filename": name,
            **_neighbours(tokens, i),
        }
        for i, name in enumerate(names)
    )
    return names


def _add_camera_data(tables: Mapping[str, Rows], scene: Scene, root: Path, pictures: Pictures) -> None:
    """Add and draw the key frames' pictures, each at its own exposure."""
    keys = scene.lidar_us[scene.is_key]
    width, height = _SIZE_PX
    shape = {"fileformat": "jpg", "height": height, "width": width}
    everything = np.ones(len(keys), dtype=bool)
    for channel, (*_, lag_us) in _CAMERAS.items():
        stamps_us, (lens, ego_SE3_camera) = keys + lag_us, _camera(channel)
        names = _add_data(tables, scene, channel, stamps_us, everything, np.arange(len(keys)), shape)
        film = scene.studio.film(lens, ego_SE3_camera, scene.seconds(stamps_us))
        for i, name in enumerate(names):
            pictures.save(root / name, lambda i=i: film(i))


def _add_lidar_data(tables: Mapping[str, Rows], scene: Scene, root: Path, pictures: Pictures) -> list[Sensed]:
    """Add and write the lidar sweeps; return what was sensed in the key frames."""
    samples = np.minimum((np.arange(len(scene.lidar_us)) + _SWEEPS // 2) // _SWEEPS, scene.is_key.sum() - 1)
    shape = {"fileformat": "pcd", "height": 0, "width": 0}
    names = _add_data(tables, scene, "LIDAR_TOP", scene.lidar_us, scene.is_key, samples, shape)
    t_s = scene.seconds(scene.lidar_us)
    boxes = scene.world.boxes(t_s)
    sensed = []
    for i, name in enumerate(names):
        world_SE3_lidar = scene.world.ego_pose(t_s[i]) @ _EGO_SE3_LIDAR
        look = lambda i=i, pose=world_SE3_lidar: sense(boxes, i, pose.translation_m, scene.studio.scenery.houses_m)
        if scene.is_key[i]:
            sensed.append(look())
            look = lambda: sensed[-1]
        pictures.write(root / name, lambda: _write_points(root / name, look(), world_SE3_lidar))
    return sensed


def _write_points(path: Path, sensed: Sensed, world_SE3_lidar: SE3) -> None:
    """Write one sweep: x, y, z, intensity, ring as float32."""
    points_m = np.concatenate([sensed.points_m, ground_points_m(world_SE3_lidar.translation_m)])
    columns = np.zeros((len(points_m), 5), dtype="<f4")
    columns[:, :3] = world_SE3_lidar.inverse().transform(points_m)
    columns[: len(sensed.points_m), 3] = 20.0
    path.write_bytes(columns.tobytes())


def _attribute(scene: Scene, column: int, speed_mps: float) -> str:
    """Return what an annotator would say a body does."""
    body = scene.world.bodies[column]
    if body.shape == "cyclist":
        return "cycle.with_rider"
    if body.shape == "pedestrian":
        return "pedestrian.moving" if speed_mps > 0.2 else "pedestrian.standing"
    if body.parked:
        return "vehicle.parked"
    return "vehicle.moving" if speed_mps > 0.2 else "vehicle.stopped"


def _add_annotations(tables: Mapping[str, Rows], scene: Scene, sensed: Sequence[Sensed]) -> None:
    """Add a box for each body in range of each key frame, linked along each body's life."""
    boxes = scene.world.boxes(scene.seconds(scene.lidar_us[scene.is_key]))
    lives: dict[int, list[tuple[int, int]]] = {}
    for frame, seen in enumerate(sensed):
        for place, column in enumerate(seen.body.tolist()):
            lives.setdefault(column, []).append((frame, place))
    for column, life in sorted(lives.items()):
        tokens = [scene.token("annotation", column, frame) for frame, _ in life]
        tables["instance"].add([{
            "token": scene.token("instance", column),
            "category_token": token("category", _CATEGORIES[scene.world.bodies[column].shape]),
            "nbr_annotations": len(life),
            "first_annotation_token": tokens[0],
            "last_annotation_token": tokens[-1],
        }])
        tables["sample_annotation"].add(
            {
                "token": tokens[i],
                **_annotation(scene, boxes, frame, column),
                **_seen(sensed[frame], place),
                **_neighbours(tokens, i),
            }
            for i, (frame, place) in enumerate(life)
        )


def _annotation(scene: Scene, boxes: Boxes, frame: int, column: int) -> dict[str, Any]:
    """Return one box in the global frame; its size is width, length, height."""
    length, width, height = scene.world.bodies[column].size_m
    attribute = _attribute(scene, column, float(boxes.speed_mps[frame, column]))
    yaw = _GLOBAL_SE3_WORLD.rotation @ axes(boxes.yaw_rad[frame, column])
    return {
        "sample_token": scene.token("sample", frame),
        "instance_token": scene.token("instance", column),
        "attribute_tokens": [token("attribute", attribute)],
        "translation": _GLOBAL_SE3_WORLD.transform(boxes.centre_m[frame, column]).tolist(),
        "size": [width, length, height],
        "rotation": quat_wxyz(yaw).tolist(),
    }


def _seen(sensed: Sensed, place: int) -> dict[str, Any]:
    """Return how well one body was seen."""
    level = int(np.searchsorted((0.4, 0.6, 0.8), sensed.fraction[place], side="right")) + 1
    return {
        "visibility_token": str(level),
        "num_lidar_pts": int(sensed.points[place]),
        "num_radar_pts": 0,
    }


def _add_map(tables: Mapping[str, Rows], root: Path, logs: Sequence[str]) -> None:
    """Add the one map, and draw it: ten pixels a metre, streets white."""
    name = token("nuscenes", "map")
    tables["map"].add([{
        "category": "semantic_prior",
        "token": name,
        "filename": f"maps/{name}.png",
        "log_tokens": list(logs),
    }])
    side_px = round(20 * _CENTRE_M)
    picture = Image.new("L", (side_px, side_px))
    for corners in road.drivable_m():
        points = _GLOBAL_SE3_WORLD.transform(np.column_stack([corners, np.zeros(len(corners))]))
        pixels = 10 * points[:, :2] * [1, -1] + [0, side_px]
        ImageDraw.Draw(picture).polygon(pixels.ravel().tolist(), fill=255)
    (root / "maps").mkdir()
    picture.save(root / "maps" / f"{name}.png")


def _write_can_bus(folder: Path, scene: Scene, duration_s: float, rng: Generator) -> None:
    """Write poses at about 50 Hz, the steering wheel at 100 Hz, the dashboard at 2 Hz."""
    stamps_us = _ticks_us(scene, duration_s, 0.02, rng)
    t_s = scene.seconds(stamps_us)
    world_R_ego, _ = scene.world.ego_poses(t_s)
    velocity, acceleration, rate = (
        np.einsum("nji,nj->ni", world_R_ego, vector)
        for vector in _with_gravity(scene.world.ego_kinematics(t_s))
    )
    rotations, positions = scene.ego_poses(stamps_us)
    pose = Rows(folder / f"{scene.name}_pose.json")
    columns = (acceleration, quat_wxyz(rotations), positions, rate)
    for accel, quat, xyz, turning, utime, speed in zip(
        *(column.tolist() for column in (*columns, stamps_us, velocity)), strict=True
    ):
        pose.add([{
            "accel": accel,
            "orientation": quat,
            "pos": xyz,
            "rotation_rate": turning,
            "utime": utime,
            "vel": speed,
        }])
    pose.close()
    _write_steering(folder, scene, duration_s, rng)
    _write_dashboard(folder, scene, duration_s, rng)
