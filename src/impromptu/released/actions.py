"""What the ego and agents do, and the ego's navigation command, by the published rules."""

import numpy as np

from impromptu.arrays import Floats
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
from impromptu.geometry import SE2, wrap_rad
from impromptu.meta_actions import in_body_frame
from impromptu.released.rules import BENDS, Bends

HORIZON_S = 5.0
_STOP_MPS, _SPEED_CHANGE_MPS = 2.0, 3.0
_NAVIGATION_SIDE_M, _NAVIGATION_AHEAD_M = 10.0, 20.0


def path_m(clip: Clip) -> Floats:
    """Return (11, 2) positions from the present to 5 s."""
    return _with_start(_full(clip.future).xy_m)


def _with_start(future_m: Floats, start_m: Floats | None = None) -> Floats:
    start = np.zeros((1, 2)) if start_m is None else start_m[None]
    return np.concatenate([start, future_m])


def _full(future: Trajectory) -> Trajectory:
    if not covers_s(future, HORIZON_S):
        raise Unanswerable(f"future_under_{HORIZON_S:g}s")
    return future[: round(HORIZON_S / STEP_S)]


def _bends(dataset: str) -> Bends:
    if dataset not in BENDS:
        raise Unanswerable("no_released_rules")
    return BENDS[dataset]


def ego_action(clip: Clip) -> MetaAction:
    """Name what the ego does, by the rules published for its dataset."""
    return _action(clip.dataset, path_m(clip))


def _action(dataset: str, points_m: Floats) -> MetaAction:
    bends, speeds_mps = _bends(dataset), np.linalg.norm(np.diff(points_m, axis=0), axis=1) / STEP_S
    if dataset == "nuscenes":
        speed = _speed(float(speeds_mps.max()), float(speeds_mps[-1] - speeds_mps[0]))
        return MetaAction(speed, _nuscenes_path(points_m, bends))
    speed = _speed(float(speeds_mps[0]), float(speeds_mps[4] - speeds_mps[0]))
    return MetaAction(speed, _path(points_m[:4], bends))


def _speed(judged_mps: float, change_mps: float) -> SpeedWord:
    if judged_mps < _STOP_MPS:
        return "STOP"
    if abs(change_mps) < _SPEED_CHANGE_MPS:
        return "KEEP"
    return "ACCELERATE" if change_mps > 0 else "DECELERATE"


def _path(points_m: Floats, bends: Bends) -> PathWord:
    aside_m, _ = _off_first_step(points_m)
    turned_deg = _turned_deg(points_m)
    if aside_m < bends.side_m:
        return "STRAIGHT"
    if abs(turned_deg) >= bends.turn_deg:
        return "LEFT_TURN" if turned_deg > 0 else "RIGHT_TURN"
    return "RIGHT_CHANGE" if turned_deg < 0 else "LEFT_CHANGE"


def _nuscenes_path(points_m: Floats, bends: Bends) -> PathWord:
    forward_m, left_m = points_m[-1] - points_m[0]
    if abs(left_m) <= bends.side_m:
        return "STRAIGHT"
    if np.rad2deg(abs(np.arctan2(left_m, forward_m))) >= bends.turn_deg:
        return "LEFT_TURN" if left_m > 0 else "RIGHT_TURN"
    return "LEFT_CHANGE" if left_m > 0 else "RIGHT_CHANGE"


def _off_first_step(points_m: Floats) -> tuple[float, float]:
    """Return how far the last point is from the line of the first step, and how far along it.

    A first step of no length has no line; the last point is then taken to be on it.
    """
    step_m, way_m = points_m[1] - points_m[0], points_m[-1] - points_m[0]
    unit = step_m / max(float(np.linalg.norm(step_m)), 1e-9)
    return abs(float(unit[0] * way_m[1] - unit[1] * way_m[0])), float(unit @ way_m)


def _turned_deg(points_m: Floats) -> float:
    x, y = np.diff(points_m, axis=0)[[0, -1]].T
    first_rad, last_rad = np.arctan2(y, x)
    return float(np.rad2deg(wrap_rad(last_rad - first_rad)))


def navigation(clip: Clip) -> str:
    """Return the published navigation command, which is read off the future."""
    points_m = path_m(clip)
    if clip.dataset == "nuscenes":
        # The published code takes left for forward and forward for left.
        forward_m, left_m = points_m[-1]
        aside_m, along_m, side = abs(forward_m), -left_m, forward_m
    else:
        aside_m, along_m = _off_first_step(points_m)
        side = _turned_deg(points_m[:4] if clip.dataset == "idd" else points_m)
    if aside_m < _NAVIGATION_SIDE_M:
        return "go straight"
    turn = "turn left" if side > 0 else "turn right"
    return f"go straight and {turn}" if along_m >= _NAVIGATION_AHEAD_M else turn


def agent_actions(clip: Clip) -> dict[int, MetaAction]:
    """Name what each agent of the observation does, by its number, from 1."""
    return {
        number: _action(clip.dataset, agent_path_m(clip, agent))
        for number, agent in enumerate(clip.observation.agents, start=1)
    }


def agent_path_m(clip: Clip, agent: Agent) -> Floats:
    """Return (11, 2) positions as published code saw them.

    nuScenes: in the agent's own frame. Argoverse 2: each as seen from the ego of that instant, so
    that a parked car moves at the ego's speed. Elsewhere: over the ground.
    """
    frame = SE2(agent.yaw_rad, agent.center_m[:2])
    future = _full(clip.agent_futures[agent.id])
    if clip.dataset == "nuscenes":
        return _with_start(in_body_frame(future, frame).xy_m)
    if clip.dataset == "argoverse2":
        return _with_start(_seen_from_ego_m(future, _full(clip.future)), agent.center_m[:2])
    return _with_start(future.xy_m, agent.center_m[:2])


def _seen_from_ego_m(agent: Trajectory, ego: Trajectory) -> Floats:
    if ego.yaw_rad is None:
        raise Unanswerable("heading_unknown")
    cos, sin = np.cos(ego.yaw_rad), np.sin(ego.yaw_rad)
    x, y = (agent.xy_m - ego.xy_m).T
    return np.stack([cos * x + sin * y, cos * y - sin * x], axis=1)
