"""What a body is about to do, in words, from where it will be over the next three seconds.

The rules and their reasons are in docs/decisions/0003-meta-actions.md.
"""

from dataclasses import dataclass, replace
from typing import get_args

import numpy as np

from impromptu.arrays import Floats
from impromptu.clip import (
    STEP_S,
    Clip,
    MetaAction,
    PathWord,
    SpeedWord,
    Trajectory,
    Unanswerable,
    covers_s,
)
from impromptu.geometry import SE2, wrap_rad

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
    future = future[: round(limits.horizon_s / STEP_S)]
    steps_m = np.diff(future.xy_m, axis=0, prepend=[[0.0, 0.0]])
    end_mps = float(np.linalg.norm(steps_m[-1])) / STEP_S
    return MetaAction(_speed(speed_mps, end_mps, limits), _path(steps_m, future.yaw_rad, limits))


def _speed(now_mps: float, end_mps: float, limits: Thresholds) -> SpeedWord:
    if end_mps < limits.stop_mps:
        return "STOP"
    # A body at rest cannot keep its speed and yet move.
    due_mps = limits.stop_mps if now_mps < limits.stop_mps else limits.speed_change_mps
    if end_mps - now_mps >= due_mps:
        return "ACCELERATE"
    return "DECELERATE" if now_mps - end_mps >= limits.speed_change_mps else "KEEP"


def _path(steps_m: Floats, yaw_rad: Floats | None, limits: Thresholds) -> PathWord:
    """Name the path of (n, 2) steps, at whose ends the headings are ``yaw_rad``."""
    way_m = np.linalg.norm(steps_m, axis=1)
    if way_m.sum() < limits.moved_m:
        return "STRAIGHT"
    course_rad = np.arctan2(steps_m[:, 1], steps_m[:, 0])
    if yaw_rad is None:
        bent_rad = _bent_rad(way_m, course_rad)
        turned_rad = float(bent_rad[-1])
    else:
        way_m, bent_rad = _true_to_heading(way_m, course_rad, yaw_rad)
        # Turn by turn: more than half a circle must not come out as a turn to the other side.
        turned_rad = float(np.unwrap([0.0, *yaw_rad])[-1])
    # The mean radius is the way divided by the change of heading.
    if abs(turned_rad) >= max(limits.turn_rad, np.abs(way_m).sum() / limits.turn_radius_m):
        return "LEFT_TURN" if turned_rad > 0 else "RIGHT_TURN"
    shift_m = _shift_m(way_m, bent_rad, turned_rad)
    if abs(shift_m) >= limits.change_m:
        return "LEFT_CHANGE" if shift_m > 0 else "RIGHT_CHANGE"
    return "STRAIGHT"


def _bent_rad(way_m: Floats, course_rad: Floats) -> Floats:
    """Return courses relative to the first one; a step too short for a course takes another's."""
    moving = np.flatnonzero(way_m >= _MOVING_SHARE * way_m.mean())
    nearest = moving[np.abs(np.arange(len(way_m))[:, None] - moving).argmin(axis=1)]
    bent_rad: Floats = np.unwrap(course_rad[nearest]) - course_rad[moving[0]]
    return bent_rad


def _true_to_heading(way_m: Floats, course_rad: Floats, yaw_rad: Floats) -> tuple[Floats, Floats]:
    """Return signed ways and courses: negative in reverse, and freed of their mean slip.

    A box's heading is often a few degrees off its motion throughout, and its centre slips
    sideways in a turn. Over 30 m two degrees would be a metre of shift.
    """
    before_rad = np.concatenate([[0.0], yaw_rad[:-1]])
    slip_rad = wrap_rad(course_rad - before_rad - wrap_rad(yaw_rad - before_rad) / 2)
    reverse = np.abs(slip_rad) > np.pi / 2
    slip_rad = wrap_rad(slip_rad + np.pi * reverse)
    mean_slip_rad = float(way_m @ slip_rad / way_m.sum())
    free_rad = np.unwrap([0.0, *(course_rad + np.pi * reverse - mean_slip_rad)])[1:]
    return np.where(reverse, -way_m, way_m), free_rad


def _shift_m(way_m: Floats, bent_rad: Floats, turned_rad: float) -> float:
    """Return how far a path swings out sideways beyond its change of heading.

    A bend, however it tightens, takes the heading from 0 to its end value and never beyond. A
    change of lane takes it beyond and back. What lies beyond, times the way, is the shift: on a
    straight road the whole sideways move, on an arc or a clothoid nothing.
    """
    within_rad = np.clip(bent_rad, min(0.0, turned_rad), max(0.0, turned_rad))
    return float((way_m * np.sin(bent_rad - within_rad)).sum())


def in_body_frame(future: Trajectory, frame: SE2) -> Trajectory:
    """Move a trajectory into the frame of a body whose present pose is ``frame``."""
    yaw_rad = None if future.yaw_rad is None else future.yaw_rad - frame.yaw_rad
    return Trajectory(future.t_s, frame.inverse().transform(future.xy_m), yaw_rad)


def ego_action(clip: Clip) -> MetaAction:
    """Name what the ego does; raises ``Unanswerable``."""
    status = clip.observation.status
    if status is None:
        raise Unanswerable("speed_unknown")
    return decide(float(np.linalg.norm(status.velocity_mps)), clip.future)


def agent_actions(clip: Clip) -> dict[int, MetaAction]:
    """Name what each agent of the observation does, by its number, from 1.

    Raises:
        Unanswerable: An agent's speed is not known, or it is lost before the horizon.
    """
    actions = {}
    for number, agent in enumerate(clip.observation.agents, start=1):
        if agent.velocity_mps is None:
            raise Unanswerable("speed_unknown")
        known = clip.agent_futures.get(agent.id)
        if known is None or not covers_s(known, STRICT.horizon_s):
            raise Unanswerable(f"agent_lost_within_{STRICT.horizon_s:g}s")
        frame = SE2(agent.yaw_rad, agent.center_m[:2])
        future = in_body_frame(known, frame)
        limits = ON_FOOT if agent.kind == "pedestrian" else STRICT
        actions[number] = decide(float(np.linalg.norm(agent.velocity_mps)), future, limits)
    return actions
