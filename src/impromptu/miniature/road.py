"""The one place all miniatures are set in: two streets that cross, on gently rolling ground.

World frame: the middle of the junction is the origin, the main street runs along x, the side
street along y, z is up; metres. Traffic keeps to the right.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from impromptu.arrays import Floats

LANE_M = 3.5
INNER_Y_M, OUTER_Y_M = -0.5 * LANE_M, -1.5 * LANE_M
"""Middles of the main street's lanes in the direction of +x; the mirror images go to -x."""
SIDE_X_M = 0.5 * LANE_M
"""Middle of the side street's lane in the direction of +y."""
MAIN_HALF_M, SIDE_HALF_M = 9.4, 5.9
"""From the middle of a street to its kerb; the last 2.4 m are for parking."""
PAVEMENT_M = 4.0
PARKED_Y_M, PARKED_X_M = MAIN_HALF_M - 1.15, SIDE_HALF_M - 1.15
ZEBRA_X_M = -62.0
"""Middle of a crossing away from the junction."""
MAIN_STOP_M = SIDE_HALF_M + 5.6
SIDE_STOP_M = MAIN_HALF_M + 5.6
"""From the origin to the stop lines."""
MAIN_REACH_M, SIDE_REACH_M = 320.0, 200.0
"""How far from the origin the streets are painted."""

_ASPHALT, _PATCH, _PAVEMENT = (84, 87, 94), (76, 79, 86), (164, 160, 152)
_KERB, _WHITE, _YELLOW = (198, 195, 188), (232, 232, 228), (226, 182, 64)
_CORNER_M = 3.6
_WAVES = ((0.45, 41.0, 0.6), (0.30, 29.0, 1.9))
"""Height's amplitude, length and phase along x and along y."""


def height_m(xy_m: Floats) -> Floats:
    """Return the ground's height at (..., 2) points."""
    heights = [a * np.sin(xy_m[..., i] / d + p) for i, (a, d, p) in enumerate(_WAVES)]
    total: Floats = np.sum(heights, axis=0)
    return total


def slope(xy_m: Floats) -> Floats:
    """Return the (..., 2) derivative of the height."""
    slopes = [a / d * np.cos(xy_m[..., i] / d + p) for i, (a, d, p) in enumerate(_WAVES)]
    return np.stack(slopes, axis=-1)


@dataclass(frozen=True, slots=True, eq=False)
class Quads:
    """Painted patches of ground, in the order of painting.

    Attributes:
        corners_m: (n, 4, 3).
        middle_m: (n, 3).
        colour: (n, 3), 0 to 255.
    """

    corners_m: Floats
    middle_m: Floats
    colour: Floats


class _Painter:
    """Collects patches given as rectangles of the ground plane."""

    def __init__(self) -> None:
        self.corners: list[Floats] = []
        self.colours: list[Floats] = []

    def quads(self, corners_m: Floats, colour: tuple[int, int, int]) -> None:
        """Add (n, 4, 2) patches of one colour."""
        self.corners.append(np.concatenate([corners_m, height_m(corners_m)[..., None]], axis=-1))
        self.colours.append(np.tile(np.array(colour, dtype=np.float64), (len(corners_m), 1)))

    def cells(self, x_m: Floats, y_m: Floats, colour: tuple[int, int, int]) -> None:
        """Add rectangles: (n, 2) ranges of x, and one (2,) range of y."""
        x0, x1 = x_m.T
        y0, y1 = np.broadcast_to(y_m[:1], x0.shape), np.broadcast_to(y_m[1:], x0.shape)
        corners = np.stack([x0, y0, x1, y0, x1, y1, x0, y1], axis=-1).reshape(-1, 4, 2)
        self.quads(corners, colour)

    def both(self, x_m: Floats, y_m: tuple[float, float], colour: tuple[int, int, int]) -> None:
        """Add rectangles and their mirror images on the other side of the street."""
        for sign in (-1, 1):
            self.cells(x_m, np.array([sign * y_m[0], sign * y_m[1]]), colour)

    def swap_axes(self, since: int) -> None:
        """Turn all patches from number ``since`` on from the main to the side street."""
        for i in range(since, len(self.corners)):
            xy = self.corners[i][..., 1::-1]
            self.corners[i] = np.concatenate([xy, height_m(xy)[..., None]], axis=-1)


def _pieces(start_m: float, stop_m: float, step_m: float, filled: float = 1.0) -> Floats:
    """Cut a range, and its mirror image about zero, into (n, 2) pieces of about a step."""
    starts = np.arange(start_m, stop_m - 1e-6, step_m)
    pieces = np.stack([starts, np.minimum(starts + filled * step_m, stop_m)], axis=-1)
    return np.concatenate([pieces, -pieces[:, ::-1]])


def _street(paint: _Painter, half_m: float, other_half_m: float, reach_m: float) -> None:
    """Paint one street along x, but for its lines."""
    away = _pieces(other_half_m - 0.2, reach_m, 16.0, 1.02)
    paint.both(away, (half_m, half_m + PAVEMENT_M), _PAVEMENT)
    paint.cells(away, np.array([-half_m, half_m]), _ASPHALT)
    paint.both(away, (half_m - 2.4, half_m), _PATCH)


def _lines(
    paint: _Painter, half_m: float, junction_m: float, stop_m: float, reach_m: float
) -> None:
    """Paint one street's lines along x."""
    paint.both(
        _pieces(junction_m + _CORNER_M, reach_m, 16.0), (half_m - 0.15, half_m + 0.15), _KERB
    )
    paint.both(_pieces(stop_m, reach_m, 16.0), (0.08, 0.22), _YELLOW)
    paint.both(_pieces(stop_m + 8, reach_m, 16.0), (half_m - 2.45, half_m - 2.33), _WHITE)
    if half_m > 2 * LANE_M:
        paint.both(_pieces(stop_m, reach_m, 9.0, 1 / 3), (LANE_M - 0.09, LANE_M + 0.09), _WHITE)
    lanes_m = half_m - 2.4
    for sign in (-1, 1):
        stop = np.array([[sign * stop_m, sign * (stop_m + 0.45)]])
        paint.cells(stop, np.array([-sign * 0.3, -sign * lanes_m]), _WHITE)
        _stripes(paint, sign * (stop_m - 3.0), half_m)


def _stripes(paint: _Painter, middle_m: float, half_m: float) -> None:
    """Paint a pedestrian crossing's stripes, 3 m long, across a street along x."""
    x_m = np.array([[middle_m - 1.5, middle_m + 1.5]])
    for y_m in np.arange(-half_m + 0.5, half_m - 0.9, 1.2):
        paint.cells(x_m, np.array([y_m, y_m + 0.6]), _WHITE)


def _corners(paint: _Painter) -> None:
    """Round off the junction's four corners: a fan of asphalt, and a kerb about it."""
    angles = np.linspace(0, np.pi / 2, 7)
    edge = np.array([SIDE_HALF_M, MAIN_HALF_M])
    for sign in ((1, 1), (-1, 1), (-1, -1), (1, -1)):
        rings = [
            sign * (edge + _CORNER_M - r * np.stack([np.cos(angles), np.sin(angles)], axis=-1))
            for r in (_CORNER_M + 0.15, _CORNER_M - 0.15)
        ]
        tip = np.tile(sign * (edge - 0.2), (len(angles) - 1, 1))
        paint.quads(np.stack([tip, tip, rings[0][:-1], rings[0][1:]], axis=1), _ASPHALT)
        kerb = np.stack([rings[0][:-1], rings[0][1:], rings[1][1:], rings[1][:-1]], axis=1)
        paint.quads(kerb, _KERB)


@cache
def painted() -> Quads:
    """Return all that is painted on the ground."""
    paint = _Painter()
    _street(paint, SIDE_HALF_M, MAIN_HALF_M, SIDE_REACH_M)
    paint.swap_axes(0)
    _street(paint, MAIN_HALF_M, SIDE_HALF_M, MAIN_REACH_M)
    middle = np.array([[-SIDE_HALF_M, SIDE_HALF_M]])
    paint.cells(middle, np.array([-MAIN_HALF_M, MAIN_HALF_M]), _ASPHALT)
    _corners(paint)
    since = len(paint.corners)
    _lines(paint, SIDE_HALF_M, MAIN_HALF_M, SIDE_STOP_M, SIDE_REACH_M)
    paint.swap_axes(since)
    _lines(paint, MAIN_HALF_M, SIDE_HALF_M, MAIN_STOP_M, MAIN_REACH_M)
    _stripes(paint, ZEBRA_X_M, MAIN_HALF_M)
    corners = np.concatenate(paint.corners)
    return Quads(corners, corners.mean(axis=1), np.concatenate(paint.colours))


def drivable_m() -> list[Floats]:
    """Return the streets' outlines, two (4, 2) rectangles that overlap in the junction."""
    halves = (MAIN_REACH_M, MAIN_HALF_M), (SIDE_HALF_M, SIDE_REACH_M)
    signs = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], dtype=np.float64)
    return [signs * half for half in halves]
