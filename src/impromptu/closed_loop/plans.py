"""Plans: six places of the rear axle, half a second apart, however they were arrived at."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.interpolate import CubicSpline

from impromptu.arrays import Floats
from impromptu.closed_loop.protocol import Step
from impromptu.geometry import SE2, turned
from impromptu.sampling import LOGGED_LIMIT

COUNT = 6
T_S = 0.5 * np.arange(1, COUNT + 1)
REACH_M = LOGGED_LIMIT * T_S[-1]
"""A place further away than any car comes in 3 s is none."""
BRAKE_MPS2 = 6.0
"""The simulated vehicle's own limit."""
SIDEWAYS_MPS2, TIGHTEST_M = 1.5, 8.0
SLOWEST_MPS = 0.5
"""Below it a path in steps of a centimetre, as answers have it, points nowhere."""
_FINE = 10

Baseline = Literal["constant_velocity", "stop", "echo_route"]
OnUnreadable = Literal["fail", "hold_last", "constant_velocity", "brake"]


def of_rear_axle(path_m: Floats, ego_SE2_planning: SE2) -> Floats:
    """Return where the rear axle goes if a frame fixed to the car ahead of it takes a path.

    With E the ego's pose at a time in its present frame, S the planning frame in the ego's, and
    the path that of ``S^-1 E S``: E's place is ``S path + m - R m``, where m is S's own place and
    R the ego's turn by then. The turn follows from the path, for a rear axle does not slip
    sideways: it follows the point that it is ``d`` behind (a tractrix). Along a straight piece
    of s metres the tangent of half the angle between the car and the piece shrinks by exp(-s/d).
    Backwards it would grow without bound, so there the heading is kept.

    Args:
        path_m: (6, 2) in the present planning frame.
        ego_SE2_planning: That frame, seen from the ego; straight ahead of the rear axle or nearly.
    """
    mounted_m = ego_SE2_planning.translation_m
    lead_m = ego_SE2_planning.transform(np.concatenate([np.zeros((1, 2)), path_m]))
    fine_s = np.linspace(0.0, T_S[-1], _FINE * COUNT + 1)
    moves_m = np.diff(CubicSpline(np.append(0.0, T_S), lead_m)(fine_s), axis=0)
    yaw_rad = _followed_rad(moves_m, float(mounted_m[0]))[_FINE - 1 :: _FINE]
    placed: Floats = lead_m[1:] - turned(mounted_m, yaw_rad)
    return placed


def headings_rad(path_m: Floats) -> Floats:
    """Return the headings of a rear axle at each of the (n, 2) places of its path.

    It does not slip sideways, so it points along its path: the tangent of the cubic spline
    through the origin and the places, half a second apart. Where it stands still, all but, or
    rolls backwards, the heading is kept.
    """
    known_s = 0.5 * np.arange(len(path_m) + 1)
    from_here_m = np.concatenate([np.zeros((1, 2)), path_m])
    velocity = CubicSpline(known_s, from_here_m)(known_s[1:], 1)
    slow = np.linalg.norm(velocity, axis=-1) < SLOWEST_MPS
    return _followed_rad(np.where(slow[:, None], 0.0, velocity), 0.0)


def _followed_rad(moves_m: Floats, ahead_m: float) -> Floats:
    """Return the headings after each of (n, 2) moves of a point so far ahead of the rear axle."""
    directions = np.arctan2(moves_m[:, 1], moves_m[:, 0]).tolist()
    shrink = np.exp(-np.hypot(*moves_m.T) / max(ahead_m, 1e-6)).tolist()
    yaw_rad, headings = 0.0, []
    for direction, left in zip(directions, shrink, strict=True):
        off = np.remainder(yaw_rad - direction + np.pi, 2 * np.pi) - np.pi
        if abs(off) < np.pi / 2:
            yaw_rad += 2 * float(np.arctan(np.tan(off / 2) * left)) - off
        headings.append(yaw_rad)
    return np.array(headings)


def constant_velocity(step: Step) -> Floats:
    """Drive on straight at the present speed."""
    return _arc(float(step.velocity_mps[0]) * T_S, 0.0)


def stop(step: Step) -> Floats:
    """Stay here: six zeros, which the simulated vehicle answers by braking to a halt."""
    return np.zeros((COUNT, 2))


def brake(step: Step) -> Floats:
    """Brake straight on, at the vehicle's limit."""
    speed_mps = max(float(step.velocity_mps[0]), 0.0)
    braking_s = np.minimum(T_S, speed_mps / BRAKE_MPS2)
    return _arc(speed_mps * braking_s - BRAKE_MPS2 / 2 * braking_s**2, 0.0)


def echo_route(step: Step) -> Floats:
    """Keep the speed and turn as the command says.

    The command is all that the protocol tells of the route: whether, 3 s ahead, it is more than
    2 m to the left or right, not how far nor what shape it has. So a turn is an arc of 1.5 m/s2
    sideways, and of no less than 8 m radius; straight is straight on.
    """
    speed_mps = float(step.velocity_mps[0])
    curvature_per_m = min(SIDEWAYS_MPS2 / max(speed_mps**2, 1e-6), 1 / TIGHTEST_M)
    side = {"LEFT": 1, "STRAIGHT": 0, "RIGHT": -1}[step.command]
    return _arc(speed_mps * T_S, side * curvature_per_m)


def _arc(along_m: Floats, curvature_per_m: float) -> Floats:
    """Return the (n, 2) places along an arc that begins straight ahead."""
    half_rad = along_m * curvature_per_m / 2
    chord_m = along_m * np.sinc(half_rad / np.pi)
    return np.stack([chord_m * np.cos(half_rad), chord_m * np.sin(half_rad)], axis=-1)


BASELINES: Mapping[Baseline, Callable[[Step], Floats]] = {
    "constant_velocity": constant_velocity,
    "stop": stop,
    "echo_route": echo_route,
}


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """The last plan that was read, and where and when.

    Attributes:
        path_m: (6, 2) in the ego frame of then.
    """

    path_m: Floats
    timestamp_ns: int
    world_SE2_ego: SE2

    def now(self, step: Step) -> Floats | None:
        """Return the rest of it in the present ego frame, driven on past its end; None if over."""
        past_s = (step.timestamp_ns - self.timestamp_ns) / 1e9
        if past_s >= T_S[-1]:
            return None
        known_s = np.append(0.0, T_S)
        known_m = np.concatenate([np.zeros((1, 2)), self.path_m])
        asked_s = T_S + past_s
        inside = np.minimum(asked_s, known_s[-1])
        path_m = np.stack([np.interp(inside, known_s, axis_m) for axis_m in known_m.T], axis=-1)
        path_m += (asked_s - inside)[:, None] * (known_m[-1] - known_m[-2]) / 0.5
        now_SE2_then = step.world_SE2_ego.inverse() @ self.world_SE2_ego
        return now_SE2_then.transform(path_m)


def fill(policy: OnUnreadable, step: Step, held: Held | None) -> Floats | None:
    """Return what is driven where an answer cannot be read; None where that is a failure."""
    match policy:
        case "fail":
            return None
        case "hold_last":
            return held.now(step) if held else None
        case "constant_velocity":
            return constant_velocity(step)
        case "brake":
            return brake(step)


def is_plan(path_m: Floats) -> bool:
    """Tell whether a path is six places that a car can come to."""
    return path_m.shape == (COUNT, 2) and bool((np.abs(path_m) <= REACH_M).all())
