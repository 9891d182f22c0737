"""Draw what a pinhole camera sees of the world: flat shaded faces, far ones first."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw

from impromptu.arrays import Floats, Ints
from impromptu.geometry import SE3
from impromptu.miniature import road
from impromptu.miniature.mesh import TEMPLATES, Faces, joined, placed
from impromptu.miniature.scenery import Discs, Scenery
from impromptu.miniature.world import Boxes, Shape, World, axes

NEAR_M, FAR_M = 0.25, 130.0
SUPERSAMPLING = 2
"""Images are drawn this many times larger, and reduced, for smooth edges."""

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
class Lens:
    """A pinhole camera without distortion.

    Attributes:
        size_px: (width, height).
        intrinsics_px: (3, 3).
    """

    size_px: tuple[int, int]
    intrinsics_px: Floats
    _rays: Floats = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Precompute the unit rays of a picture of the sky, half as wide and high."""
        width, height = self.size_px
        u, v = np.meshgrid(np.arange(0, width, 2) + 1.0, np.arange(0, height, 2) + 1.0)
        homogeneous = np.stack([u, v, np.ones_like(u)], axis=-1)
        rays = homogeneous @ np.linalg.inv(self.intrinsics_px).T
        rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
        object.__setattr__(self, "_rays", rays.astype(np.float32))

    def project(self, points_m: Floats) -> Floats:
        """Return (..., 2) pixels of (..., 3) points in the camera's frame, which are before it."""
        scaled = points_m @ self.intrinsics_px.T
        pixels: Floats = scaled[..., :2] / scaled[..., 2:]
        return pixels

    def elevation_sines(self, up: Floats) -> Floats:
        """Return how steeply rays rise: sines, for one pixel of each two by two."""
        sines: Floats = self._rays @ up.astype(np.float32)
        return sines


@dataclass(frozen=True, slots=True, eq=False)
class Studio:
    """Draws one world.

    Attributes:
        world: Whose bodies and lights to draw.
        scenery: What stands around them.
    """

    world: World
    scenery: Scenery
    weather: Weather
    _still: Faces = field(init=False, repr=False)
    _movers: Ints = field(init=False, repr=False)
    _palette: Floats = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Shape and light, once, all that does not move."""
        parked = np.array([body.parked for body in self.world.bodies], dtype=bool)
        boxes = self.world.boxes(np.zeros(1))
        still = [self.scenery.faces, *self._bodies(boxes, 0, np.flatnonzero(parked))]
        object.__setattr__(self, "_still", self._lit(joined(still)))
        object.__setattr__(self, "_movers", np.flatnonzero(~parked))
        object.__setattr__(self, "_palette", _sky_palette(self.weather))

    def _lit(self, faces: Faces) -> Faces:
        """Shade faces by how they are turned to the light."""
        a, b, c = (faces.corners_m[:, i] for i in range(3))
        normal = np.cross(b - a, c - a)
        normal /= np.sqrt((normal * normal).sum(axis=-1, keepdims=True))
        sun, share = _SUNS[self.weather]
        light = 1.08 - share + share * np.maximum(normal @ sun, -0.3)
        return replace(faces, colour=faces.colour * light[:, None])

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
            lit = self.scenery.lit(*self.world.lights.colours(float(t_s[i])))
            camera_SE3_world = (poses[i] @ ego_SE3_camera).inverse()
            canvas = _Canvas(lens, camera_SE3_world, self._palette)
            canvas.ground()
            moving = self._bodies(boxes, i, self._movers)
            faces = joined([self._still, *([self._lit(joined(moving))] if moving else [])])
            canvas.things(faces, _joined_discs(self.scenery.crowns, self.scenery.lamps, lit))
            return canvas.finished()

        return draw


def _joined_discs(crowns: Discs, lamps: Discs, lit: Floats) -> Discs:
    """Put the trees' crowns and the lit lamps together."""
    return Discs(
        np.concatenate([crowns.middle_m, lamps.middle_m]),
        np.concatenate([crowns.radius_m, lamps.radius_m]),
        np.concatenate([crowns.colour, lit]),
        np.concatenate([crowns.thing, lamps.thing]),
        np.concatenate([crowns.facing, lamps.facing]),
    )


def _sky_palette(weather: Weather) -> Floats:
    """Return (512, 3) colours by the sine of elevation, from -1 to 1."""
    overhead, horizon, ground = (np.array(c, dtype=np.float64) for c in _SKIES[weather])
    sine = np.linspace(-1, 1, 512)[:, None]
    above = horizon + (overhead - horizon) * np.clip(sine / 0.55, 0, 1) ** 0.8
    below = ground + (horizon - ground) * np.exp(sine / 0.03)
    return np.where(sine >= 0, above, below)


class _Canvas:
    """A picture in the making."""

    def __init__(self, lens: Lens, camera_SE3_world: SE3, palette: Floats) -> None:
        self.lens, self.pose, self.haze = lens, camera_SE3_world, palette[258]
        self.eye_m = camera_SE3_world.inverse().translation_m
        sines = lens.elevation_sines(camera_SE3_world.rotation[:, 2])
        sky = palette.astype(np.uint8)[((sines + 1) * 255.5).astype(np.int16)]
        width, height = (SUPERSAMPLING * side for side in lens.size_px)
        self.image = Image.fromarray(sky).resize((width, height), Image.Resampling.NEAREST)
        self.pen = ImageDraw.Draw(self.image)
        self.size = np.array([width, height])

    def finished(self) -> Image.Image:
        """Return the picture in its final size."""
        return self.image.reduce(SUPERSAMPLING)

    def pixels(self, points_m: Floats) -> Floats:
        """Project (..., 3) camera points onto the larger picture."""
        return SUPERSAMPLING * self.lens.project(points_m)

    def hazed(self, colour: Floats, distance_m: Floats) -> Ints:
        """Fade colours into the horizon's with distance."""
        share = np.exp(-np.square(distance_m / 120.0))[:, None]
        faded: Ints = np.clip(self.haze + (colour - self.haze) * share, 0, 255).astype(np.int64)
        return faded

    def ground(self) -> None:
        """Paint the street."""
        quads = road.painted()
        seen = self._ahead(quads.corners_m.mean(axis=1), 13.0)
        corners = self.pose.transform(quads.corners_m[seen])
        distance = np.linalg.norm(corners.mean(axis=1), axis=-1)
        self._fill(corners, self.hazed(quads.colour[seen], distance), np.arange(len(corners)))

    def _ahead(self, middle_m: Floats, radius_m: Floats | float) -> Ints:
        """Return which balls may be in the picture."""
        x, _, z = self.pose.transform(middle_m).T
        (fx, _, cx), width = self.lens.intrinsics_px[0], self.lens.size_px[0]
        left, right = cx / fx, (width - cx) / fx
        inside = (x > -left * z - radius_m * np.hypot(1, left)) & (
            x < right * z + radius_m * np.hypot(1, right)
        )
        return np.flatnonzero(inside & (z > NEAR_M - radius_m) & (z < FAR_M))

    def things(self, faces: Faces, discs: Discs) -> None:
        """Draw things, far ones first, and each thing's faces in their own order."""
        rank = np.full(len(faces.middle_m), -1)
        seen = self._ahead(faces.middle_m, faces.radius_m)
        distance = np.linalg.norm(faces.middle_m - self.eye_m, axis=-1)
        rank[seen[np.argsort(-distance[seen], kind="stable")]] = np.arange(len(seen))
        chosen = np.flatnonzero(rank[faces.thing] >= 0)
        corners = self.pose.transform(faces.corners_m[chosen])
        a, b, c = (corners[:, i] for i in range(3))
        towards = (np.cross(b - a, c - a) * a).sum(axis=-1) < 0
        chosen, corners = chosen[towards], corners[towards]
        thing = faces.thing[chosen]
        colour = self.hazed(faces.colour[chosen], distance[thing])
        self._discs = self._visible_discs(discs, rank, distance)
        order = np.argsort(rank[thing], kind="stable")
        self._fill(corners, colour, order, rank[thing])

    def _visible_discs(
        self, discs: Discs, rank: Ints, distance: Floats
    ) -> list[tuple[int, list[float], tuple[int, ...]]]:
        """Return (rank, box, colour) of discs in the picture, by rank."""
        middle = self.pose.transform(discs.middle_m)
        faced = (discs.facing * (self.eye_m - discs.middle_m)).sum(-1) >= 0
        chosen = np.flatnonzero((rank[discs.thing] >= 0) & faced & (middle[:, 2] > 1.0))
        pixel = self.pixels(middle[chosen])
        radius = (
            SUPERSAMPLING
            * self.lens.intrinsics_px[0, 0]
            * discs.radius_m[chosen]
            / middle[chosen, 2]
        )
        colour = self.hazed(discs.colour[chosen], distance[discs.thing[chosen]]).tolist()
        box = np.column_stack([pixel - radius[:, None], pixel + radius[:, None]]).tolist()
        ranks = rank[discs.thing[chosen]].tolist()
        return sorted(zip(ranks, box, map(tuple, colour), strict=True), key=lambda disc: -disc[0])

    def _fill(self, corners: Floats, colour: Ints, order: Ints, rank: Ints | None = None) -> None:
        """Fill (n, 4, 3) faces in an order; discs come after the faces of their rank."""
        depth = corners[..., 2]
        whole = (depth > NEAR_M).all(axis=1)
        some = (depth > NEAR_M).any(axis=1)
        pixels = self.pixels(np.where(whole[:, None, None], corners, 1.0))
        low, high = pixels.min(axis=1), pixels.max(axis=1)
        extent = high - low
        inside = ((high >= 0) & (low < self.size) & (extent > 0.8)).all(axis=-1)
        inside &= extent.max(axis=-1) > 3.0
        flat, fills = pixels.reshape(-1, 8).tolist(), colour.tolist()
        for i in order[(some & ~whole | inside & whole)[order]].tolist():
            if rank is not None:
                while self._discs and self._discs[-1][0] < rank[i]:
                    self._disc()
            outline = flat[i] if whole[i] else self._clipped(corners[i])
            self.pen.polygon(outline, fill=tuple(fills[i]))
        while rank is not None and self._discs:
            self._disc()

    def _disc(self) -> None:
        """Draw the next disc."""
        _, box, colour = self._discs.pop()
        self.pen.ellipse(box, fill=colour)

    def _clipped(self, face: Floats) -> list[float]:
        """Cut a (4, 3) face at the near plane and project what is left."""
        ends = np.roll(face, -1, axis=0)
        kept = []
        for start, end in zip(face, ends, strict=True):
            if start[2] > NEAR_M:
                kept.append(start)
            if (start[2] > NEAR_M) != (end[2] > NEAR_M):
                share = (NEAR_M - start[2]) / (end[2] - start[2])
                kept.append(start + share * (end - start))
        outline: list[float] = self.pixels(np.array(kept)).ravel().tolist()
        return outline
