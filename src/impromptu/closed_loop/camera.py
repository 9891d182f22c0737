"""What the six cameras see of a run: the street, flat, and the actor, in the miniatures' manner."""

from collections.abc import Mapping, Sequence
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

from impromptu.arrays import Floats
from impromptu.closed_loop.simulation import Stage
from impromptu.geometry import SE3, about_z
from impromptu.miniature import road
from impromptu.miniature.canvas import Canvas, Lens
from impromptu.miniature.mesh import TEMPLATES, Faces, placed
from impromptu.miniature.nuscenes_rig import CAMERAS, EGO_SE3_LIDAR, SIZE_PX, camera
from impromptu.miniature.render import Weather, air, lit
from impromptu.miniature.world import SIZES_M, Shape

SIZES_PX = {"1600x900": (1600, 900), "800x450": (800, 450)}
_WEATHER: Weather = "clear"
PAINT_RGB = (196, 52, 46)
"""The actor's."""


@cache
def flat_street() -> road.Quads:
    """Return the street without its slopes: the closed loop is driven on a plane."""
    quads = road.painted()
    corners, middle = quads.corners_m.copy(), quads.middle_m.copy()
    corners[..., 2] = middle[:, 2] = 0.0
    return road.Quads(corners, middle, quads.colour)


class Cameras:
    """The six cameras of the nuScenes miniature, for pictures of one size."""

    def __init__(self, size_px: tuple[int, int]) -> None:
        self.size_px = size_px

    @cached_property
    def lenses(self) -> Mapping[str, tuple[Lens, SE3]]:
        """Return each camera's lens and ``ego_SE3_camera``."""
        scale = self.size_px[0] / SIZE_PX[0]
        made = {}
        for channel in CAMERAS:
            lens, ego_SE3_camera = camera(channel)
            intrinsics = lens.intrinsics_px * np.array([[scale], [scale], [1.0]])
            made[channel] = Lens(self.size_px, intrinsics), ego_SE3_camera
        return made

    def calibration(self) -> dict[str, object]:
        """Return what the protocol tells of the cameras and the lidar."""
        return {
            "camera2image": {name: lens.intrinsics_px.tolist() for name, (lens, _) in self._items},
            "camera2ego": {name: _matrix(pose) for name, (_, pose) in self._items},
            "lidar2ego": _matrix(EGO_SE3_LIDAR),
        }

    @property
    def _items(self) -> Sequence[tuple[str, tuple[Lens, SE3]]]:
        return list(self.lenses.items())

    def picture(self, channel: str, stage: Stage, step: int, pose: Floats) -> NDArray[np.uint8]:
        """Return (H, W, 3) of what a camera sees at one step from a (3,) rear-axle pose."""
        return self.view(channel, stage.draw.shape, stage.actor[10 * step], pose)

    def view(self, channel: str, shape: Shape, box: Floats, pose: Floats) -> NDArray[np.uint8]:
        """Return it of an actor whose (5,) box is told: x, y, yaw, length, width."""
        lens, ego_SE3_camera = self.lenses[channel]
        world_SE3_ego = SE3(about_z(pose[2]), np.array([pose[0], pose[1], 0.0]))
        canvas = Canvas(lens, world_SE3_ego @ ego_SE3_camera, air(_WEATHER), supersampling=1)
        canvas.paint(flat_street())
        canvas.place(lit(_actor(shape, box), _WEATHER))
        return np.asarray(canvas.finished())


def _actor(shape: Shape, box: Floats) -> Faces:
    size_m = np.array([SIZES_M[shape]])
    middle = np.array([[box[0], box[1], size_m[0, 2] / 2]])
    return placed(TEMPLATES[shape], size_m, about_z(box[2:3]), middle, np.array([PAINT_RGB], float))


def _matrix(pose: SE3) -> list[list[float]]:
    made = np.eye(4)
    made[:3, :3], made[:3, 3] = pose.rotation, pose.translation_m
    return [[float(value) for value in row] for row in made]
