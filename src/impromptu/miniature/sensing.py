"""What a lidar on the ego would see of the bodies: how much of each, and points on them."""

from dataclasses import dataclass

import numpy as np

from impromptu.arrays import Bools, Floats, Ints
from impromptu.miniature import road
from impromptu.miniature.world import Boxes, axes

RANGE_M = 60.0
"""Bodies further away are not annotated."""

_MOST_POINTS = 32
_HOUSE_HEIGHT_M = 12.0


@dataclass(frozen=True, slots=True, eq=False)
class Sensed:
    """Bodies in range at one instant.

    Attributes:
        body: (n,) their columns in the boxes.
        fraction: (n,) share of each that is not hidden, of ten lines of sight.
        points: (n,) number of lidar points on each.
        points_m: (sum of points, 3) world coordinates, body by body.
    """

    body: Ints
    fraction: Floats
    points: Ints
    points_m: Floats


def _surface() -> tuple[Floats, Floats]:
    """Return points on the sides of a box of side 1, and their faces' outward normals.

    They follow a low-discrepancy sequence (golden ratio along, plastic number up), so that any
    first few cover the box evenly.
    """
    index = np.arange(4 * _MOST_POINTS)
    along, up = (0.5 + index * 0.618034) % 1 - 0.5, (0.5 + index * 0.754878) % 1 - 0.5
    normals = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]], dtype=np.float64)[index % 4]
    sideways = np.stack([-normals[:, 1], normals[:, 0]], axis=-1)
    flat = 0.49 * normals + 0.96 * along[:, None] * sideways
    return np.column_stack([flat, 0.92 * up]), np.column_stack([normals, 0 * along])


_POINTS, _NORMALS = _surface()
_AIMS = np.array([(y, z) for y in (-0.42, -0.2, 0.0, 0.2, 0.42) for z in (-0.1, 0.36)])


def sense(boxes: Boxes, instant: int, eye_m: Floats, houses_m: Floats) -> Sensed:
    """Look around from a point.

    Args:
        boxes: All bodies.
        instant: Which of the boxes' instants.
        eye_m: (3,) the lidar, in the world.
        houses_m: (h, 4) west, south, east and north ends of houses, which hide things too.
    """
    away = boxes.centre_m[instant] - eye_m
    body = np.flatnonzero(np.hypot(away[:, 0], away[:, 1]) < RANGE_M)
    centre, size = boxes.centre_m[instant, body], boxes.size_m[body]
    rotation = axes(boxes.yaw_rad[instant, body])
    fraction = _fractions(eye_m, centre, size, rotation, _near(houses_m, eye_m))
    distance = np.linalg.norm(centre - eye_m, axis=-1)
    wanted = np.clip(1600 / distance**2, 1, _MOST_POINTS) * fraction
    points = np.where(fraction > 0, np.ceil(wanted), 0).astype(np.int64)
    scaled = np.einsum("nij,nkj->nki", rotation, _POINTS * size[:, None])
    normals = np.einsum("nij,kj->nki", rotation, _NORMALS)
    facing = (normals * ((eye_m - centre)[:, None] - scaled)).sum(axis=-1) > 0
    chosen = _first_true(facing, points)
    return Sensed(body, fraction, points, (scaled + centre[:, None])[chosen])


def _near(houses_m: Floats, eye_m: Floats) -> Floats:
    """Return the houses within range."""
    middle = (houses_m[:, :2] + houses_m[:, 2:]) / 2
    near: Floats = houses_m[np.linalg.norm(middle - eye_m[:2], axis=-1) < RANGE_M + 12]
    return near


def _first_true(mask: Bools, count: Ints) -> Bools:
    """Keep the first ``count[i]`` true entries of each row."""
    kept: Bools = mask & (np.cumsum(mask, axis=1) <= count[:, None])
    return kept


def _fractions(
    eye_m: Floats, centre: Floats, size: Floats, rotation: Floats, houses_m: Floats
) -> Floats:
    """Return the share of ten lines of sight to each box that no other box or house crosses."""
    sight = centre[:, :2] - eye_m[:2]
    distance = np.maximum(np.linalg.norm(sight, axis=-1, keepdims=True), 1e-6)
    across = np.stack([-sight[:, 1], sight[:, 0]], axis=-1) / distance
    width = (np.abs(np.einsum("nij,ni->nj", rotation[:, :2, :2], across)) * size[:, :2]).sum(-1)
    aims = np.empty((len(centre), len(_AIMS), 3))
    aims[..., :2] = centre[:, None, :2] + (_AIMS[:, :1] * width[:, None, None]) * across[:, None]
    aims[..., 2] = centre[:, None, 2] + _AIMS[:, 1] * size[:, None, 2]
    low, high = houses_m[:, :2], houses_m[:, 2:]
    middles = np.concatenate([centre, np.column_stack([(low + high) / 2, np.zeros(len(low))])])
    tall = np.full(len(low), 2 * _HOUSE_HEIGHT_M)
    sizes = np.concatenate([size, np.column_stack([high - low, tall])])
    turns = np.concatenate([rotation, np.tile(np.eye(3), (len(low), 1, 1))])
    hidden = _crossed(eye_m, aims.reshape(-1, 3), middles, sizes, turns)
    hidden = hidden.reshape(len(centre), len(_AIMS), len(middles))
    own = np.arange(len(centre))
    hidden[own, :, own] = False
    seen: Floats = 1 - hidden.any(axis=-1).mean(axis=-1)
    return seen


def _crossed(
    eye_m: Floats, aims_m: Floats, middle_m: Floats, size_m: Floats, rotation: Floats
) -> Bools:
    """Tell, for each of (a,) lines of sight and (b,) boxes, whether the line meets the box.

    Slab test: the line's stretches between a box's three pairs of planes must overlap.
    """
    enter = np.zeros((len(aims_m), len(middle_m)))
    leave = np.ones_like(enter)
    for axis in range(3):
        along = rotation[:, :, axis]
        start = ((eye_m - middle_m) * along).sum(axis=-1)
        step = (aims_m - eye_m) @ along.T
        step[np.abs(step) < 1e-9] = 1e-9
        one, other = (-size_m[:, axis] / 2 - start) / step, (size_m[:, axis] / 2 - start) / step
        enter = np.maximum(enter, np.minimum(one, other))
        leave = np.minimum(leave, np.maximum(one, other))
    return enter < leave


def ground_points_m(world_position_m: Floats) -> Floats:
    """Return (n, 3) points on rings about a place, 10 cm under the ground's surface.

    So deep that they lie below even a bus that stands level on a slope.
    """
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    rings = np.array([6.0, 10.0, 17.0, 28.0])[:, None]
    flat = np.stack([rings * np.cos(angle), rings * np.sin(angle)], axis=-1).reshape(-1, 2)
    xy = flat + world_position_m[:2]
    return np.column_stack([xy, road.height_m(xy) - 0.1])
