"""What a body is about to do, in words, from where it will be over the next three seconds.

The rules and their reasons are in docs/decisions/0003-meta-actions.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate, pairwise
from math import atan2, hypot, pi, sin
from operator import mul
from typing import get_args

import numpy as np

from impromptu.clip import (
    STEP_S,
    Agent,
    Clip,
    MetaAction,
    PathWord,
    SpeedWord,
    Trajectory,
    Unanswerable,
    covers_s,
)
from impromptu.geometry import SE2

SPEED_WORDS: tuple[SpeedWord, ...] = get_args(SpeedWord)
PATH_WORDS: tuple[PathWord, ...] = get_args(PathWord)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Where one word ends and the next begins.

    Attributes:
        horizon_s: How far ahead the questions ask.
        stop_mps: Slower than this over the last half second is a stop.
        speed_change_mps: A change of speed from now to the last half second from which on it is
            told.
        moved_m: A shorter way than this has no path but straight.
        turn_rad: A change of heading from which on it may be a turn.
        turn_radius_m: A wider mean radius than this is a bend of the road, not a turn.
        change_m: A sideways shift, beyond what the change of heading explains, from which on it
            is a change of lane.
    """

    horizon_s: float = 3.0
    stop_mps: float = 0.5
    speed_change_mps: float = 1.5
    moved_m: float = 2.0
    turn_rad: float = float(np.deg2rad(15.0))
    turn_radius_m: float = 60.0
    change_m: float = 1.0


STRICT = Thresholds()
ON_FOOT = replace(STRICT, change_m=float("inf"))
"""People on foot have no lane to change."""

_MOVING_SHARE = 0.2
"""Steps shorter than this share of the mean one have no course, only jitter."""

_Start = tuple[float, float, float]
_HERE: _Start = 0.0, 0.0, 0.0
"""x, y and heading of a body whose future is in its own present frame."""


@lru_cache(maxsize=1)  # of one clip, several questions and the clip table ask for the same
def decide(speed_mps: float, future: Trajectory, limits: Thresholds = STRICT) -> MetaAction:
    """Name what a body does.

    Args:
        speed_mps: How fast it is now, from its past alone.
        future: In its own present frame, x forward; 2 Hz, at least up to the horizon. Where it
            has no headings the courses of its first and last step stand for them, 2.5 s apart.
        limits: Where the words meet.

    Raises:
        Unanswerable: The future is shorter than the horizon.
    """
    if not covers_s(future, limits.horizon_s):
        raise Unanswerable(f"future_under_{limits.horizon_s:g}s")
    return _action(speed_mps, _HERE, future, limits)


def _action(speed_mps: float, start: _Start, future: Trajectory, limits: Thresholds) -> MetaAction:
    """Name what a body does that is at ``start`` now, in the frame of its future.

    Bodies are looked at one by one, in plain numbers: six steps are too few for arrays.
    """
    count = round(limits.horizon_s / STEP_S)
    xy_m = [start[:2], *future.xy_m[:count].tolist()]
    steps_m = [(x - a, y - b) for (a, b), (x, y) in pairwise(xy_m)]
    way_m = [hypot(*step) for step in steps_m]
    speed = _speed(speed_mps, way_m[-1] / STEP_S, limits)
    if sum(way_m) < limits.moved_m:
        return MetaAction(speed, "STRAIGHT")
    course_rad = [atan2(y, x) for x, y in steps_m]
    if future.yaw_rad is None:
        bent_rad = _bent_rad(way_m, course_rad)
        return MetaAction(speed, _path(way_m, bent_rad, bent_rad[-1], limits))
    yaw_rad = [start[2], *future.yaw_rad[:count].tolist()]
    signed_m, bent_rad = _true_to_heading(way_m, course_rad, yaw_rad)
    # Turn by turn: more than half a circle must not come out as a turn to the other side.
    return MetaAction(speed, _path(signed_m, bent_rad, _unwrapped(yaw_rad)[-1], limits))


def _speed(now_mps: float, end_mps: float, limits: Thresholds) -> SpeedWord:
    if end_mps < limits.stop_mps:
        return "STOP"
    # A body at rest cannot keep its speed and yet move.
    due_mps = limits.stop_mps if now_mps < limits.stop_mps else limits.speed_change_mps
    if end_mps - now_mps >= due_mps:
        return "ACCELERATE"
    return "DECELERATE" if now_mps - end_mps >= limits.speed_change_mps else "KEEP"


def _path(
    way_m: Sequence[float], bent_rad: Sequence[float], turned_rad: float, limits: Thresholds
) -> PathWord:
    """Name a path whose change of heading is ``turned_rad``."""
    # The mean radius is the way divided by the change of heading.
    least_rad = max(limits.turn_rad, sum(map(abs, way_m)) / limits.turn_radius_m)
    if abs(turned_rad) >= least_rad:
        return "LEFT_TURN" if turned_rad > 0 else "RIGHT_TURN"
    shift_m = _shift_m(way_m, bent_rad, turned_rad)
    if abs(shift_m) >= limits.change_m:
        return "LEFT_CHANGE" if shift_m > 0 else "RIGHT_CHANGE"
    return "STRAIGHT"


def _wrapped(angle_rad: float) -> float:
    """Bring an angle into (-pi, pi], as ``wrap_rad`` does many."""
    return pi - (pi - angle_rad) % (2 * pi)


def _unwrapped(angles_rad: Sequence[float]) -> list[float]:
    """Continue from 0 how far angles are from the first, without jumps of over half a circle."""
    return list(accumulate(_wrapped(later - earlier) for earlier, later in pairwise(angles_rad)))


def _bent_rad(way_m: Sequence[float], course_rad: Sequence[float]) -> list[float]:
    """Return courses relative to the first one; a step too short for a course takes another's."""
    least_m = _MOVING_SHARE * (sum(way_m) / len(way_m))
    moving = [step for step, length_m in enumerate(way_m) if length_m >= least_m]
    near = [min(moving, key=lambda other: abs(other - step)) for step in range(len(way_m))]
    return [0.0, *_unwrapped([course_rad[step] for step in near])]


def _true_to_heading(
    way_m: Sequence[float], course_rad: Sequence[float], yaw_rad: Sequence[float]
) -> tuple[list[float], list[float]]:
    """Return signed ways and courses: negative in reverse, and freed of their mean slip.

    A box's heading is often a few degrees off its motion throughout, and its centre slips
    sideways in a turn. Over 30 m two degrees would be a metre of shift.
    """
    slip_rad = [
        _wrapped(course - earlier - _wrapped(later - earlier) / 2)
        for course, (earlier, later) in zip(course_rad, pairwise(yaw_rad), strict=True)
    ]
    reverse = [abs(slip) > pi / 2 for slip in slip_rad]
    slip_rad = [_wrapped(slip + pi * back) for slip, back in zip(slip_rad, reverse, strict=True)]
    mean_slip_rad = sum(map(mul, way_m, slip_rad)) / sum(way_m)
    free_rad = [
        course + pi * back - mean_slip_rad for course, back in zip(course_rad, reverse, strict=True)
    ]
    signed_m = [-length if back else length for length, back in zip(way_m, reverse, strict=True)]
    return signed_m, _unwrapped([yaw_rad[0], *free_rad])


def _shift_m(way_m: Sequence[float], bent_rad: Sequence[float], turned_rad: float) -> float:
    """Return how far a path swings out sideways beyond its change of heading.

    A bend, however it tightens, takes the heading from 0 to its end value and never beyond. A
    change of lane takes it beyond and back. What lies beyond, times the way, is the shift: on a
    straight road the whole sideways move, on an arc or a clothoid nothing.
    """
    low_rad, high_rad = min(0.0, turned_rad), max(0.0, turned_rad)
    return sum(
        length_m * sin(bent - min(max(bent, low_rad), high_rad))
        for length_m, bent in zip(way_m, bent_rad, strict=True)
    )


def in_body_frame(future: Trajectory, frame: SE2) -> Trajectory:
    """Move a trajectory into the frame of a body whose present pose is ``frame``."""
    yaw_rad = None if future.yaw_rad is None else future.yaw_rad - frame.yaw_rad
    return Trajectory(future.t_s, frame.inverse().transform(future.xy_m), yaw_rad)


def ego_action(clip: Clip) -> MetaAction:
    """Name what the ego does; raises ``Unanswerable``."""
    status = clip.observation.status
    if status is None:
        raise Unanswerable("speed_unknown")
    return decide(hypot(*status.velocity_mps.tolist()), clip.future)


def agent_actions(clip: Clip) -> dict[int, MetaAction]:
    """Name what each agent of the observation does, by its number, from 1.

    Raises:
        Unanswerable: An agent's speed is not known, or it is lost before the horizon.
    """
    return {
        number: _agent_action(agent, clip.agent_futures.get(agent.id))
        for number, agent in enumerate(clip.observation.agents, start=1)
    }


def _agent_action(agent: Agent, future: Trajectory | None) -> MetaAction:
    if agent.velocity_mps is None:
        raise Unanswerable("speed_unknown")
    limits = ON_FOOT if agent.kind == "pedestrian" else STRICT
    if future is None or not covers_s(future, limits.horizon_s):
        raise Unanswerable(f"agent_lost_within_{limits.horizon_s:g}s")
    x_m, y_m, _ = agent.center_m.tolist()
    now_mps = hypot(*agent.velocity_mps.tolist())
    return _action(now_mps, (x_m, y_m, agent.yaw_rad), future, limits)
