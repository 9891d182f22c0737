"""No model: keeps the turn rate and the acceleration along the path that the prompt tells.

The acceleration of a body that turns is its change of speed along its course and, across it,
speed times turn rate; so a told velocity and acceleration give both. Where no acceleration is
told, the last two steps do. A car that brakes comes to rest and stays there.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import roots_legendre

from impromptu.arrays import Floats
from impromptu.engines._asked import Asked, path_engine
from impromptu.engines._told import Told
from impromptu.geometry import wrap_rad

MIN_RADIUS_M = 5.0
"""No car's path is bent more tightly; a slow car's numbers, rounded, would say it spins."""

_NODES, _WEIGHTS = roots_legendre(24)


@dataclass(frozen=True, slots=True)
class Motion:
    """How the car moves now.

    Attributes:
        speed_mps: Along the course; at least 0.
        acceleration_mps2: Likewise.
        course_rad: Direction of travel in the present frame; backwards in reverse.
        turn_radps: Turn rate of the course, left positive.
    """

    speed_mps: float
    acceleration_mps2: float
    course_rad: float
    turn_radps: float

    def moved_m(self, t_s: Floats) -> Floats:
        """Return the (k, 2) way gone at (k,) times: the integral of velocity, by Gauss's rule."""
        braking_mps2 = -self.acceleration_mps2
        stops_s = self.speed_mps / braking_mps2 if braking_mps2 > 0 else np.inf
        moving_s = np.minimum(t_s, stops_s)[:, None]
        at_s = moving_s * (_NODES + 1) / 2
        speed_mps = self.speed_mps + self.acceleration_mps2 * at_s
        course_rad = self.course_rad + self.turn_radps * at_s
        part_m = moving_s / 2 * _WEIGHTS * speed_mps
        return np.stack(
            [(part_m * np.cos(course_rad)).sum(axis=1), (part_m * np.sin(course_rad)).sum(axis=1)],
            axis=1,
        )


def path_m(asked: Asked) -> Floats:
    """Return the (k, 2) places."""
    told, acceleration_mps2 = asked.told, asked.told.acceleration_mps2[-1]
    if np.isnan(acceleration_mps2).any():
        motion = _of_steps(told, asked.now_mps)
    else:
        motion = _of_status(asked.now_mps, acceleration_mps2)
    path: Floats = told.xy_m[-1] + motion.moved_m(asked.t_s)
    return path


def _of_status(velocity_mps: Floats, acceleration_mps2: Floats) -> Motion:
    """Split the acceleration along the velocity and across it."""
    speed_mps, course_rad = _polar(velocity_mps)
    x, y = acceleration_mps2
    along = np.cos(course_rad) * x + np.sin(course_rad) * y
    across = np.cos(course_rad) * y - np.sin(course_rad) * x
    turn_radps = across / speed_mps if speed_mps else 0.0
    return _bounded(speed_mps, along, course_rad, turn_radps)


def _of_steps(told: Told, velocity_mps: Floats) -> Motion:
    """Take turn rate and acceleration from the last two steps; none of either with fewer."""
    speed_mps, course_rad = _polar(velocity_mps)
    if len(told.t_s) < 3:
        return Motion(speed_mps, 0.0, course_rad, 0.0)
    steps_s = np.diff(told.t_s)[-2:]
    before, last = (_polar(step) for step in np.diff(told.xy_m, axis=0)[-2:] / steps_s[:, None])
    apart_s = steps_s.mean()
    turned_rad = float(wrap_rad(last[1] - before[1]))
    # More than a quarter circle in a step is no turn: the car has begun to reverse, or the reverse.
    turn_radps = turned_rad / apart_s if abs(turned_rad) < np.pi / 2 else 0.0
    along_mps2 = (last[0] - before[0]) / apart_s
    if np.isnan(told.velocity_mps[-1, 0]):
        # A step has the speed and course of its middle, and its chord is shorter than its arc.
        back_s = steps_s[1] / 2
        chord = np.sinc(_bounded(last[0], 0.0, 0.0, turn_radps).turn_radps * back_s / np.pi)
        speed_mps = max(last[0] / chord + along_mps2 * back_s, 0.0)
        course_rad = last[1] + turn_radps * back_s
    return _bounded(speed_mps, along_mps2, course_rad, turn_radps)


def _polar(vector: Floats) -> tuple[float, float]:
    return float(np.hypot(*vector)), float(np.arctan2(vector[1], vector[0]))


def _bounded(speed: float, along: float, course: float, turn_radps: float) -> Motion:
    most_radps = speed / MIN_RADIUS_M
    return Motion(speed, along, course, float(np.clip(turn_radps, -most_radps, most_radps)))


ENGINE = path_engine(path_m)
