"""What a body is about to do, in words, from where it will be over the next three seconds.

The rules and their reasons are in docs/decisions/0003-meta-actions.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import hypot
from typing import get_args

import numpy as np

from impromptu.arrays import Floats, Ints
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
from impromptu.geometry import SE2, turned, wrap_rad

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
    xy_m, yaw_rad = future.xy_m[None], _headings(future)[None]
    return _actions([speed_mps], xy_m, yaw_rad, limits, np.array([limits.change_m]))[0]


def _actions(
    speeds_mps: Sequence[float],
    xy_m: Floats,
    yaw_rad: Floats,
    limits: Thresholds,
    change_m: Floats,
) -> list[MetaAction]:
    """Name what n bodies do, each with a ``change_m`` of its own, by (n, k, 2) and (n, k)."""
    count = round(limits.horizon_s / STEP_S)
    steps_m = _steps(xy_m[:, :count])
    ends_mps = np.hypot(steps_m[:, -1, 0], steps_m[:, -1, 1]) / STEP_S
    paths = _paths(steps_m, yaw_rad[:, :count], limits, change_m)
    return [
        MetaAction(_speed(now_mps, end_mps, limits), path)
        for now_mps, end_mps, path in zip(speeds_mps, ends_mps.tolist(), paths, strict=True)
    ]


def _steps(values: Floats) -> Floats:
    """Return (n, k, ...) differences with the value before, which is 0 before the first."""
    steps = values.copy()
    steps[:, 1:] -= values[:, :-1]
    return steps


def _headings(future: Trajectory) -> Floats:
    """Return headings (n,), NaN where they are not known."""
    return np.full(len(future), np.nan) if future.yaw_rad is None else future.yaw_rad


def _speed(now_mps: float, end_mps: float, limits: Thresholds) -> SpeedWord:
    if end_mps < limits.stop_mps:
        return "STOP"
    # A body at rest cannot keep its speed and yet move.
    due_mps = limits.stop_mps if now_mps < limits.stop_mps else limits.speed_change_mps
    if end_mps - now_mps >= due_mps:
        return "ACCELERATE"
    return "DECELERATE" if now_mps - end_mps >= limits.speed_change_mps else "KEEP"


def _paths(
    steps_m: Floats, yaw_rad: Floats, limits: Thresholds, change_m: Floats
) -> list[PathWord]:
    """Name the paths of (n, k, 2) steps, at whose ends the headings are ``yaw_rad``, (n, k)."""
    way_m = np.hypot(steps_m[..., 0], steps_m[..., 1])
    course_rad = np.arctan2(steps_m[..., 1], steps_m[..., 0])
    moved, headed = way_m.sum(axis=1) >= limits.moved_m, ~np.isnan(yaw_rad[:, 0])
    words = np.full(len(way_m), PATH_WORDS.index("STRAIGHT"))
    if (rows := np.flatnonzero(moved & headed)).size:
        signed_m, bent_rad = _true_to_heading(way_m[rows], course_rad[rows], yaw_rad[rows])
        # Turn by turn: more than half a circle must not come out as a turn to the other side.
        turned_rad = _unwrapped(yaw_rad[rows])[:, -1]
        words[rows] = _words(signed_m, bent_rad, turned_rad, limits, change_m[rows])
    if (rows := np.flatnonzero(moved & ~headed)).size:
        bent_rad = _bent_rad(way_m[rows], course_rad[rows])
        words[rows] = _words(way_m[rows], bent_rad, bent_rad[:, -1], limits, change_m[rows])
    return [PATH_WORDS[word] for word in words.tolist()]


def _words(
    way_m: Floats, bent_rad: Floats, turned_rad: Floats, limits: Thresholds, change_m: Floats
) -> Ints:
    """Return places in ``PATH_WORDS`` of paths whose change of heading is ``turned_rad``."""
    shift_m = _shift_m(way_m, bent_rad, turned_rad)
    # The mean radius is the way divided by the change of heading.
    least_rad = np.maximum(limits.turn_rad, np.abs(way_m).sum(axis=1) / limits.turn_radius_m)
    turns, changes = np.abs(turned_rad) >= least_rad, np.abs(shift_m) >= change_m
    left = np.where(turns, turned_rad, shift_m) > 0
    word = PATH_WORDS.index
    turn = np.where(left, word("LEFT_TURN"), word("RIGHT_TURN"))
    change = np.where(left, word("LEFT_CHANGE"), word("RIGHT_CHANGE"))
    return np.where(turns, turn, np.where(changes, change, word("STRAIGHT")))


def _unwrapped(angles_rad: Floats) -> Floats:
    """Continue (n, k) angles from 0 without jumps of more than half a circle."""
    return np.cumsum(wrap_rad(_steps(angles_rad)), axis=1)


def _bent_rad(way_m: Floats, course_rad: Floats) -> Floats:
    """Return courses relative to the first one; a step too short for a course takes another's."""
    moving = way_m >= _MOVING_SHARE * way_m.mean(axis=1, keepdims=True)
    step = np.arange(way_m.shape[1])
    apart = np.where(moving[:, None], np.abs(step[:, None] - step), len(step))
    unbent_rad = _unwrapped(np.take_along_axis(course_rad, apart.argmin(axis=2), axis=1))
    bent_rad: Floats = unbent_rad - unbent_rad[:, :1]
    return bent_rad


def _true_to_heading(way_m: Floats, course_rad: Floats, yaw_rad: Floats) -> tuple[Floats, Floats]:
    """Return signed ways and courses: negative in reverse, and freed of their mean slip.

    A box's heading is often a few degrees off its motion throughout, and its centre slips
    sideways in a turn. Over 30 m two degrees would be a metre of shift.
    """
    turn_rad = _steps(yaw_rad)
    slip_rad = wrap_rad(course_rad - (yaw_rad - turn_rad) - wrap_rad(turn_rad) / 2)
    reverse = np.abs(slip_rad) > np.pi / 2
    slip_rad = wrap_rad(slip_rad + np.pi * reverse)
    mean_slip_rad = (way_m * slip_rad).sum(axis=1, keepdims=True) / way_m.sum(axis=1, keepdims=True)
    free_rad = _unwrapped(course_rad + np.pi * reverse - mean_slip_rad)
    return np.where(reverse, -way_m, way_m), free_rad


def _shift_m(way_m: Floats, bent_rad: Floats, turned_rad: Floats) -> Floats:
    """Return how far a path swings out sideways beyond its change of heading.

    A bend, however it tightens, takes the heading from 0 to its end value and never beyond. A
    change of lane takes it beyond and back. What lies beyond, times the way, is the shift: on a
    straight road the whole sideways move, on an arc or a clothoid nothing.
    """
    end_rad = turned_rad[:, None]
    within_rad = np.clip(bent_rad, np.minimum(0.0, end_rad), np.maximum(0.0, end_rad))
    shift_m: Floats = (way_m * np.sin(bent_rad - within_rad)).sum(axis=1)
    return shift_m


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
    agents = clip.observation.agents
    if not agents:
        return {}
    futures = [_future(agent, clip) for agent in agents]
    count = round(STRICT.horizon_s / STEP_S)
    xy_m = np.array([future.xy_m[:count] for future in futures])
    yaw_rad = np.array([_headings(future)[:count] for future in futures])
    center_m = np.array([agent.center_m[:2] for agent in agents])
    now_rad = np.array([agent.yaw_rad for agent in agents])
    speeds_mps = [hypot(*agent.velocity_mps) for agent in agents if agent.velocity_mps is not None]
    change_m = [(ON_FOOT if agent.kind == "pedestrian" else STRICT).change_m for agent in agents]
    actions = _actions(
        speeds_mps,
        turned(xy_m - center_m[:, None], -now_rad[:, None]),
        yaw_rad - now_rad[:, None],
        STRICT,
        np.array(change_m),
    )
    return dict(enumerate(actions, start=1))


def _future(agent: Agent, clip: Clip) -> Trajectory:
    """Return where an agent will be, in the ego's frame, at least up to the horizon."""
    if agent.velocity_mps is None:
        raise Unanswerable("speed_unknown")
    future = clip.agent_futures.get(agent.id)
    if future is None or not covers_s(future, STRICT.horizon_s):
        raise Unanswerable(f"agent_lost_within_{STRICT.horizon_s:g}s")
    return future
