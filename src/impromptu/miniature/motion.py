"""Smooth motions whose position, at any time asked for, is known to rounding error."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.special import roots_legendre

from impromptu.arrays import Floats

_NODES, _WEIGHTS = roots_legendre(12)
_KNOT_SPACING_M = 1.0


def ease(u: Floats) -> Floats:
    """Rise from 0 at u = 0 to 1 at u = 1, with no jump in slope or curvature (quintic)."""
    u = np.clip(u, 0.0, 1.0)
    risen: Floats = u**3 * (10 + u * (6 * u - 15))
    return risen


def ease_area(u: Floats) -> Floats:
    """Integrate ``ease`` from 0 to u, in closed form."""
    inside = np.clip(u, 0.0, 1.0)
    area: Floats = inside**4 * (2.5 + inside * (inside - 3)) + np.maximum(u - 1, 0.0)
    return area


@dataclass(frozen=True, slots=True)
class Turn:
    """A change of heading along a track.

    Attributes:
        start_m: Distance along the track at which it begins.
        length_m: Distance over which it happens.
        angle_rad: Counter-clockwise.
    """

    start_m: float
    length_m: float
    angle_rad: float


def lane_change(start_m: float, length_m: float, left_m: float) -> list[Turn]:
    """Return the two opposite turns that shift a track sideways, ``left_m`` to the left.

    The turns' angle has no closed form; a few rounds of proportional correction settle it.
    """
    half_m, angle = length_m / 2, 2 * left_m / length_m
    for _ in range(20):
        sideways_m = half_m * float((np.sin(angle * ease((_NODES + 1) / 2)) * _WEIGHTS).sum())
        angle *= left_m / sideways_m
    return [Turn(start_m, half_m, angle), Turn(start_m + half_m, half_m, -angle)]


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """A curve on the ground plane: straight, but for its turns, and without end either way.

    Attributes:
        xy_m: (2,) where it starts.
        heading_rad: Its heading there.
    """

    xy_m: tuple[float, float]
    heading_rad: float
    turns: Sequence[Turn] = ()
    _knots_m: Floats = field(init=False, repr=False)
    _knots_xy_m: Floats = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Integrate once to the knots, so that any point is one short integral away."""
        end_m = max((turn.start_m + turn.length_m for turn in self.turns), default=0.0)
        knots_m = np.linspace(0.0, end_m, 1 + int(np.ceil(end_m / _KNOT_SPACING_M)))
        steps = self._integral(knots_m[:-1], knots_m[1:])
        knots_xy = np.array(self.xy_m) + np.vstack([np.zeros((1, 2)), np.cumsum(steps, axis=0)])
        object.__setattr__(self, "_knots_m", knots_m)
        object.__setattr__(self, "_knots_xy_m", knots_xy)

    def heading(self, along_m: Floats) -> Floats:
        """Return headings in radians, of any shape; they do not wrap."""
        along_m = np.asarray(along_m, dtype=np.float64)
        turned: Floats = np.full(along_m.shape, self.heading_rad)
        for turn in self.turns:
            turned = turned + turn.angle_rad * ease((along_m - turn.start_m) / turn.length_m)
        return turned

    def _integral(self, begin_m: Floats, end_m: Floats) -> Floats:
        """Integrate the (n, 2) direction between distances, by Gauss-Legendre quadrature.

        Exact to rounding over a knot's spacing, and over any length where the track is straight.
        """
        half = (end_m - begin_m)[:, None] / 2
        heading = self.heading((begin_m + end_m)[:, None] / 2 + half * _NODES)
        weights = half * _WEIGHTS
        return np.stack([(np.cos(heading) * weights).sum(1), (np.sin(heading) * weights).sum(1)], 1)

    def xy(self, along_m: Floats) -> Floats:
        """Return (n, 2) positions at (n,) distances."""
        knot = np.searchsorted(self._knots_m, along_m, side="right") - 1
        knot = np.clip(knot, 0, len(self._knots_m) - 1)
        moved: Floats = self._knots_xy_m[knot] + self._integral(self._knots_m[knot], along_m)
        return moved


@dataclass(frozen=True, slots=True)
class Ramp:
    """A change of speed over a stretch of time."""

    start_s: float
    duration_s: float
    change_mps: float


@dataclass(frozen=True, slots=True)
class Pace:
    """Speed as a function of time: a first speed, and ramps."""

    first_mps: float
    ramps: Sequence[Ramp] = ()

    def travelled_m(self, t_s: Floats) -> Floats:
        """Return distances since time zero, in closed form."""
        t_s = np.asarray(t_s, dtype=np.float64)
        travelled: Floats = self.first_mps * t_s
        for ramp in self.ramps:
            area = ease_area((t_s - ramp.start_s) / ramp.duration_s)
            travelled = travelled + ramp.change_mps * ramp.duration_s * area
        return travelled

    def speed_mps(self, t_s: Floats) -> Floats:
        """Return speeds over the ground plane."""
        t_s = np.asarray(t_s, dtype=np.float64)
        speed: Floats = np.full(t_s.shape, self.first_mps)
        for ramp in self.ramps:
            speed = speed + ramp.change_mps * ease((t_s - ramp.start_s) / ramp.duration_s)
        return speed


@dataclass(frozen=True, slots=True)
class Motion:
    """A track followed at a pace.

    Attributes:
        lead_m: How far ahead of the pace, along the track, the body is.
    """

    track: Track
    pace: Pace
    lead_m: float = 0.0

    def xy_heading(self, t_s: Floats) -> tuple[Floats, Floats]:
        """Return (n, 2) positions in metres and (n,) headings in radians at (n,) times."""
        along_m = self.lead_m + self.pace.travelled_m(t_s)
        return self.track.xy(along_m), self.track.heading(along_m)
