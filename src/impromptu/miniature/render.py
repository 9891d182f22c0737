"""Draw what cameras on the ego see of a world, in some weather."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from PIL import Image

from impromptu.arrays import Floats, Ints
from impromptu.geometry import SE3
from impromptu.miniature import road
from impromptu.miniature.canvas import Air, Canvas, Lens
from impromptu.miniature.mesh import TEMPLATES, Faces, joined, placed
from impromptu.miniature.scenery import Scenery
from impromptu.miniature.world import Boxes, Shape, World, axes

Weather = Literal["clear", "overcast", "evening"]
WEATHERS: tuple[Weather, ...] = ("clear", "overcast", "evening")

_SKIES: dict[Weather, tuple[tuple[int, int, int], ...]] = {
    "clear": ((92, 148, 214), (206, 224, 238), (118, 128, 110)),
    "overcast": ((168, 178, 190), (214, 218, 222), (112, 118, 110)),
    "evening": ((88, 104, 158), (246, 206, 170), (104, 102, 98)),
}
"""Colours overhead, at the horizon, and of the ground off the street."""
_SUNS: dict[Weather, tuple[Floats, float]] = {
    "clear": (np.array([-0.36, -0.60, 0.71]), 0.45),
    "overcast": (np.array([0.0, 0.2, 0.98]), 0.28),
    "evening": (np.array([-0.70, 0.45, 0.55]), 0.42),
}
"""Where the light comes from, and its share of all light."""


@dataclass(frozen=True, slots=True, eq=False)
class Studio:
    """Draws one world.

    Attributes:
        world: Whose bodies and lights to draw.
        scenery: What stands around them.
        weather: How the sky looks, and where light comes from.
    """

    world: World
    scenery: Scenery
    weather: Weather
    _still: Faces = field(init=False, repr=False)
    _movers: Ints = field(init=False, repr=False)
    _air: Air = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Shape and light, once, all that does not move."""
        parked = np.array([body.parked for body in self.world.bodies], dtype=bool)
        boxes = self.world.boxes(np.zeros(1))
        still = [self.scenery.faces, *self._bodies(boxes, 0, np.flatnonzero(parked))]
        object.__setattr__(self, "_still", lit(joined(still), self.weather))
        object.__setattr__(self, "_movers", np.flatnonzero(~parked))
        object.__setattr__(self, "_air", air(self.weather))

    def _bodies(self, boxes: Boxes, instant: int, chosen: Ints) -> list[Faces]:
        """Return the faces of some bodies at one of the boxes' instants, shape by shape."""
        groups: dict[Shape, list[int]] = {}
        for column in chosen.tolist():
            groups.setdefault(self.world.bodies[column].shape, []).append(column)
        made = []
        for shape, columns in groups.items():
            paint = np.array([self.world.bodies[column].colour for column in columns], dtype=float)
            rotation = axes(boxes.yaw_rad[instant, columns])
            middle = boxes.centre_m[instant, columns]
            made.append(placed(TEMPLATES[shape], boxes.size_m[columns], rotation, middle, paint))
        return made

    def film(self, lens: Lens, ego_SE3_camera: SE3, t_s: Floats) -> Callable[[int], Image.Image]:
        """Return what draws the i-th of (n,) exposures of one camera."""
        boxes, poses = self.world.boxes(t_s), self.world.world_SE3_egos(t_s)

        def draw(i: int) -> Image.Image:
            canvas = Canvas(lens, poses[i] @ ego_SE3_camera, self._air)
            canvas.paint(road.painted())
            moving = self._bodies(boxes, i, self._movers)
            faces = joined([self._still, *([lit(joined(moving), self.weather)] if moving else [])])
            canvas.place(faces, self.scenery.discs(*self.world.lights.colours(float(t_s[i]))))
            return canvas.finished()

        return draw


def lit(faces: Faces, weather: Weather) -> Faces:
    """Shade faces by how they are turned to the light."""
    sun, share = _SUNS[weather]
    light = 1.08 - share + share * np.maximum(faces.normal @ sun, -0.3)
    return replace(faces, colour=faces.colour * light[:, None])


def air(weather: Weather) -> Air:
    """Blend the colours of the sky, and of the ground towards the horizon."""
    overhead, horizon, ground = (np.array(c, dtype=np.float64) for c in _SKIES[weather])
    sine = np.linspace(-1, 1, 512)[:, None]
    above = horizon + (overhead - horizon) * np.clip(sine / 0.55, 0, 1) ** 0.8
    below = ground + (horizon - ground) * np.exp(sine / 0.03)
    return Air(np.where(sine >= 0, above, below), horizon)
