"""A picture in the making: a sky, then flat faces and discs, far ones first."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from operator import itemgetter

import numpy as np
from PIL import Image, ImageDraw

from impromptu.arrays import Bools, Floats, Ints
from impromptu.geometry import SE3
from impromptu.miniature.mesh import Faces
from impromptu.miniature.road import Quads
from impromptu.miniature.scenery import Discs

NEAR_M, FAR_M = 0.25, 115.0
_SUPERSAMPLING = 2
"""Pictures are drawn so many times larger, unless told otherwise, and reduced: smooth edges."""
_HAZE_M = 120.0
_LEAST_PX = 1.2, 5.0
"""A face whose shorter and longer extents are less, in the larger picture, is left out."""

_Stroke = tuple[int, bool, list[float], tuple[int, ...]]
"""Rank, whether it is a disc, outline or box in pixels, colour."""


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
class Air:
    """What is behind and between all things.

    Attributes:
        sky: (n, 3) colours by the sine of elevation, from -1 to 1.
        haze: (3,) colour that far things fade into.
    """

    sky: Floats
    haze: Floats


class Canvas:
    """A picture in the making, which begins as the sky."""

    def __init__(
        self, lens: Lens, world_SE3_camera: SE3, air: Air, supersampling: int = _SUPERSAMPLING
    ) -> None:
        self._lens, self._haze, self._scale = lens, air.haze, supersampling
        self._eye_m, self._pose = world_SE3_camera.translation_m, world_SE3_camera.inverse()
        sines = lens.elevation_sines(self._pose.rotation[:, 2])
        level = ((sines + 1) * (len(air.sky) - 1) / 2).astype(np.int64)
        width, height = (supersampling * side for side in lens.size_px)
        sky = Image.fromarray(air.sky.astype(np.uint8)[level])
        self._image = sky.resize((width, height), Image.Resampling.NEAREST)
        self._size = np.array([width, height])

    def finished(self) -> Image.Image:
        """Return the picture in its final size."""
        return self._image.reduce(self._scale)

    def paint(self, quads: Quads) -> None:
        """Draw patches of ground, in their own order."""
        seen = self._ahead(quads.middle_m, 13.0)
        corners = self._pose.transform(quads.corners_m[seen])
        distance_m = np.linalg.norm(corners.mean(axis=1), axis=-1)
        colour = self._hazed(quads.colour[seen], distance_m)
        self._draw(self._outlines(corners, colour, np.arange(len(seen))))

    def place(self, faces: Faces, discs: Discs | None = None) -> None:
        """Draw things, far ones first; each thing's faces in their own order, then its discs."""
        seen = self._ahead(faces.middle_m, faces.radius_m)
        distance_m = np.linalg.norm(faces.middle_m - self._eye_m, axis=-1)
        rank = np.full(len(faces.middle_m), -1)
        rank[seen[np.argsort(-distance_m[seen], kind="stable")]] = np.arange(len(seen))
        turned = ((self._eye_m - faces.corners_m[:, 0]) * faces.normal).sum(axis=-1) > 0
        chosen = np.flatnonzero(turned & (rank[faces.thing] >= 0))
        thing = faces.thing[chosen]
        corners = self._pose.transform(faces.corners_m[chosen])
        colour = self._hazed(faces.colour[chosen], distance_m[thing])
        strokes = self._outlines(corners, colour, rank[thing])
        self._draw([*strokes, *(self._rounds(discs, rank, distance_m) if discs else [])])

    def _draw(self, strokes: Iterable[_Stroke]) -> None:
        """Draw strokes by rank; those of one rank stay in order."""
        pen = ImageDraw.Draw(self._image)
        for _, is_disc, points, colour in sorted(strokes, key=itemgetter(0)):
            (pen.ellipse if is_disc else pen.polygon)(points, fill=colour)

    def _ahead(self, middle_m: Floats, radius_m: Floats | float) -> Ints:
        """Return which balls may be in the picture."""
        x, _, z = self._pose.transform(middle_m).T
        (fx, _, cx), width = self._lens.intrinsics_px[0], self._lens.size_px[0]
        left, right = cx / fx, (width - cx) / fx
        inside = x > -left * z - radius_m * np.hypot(1, left)
        inside &= x < right * z + radius_m * np.hypot(1, right)
        return np.flatnonzero(inside & (z > NEAR_M - radius_m) & (z < FAR_M))

    def _hazed(self, colour: Floats, distance_m: Floats) -> Ints:
        """Fade colours with distance."""
        share = np.exp(-np.square(distance_m / _HAZE_M))[:, None]
        faded: Ints = np.clip(self._haze + (colour - self._haze) * share, 0, 255).astype(np.int64)
        return faded

    def _pixels(self, points_m: Floats) -> Floats:
        """Project (..., 3) camera points onto the larger picture."""
        return self._scale * self._lens.project(points_m)

    def _outlines(self, corners_m: Floats, colour: Ints, rank: Ints) -> list[_Stroke]:
        """Return strokes of those (n, 4, 3) faces that are in the picture and large enough."""
        before = corners_m[..., 2] > NEAR_M
        whole: Bools = np.asarray(before.all(axis=1))
        pixels = self._pixels(np.where(whole[:, None, None], corners_m, 1.0))
        low, high = pixels.min(axis=1), pixels.max(axis=1)
        extent, (least, longest) = high - low, _LEAST_PX
        inside = ((high >= 0) & (low < self._size) & (extent > least)).all(axis=-1)
        drawn = np.where(whole, inside & (extent.max(axis=-1) > longest), before.any(axis=1))
        chosen = np.flatnonzero(drawn)
        outlines = pixels[chosen].reshape(-1, 8).tolist()
        for i in np.flatnonzero(~whole[chosen]).tolist():
            outlines[i] = self._clipped(corners_m[chosen[i]])
        columns = rank[chosen].tolist(), outlines, colour[chosen].tolist()
        return [(r, False, line, tuple(fill)) for r, line, fill in zip(*columns, strict=True)]

    def _clipped(self, face_m: Floats) -> list[float]:
        """Cut a (4, 3) face at the near plane and project what is left."""
        kept = []
        for start, end in zip(face_m, np.roll(face_m, -1, axis=0), strict=True):
            if start[2] > NEAR_M:
                kept.append(start)
            if (start[2] > NEAR_M) != (end[2] > NEAR_M):
                share = (NEAR_M - start[2]) / (end[2] - start[2])
                kept.append(start + share * (end - start))
        outline: list[float] = self._pixels(np.array(kept)).ravel().tolist()
        return outline

    def _rounds(self, discs: Discs, rank: Ints, distance_m: Floats) -> list[_Stroke]:
        """Return strokes of discs, where their things are drawn and they face this way."""
        middle = self._pose.transform(discs.middle_m)
        facing = (discs.facing * (self._eye_m - discs.middle_m)).sum(axis=-1) >= 0
        chosen = (rank[discs.thing] >= 0) & facing & (middle[:, 2] > 1.0)
        middle, thing = middle[chosen], discs.thing[chosen]
        focal_px = self._scale * self._lens.intrinsics_px[0, 0]
        pixel = self._pixels(middle)
        radius = (focal_px * discs.radius_m[chosen] / middle[:, 2])[:, None]
        colour = self._hazed(discs.colour[chosen], distance_m[thing]).tolist()
        boxes = np.column_stack([pixel - radius, pixel + radius]).tolist()
        ranks = rank[thing].tolist()
        return [(ranks[i], True, box, tuple(colour[i])) for i, box in enumerate(boxes)]
