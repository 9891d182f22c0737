"""Names, sensors and stamps of the nuScenes miniature."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from impromptu.arrays import Bools, Floats, Ints
from impromptu.geometry import SE3
from impromptu.miniature.canvas import Lens
from impromptu.miniature.files import Drive, camera_axes, moved, token
from impromptu.miniature.render import Studio
from impromptu.miniature.world import Shape, World

GLOBAL_CENTRE_M = 360.0
GLOBAL_SE3_WORLD = SE3(
    Rotation.from_euler("z", 0.42).as_matrix(), np.array([GLOBAL_CENTRE_M, GLOBAL_CENTRE_M, 0.0])
)
"""nuScenes maps hold positive coordinates only."""

SIZE_PX = (400, 225)
SWEEPS = 5
"""Lidar sweeps from one key frame to the next."""

EGO_SE3_LIDAR = SE3(
    Rotation.from_euler("ZYX", [-90.3, 0.4, -0.3], degrees=True).as_matrix(),
    np.array([0.94, 0.0, 1.84]),
)
"""Lidar axes: x right, y ahead, z up."""

# Yaw, pitch and roll (degrees), position (m), focal length (px), stamp after the lidar's (us).
CAMERAS: dict[str, tuple[float, float, float, tuple[float, float, float], float, int]] = {
    "CAM_FRONT": (0.3, 0.4, -0.2, (1.70, 0.01, 1.51), 316.0, -35_500),
    "CAM_FRONT_RIGHT": (-55.4, 0.2, 0.3, (1.55, -0.49, 1.50), 315.0, -27_400),
    "CAM_FRONT_LEFT": (54.8, 0.5, 0.1, (1.53, 0.49, 1.51), 317.0, -43_200),
    "CAM_BACK": (179.6, 0.3, 0.2, (0.03, 0.0, 1.57), 202.0, -10_300),
    "CAM_BACK_LEFT": (109.2, 0.6, -0.3, (1.04, 0.48, 1.58), 314.0, -600),
    "CAM_BACK_RIGHT": (-110.3, 0.4, 0.2, (1.02, -0.48, 1.56), 315.0, -20_000),
}

CATEGORIES: dict[Shape, str] = {
    "car": "vehicle.car",
    "van": "vehicle.car",
    "truck": "vehicle.truck",
    "bus": "vehicle.bus.rigid",
    "pedestrian": "human.pedestrian.adult",
    "cyclist": "vehicle.bicycle",
}
ATTRIBUTES = (
    "vehicle.moving",
    "vehicle.stopped",
    "vehicle.parked",
    "cycle.with_rider",
    "cycle.without_rider",
    "pedestrian.sitting_lying_down",
    "pedestrian.standing",
    "pedestrian.moving",
)
VISIBILITIES = ("v0-40", "v40-60", "v60-80", "v80-100")

# Runs of scene numbers of the official training and validation lists that have a CAN bus.
_TRAIN = (
    *((1, 2), (4, 11), (19, 34), (41, 70), (224, 260), (283, 302), (347, 386), (410, 459)),
    *((525, 539), (582, 600), (639, 679), (703, 719), (882, 900), (994, 1025), (1074, 1102)),
)
_VAL = (
    *((3, 3), (12, 18), (35, 36), (38, 39), (92, 110), (268, 278), (329, 332), (344, 346)),
    *((519, 524), (552, 565), (625, 627), (629, 630), (632, 638), (770, 771), (777, 778)),
    *((780, 784), (794, 800), (904, 917), (919, 931), (966, 969), (1059, 1073)),
)
_EPOCH_US = 1_600_000_000_000_000


def scene_names(count: int) -> list[str]:
    """Return official scene names: training scenes, then as many of validation.

    Raises:
        ValueError: There are not so many.
    """
    train, val = (
        [number for first, last in runs for number in range(first, last + 1)]
        for runs in (_TRAIN, _VAL)
    )
    if count > len(train) + len(val):
        raise ValueError(f"nuscenes: expected at most {len(train) + len(val)} logs, got {count}")
    validation = min(count // 2, len(val))
    numbers = train[: count - validation] + val[:validation]
    return [f"scene-{number:04d}" for number in numbers]


def camera(channel: str) -> tuple[Lens, SE3]:
    """Return a camera's lens and ``ego_SE3_camera``."""
    yaw, pitch, roll, position_m, focal_px, _ = CAMERAS[channel]
    width, height = SIZE_PX
    intrinsics = np.array([[focal_px, 0, width / 2 + 3], [0, focal_px, height / 2 + 8], [0, 0, 1]])
    return Lens(SIZE_PX, intrinsics), SE3(camera_axes(yaw, pitch, roll), np.array(position_m))


def mountings() -> Iterator[tuple[str, SE3, list[list[float]]]]:
    """Yield each sensor's channel, ``ego_SE3_sensor`` and intrinsics."""
    yield "LIDAR_TOP", EGO_SE3_LIDAR, []
    for channel in CAMERAS:
        lens, ego_SE3_camera = camera(channel)
        yield channel, ego_SE3_camera, lens.intrinsics_px.tolist()


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

    @property
    def keys_us(self) -> Ints:
        """Stamps of its key frames."""
        return self.lidar_us[self.is_key]

    def token(self, *parts: object) -> str:
        """Return a token for a row of this scene."""
        return token("nuscenes", self.name, self.start_us, *parts)

    def seconds(self, stamps_us: Ints) -> Floats:
        """Return times of its world."""
        seconds: Floats = (stamps_us - self.start_us) / 1e6
        return seconds

    def ego_poses(self, stamps_us: Ints) -> tuple[Floats, Floats]:
        """Return (n, 3, 3) rotations and (n, 3) positions of the ego in the global frame."""
        return moved(GLOBAL_SE3_WORLD, *self.world.ego_poses(self.seconds(stamps_us)))


def scene(drive: Drive) -> Scene:
    """Name a drive and set its stamps: key frames 0.45 to 0.55 s apart, sweeps between them."""
    duration_s, rng = drive.duration_s, drive.rng
    steps = int(duration_s / 0.45) + 1
    steps_s = rng.choice((0.45, 0.5, 0.5, 0.55), steps) + rng.uniform(-2e-3, 2e-3, steps)
    keys_s = 0.05 + np.cumsum(np.append(0.0, steps_s))
    keys_s = keys_s[keys_s <= duration_s]
    between_s = np.linspace(keys_s[:-1], keys_s[1:], SWEEPS + 1)[:-1].T.ravel()
    times_s = np.append(between_s, keys_s[-1])
    start_us = _EPOCH_US + drive.index * 60_000_000
    stamps_us = start_us + np.round(times_s * 1e6).astype(np.int64)
    is_key = np.arange(len(stamps_us)) % SWEEPS == 0
    name = scene_names(drive.count)[drive.index]
    return Scene(name, start_us, drive.studio, stamps_us, is_key)
