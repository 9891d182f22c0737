"""The published rules, their faults included: for asking published checkpoints, nothing else.

They judge by the present speed and over horizons other than the question's, and they print a
velocity and an acceleration taken from the future. What a clip does not hold cannot be imitated:
headings in the world (differences of headings were not wrapped; here they are), labels that the
last frames of a scene took over from earlier ones, and the path beyond 5 s. Distances to agents
in q2 are rounded here and were cut down.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from impromptu import visibility
from impromptu.arrays import Floats
from impromptu.clip import (
    STEP_S,
    Agent,
    Clip,
    EgoStatus,
    MetaAction,
    Observation,
    PathWord,
    SpeedWord,
    Trajectory,
    Unanswerable,
    covers_s,
)
from impromptu.geometry import SE2, wrap_rad
from impromptu.meta_actions import in_body_frame

WARNING = (
    "labels and status follow published rules that look into the future; "
    "for evaluating published checkpoints only, not for training"
)

_HORIZON_S = 5.0
_STOP_MPS, _SPEED_CHANGE_MPS = 2.0, 3.0
_NAVIGATION_SIDE_M, _NAVIGATION_AHEAD_M = 10.0, 20.0


@dataclass(frozen=True, slots=True)
class Bends:
    """What is no longer straight, and what is a turn rather than a change of lane."""

    side_m: float
    turn_deg: float


BENDS: Mapping[str, Bends] = {
    "argoverse2": Bends(1.0, 5.0),
    "idd": Bends(2.0, 20.0),
    "kitti": Bends(0.5, 5.0),
    "mapillary_sls": Bends(1.0, 5.0),
    "navsim": Bends(2.0, 30.0),
    "nuscenes": Bends(4.0, 5.0),
    "once": Bends(1.0, 10.0),
    "waymo": Bends(1.0, 5.0),
}

VULNERABLE: Mapping[str, tuple[str, ...]] = {
    "argoverse2": ("PEDESTRIAN", "WHEELCHAIR"),
    "nuscenes": ("bicycle", "motorcycle", "pedestrian"),
    "waymo": ("Cyclist", "Pedestrian"),
}

_SIDE_VIEWS = {
    "FRONT": (-15.0, 15.0),
    "FRONT LEFT": (15.0, 75.0),
    "FRONT RIGHT": (-75.0, -15.0),
    "SIDE LEFT": (75.0, 125.0),
    "SIDE RIGHT": (-125.0, -75.0),
    "REAR LEFT": (125.0, 180.0),
    "REAR RIGHT": (-180.0, -125.0),
}
_NUSCENES_AXES = {
    "FRONT": 0.0,
    "FRONT LEFT": 55.0,
    "FRONT RIGHT": -55.0,
    "BACK": 180.0,
    "BACK LEFT": 110.0,
    "BACK RIGHT": -110.0,
}
SECTORS: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "argoverse2": _SIDE_VIEWS,
    "nuscenes": {view: (axis - 35.0, axis + 35.0) for view, axis in _NUSCENES_AXES.items()},
    "waymo": {view: sector for view, sector in _SIDE_VIEWS.items() if "REAR" not in view},
}
"""Degrees to the left between which an agent counts as seen, whatever the image shows."""

VIEW_NAMES: Mapping[str, Mapping[str, str]] = {
    "argoverse2": {"SIDE LEFT": "BACK LEFT", "SIDE RIGHT": "BACK RIGHT"}
}
"""Views that the published prompts call by another name."""


def show(clip: Clip, task: str) -> Observation:
    """Return what published prompts tell: names of views, status and navigation command."""
    names = VIEW_NAMES.get(clip.dataset, {})
    observation = replace(
        clip.observation,
        cameras=tuple(
            replace(camera, view=names.get(camera.view, camera.view))
            for camera in clip.observation.cameras
        ),
    )
    if task == "q7":
        return replace(observation, statuses=leaked_statuses(clip))
    if task in ("q3", "q6"):
        status = _told_speed(clip)
        statuses = (*observation.statuses[:-1], status)
        return replace(observation, statuses=statuses, command=navigation(clip))
    return observation


def leaked_statuses(clip: Clip) -> tuple[EgoStatus, ...]:
    """Return forward differences of two-decimal positions, one status for each past point.

    The velocity of the present is the first future waypoint divided by 0.5 s, its acceleration
    holds the second one.
    """
    points_m = np.round(np.concatenate([clip.observation.past.xy_m, clip.future.xy_m[:2]]), 2)
    velocity_mps = np.diff(points_m, axis=0) / STEP_S
    acceleration_mps2 = np.diff(velocity_mps, axis=0) / STEP_S
    return tuple(
        EgoStatus(velocity, acceleration, logged=False)
        for velocity, acceleration in zip(velocity_mps[:-1], acceleration_mps2, strict=True)
    )


def _told_speed(clip: Clip) -> EgoStatus:
    """Return the speed of q3 and q6, cut down to whole m/s: logged for nuScenes, else leaked."""
    if clip.dataset != "nuscenes":
        speed_mps = float(np.linalg.norm(_path_m(clip)[1]) / STEP_S)
    elif clip.observation.status is None:
        raise Unanswerable("speed_unknown")
    else:
        speed_mps = float(clip.observation.status.velocity_mps[0])
    return EgoStatus(np.array([np.trunc(speed_mps), 0.0]), logged=False)


def _path_m(clip: Clip) -> Floats:
    """Return (11, 2) positions from the present to 5 s."""
    return _with_start(_full(clip.future).xy_m)


def _with_start(future_m: Floats, start_m: Floats | None = None) -> Floats:
    start = np.zeros((1, 2)) if start_m is None else start_m[None]
    return np.concatenate([start, future_m])


def _full(future: Trajectory) -> Trajectory:
    if not covers_s(future, _HORIZON_S):
        raise Unanswerable(f"future_under_{_HORIZON_S:g}s")
    return future[: round(_HORIZON_S / STEP_S)]


def _bends(dataset: str) -> Bends:
    if dataset not in BENDS:
        raise Unanswerable("no_released_rules")
    return BENDS[dataset]


def ego_action(clip: Clip) -> MetaAction:
    """Name what the ego does, by the rules published for its dataset."""
    return _action(clip.dataset, _path_m(clip))


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
    points_m = _path_m(clip)
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
        number: _action(clip.dataset, _agent_path_m(clip, agent))
        for number, agent in enumerate(clip.observation.agents, start=1)
    }


def _agent_path_m(clip: Clip, agent: Agent) -> Floats:
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


def vulnerable(clip: Clip) -> list[Agent]:
    """Return the agents q1 is about: of the published classes, in the sector of the front view."""
    categories = VULNERABLE.get(clip.dataset)
    if categories is None:
        raise Unanswerable("no_released_rules")
    near = [agent for agent in clip.observation.agents if agent.category in categories]
    return [
        _cut_down(agent)
        for agent in _in_sector(clip, near)
        if 0 < agent.center_m[0] <= visibility.VULNERABLE_AHEAD_M
    ]


def moving(clip: Clip) -> list[Agent]:
    """Return the agents q2 is about: any with a full future, in the sector of the only view."""
    view = clip.observation.cameras[0].view
    near_only = clip.dataset == "nuscenes" and not view.startswith("FRONT")
    reach_m = visibility.MOVING_OTHER_M if near_only else visibility.MOVING_FRONT_M
    return [
        _with_told_speed(clip, agent)
        for agent in _in_sector(clip, clip.observation.agents)
        if agent.category.upper() not in ("SIGN", "UNKNOWN")
        and agent.id in clip.agent_futures
        and covers_s(clip.agent_futures[agent.id], _HORIZON_S)
        and np.hypot(*agent.center_m[:2]) < reach_m
        and (agent.velocity_mps is not None or clip.dataset != "nuscenes")
    ]


def _in_sector(clip: Clip, agents: Sequence[Agent]) -> list[Agent]:
    names = VIEW_NAMES.get(clip.dataset, {})
    sectors = {
        names.get(view, view): sector for view, sector in SECTORS.get(clip.dataset, {}).items()
    }
    view = clip.observation.cameras[0].view
    if view not in sectors:
        raise Unanswerable("no_released_rules")
    low, high = sectors[view]
    middle, half = (low + high) / 2, (high - low) / 2
    return [agent for agent in agents if abs(_off_deg(agent, middle)) <= half]


def _off_deg(agent: Agent, axis_deg: float) -> float:
    x, y, _ = agent.center_m
    return float(np.rad2deg(wrap_rad(np.arctan2(y, x) - np.deg2rad(axis_deg))))


def _with_told_speed(clip: Clip, agent: Agent) -> Agent:
    """Give an agent the speed that the prompt tells, cut down to whole m/s.

    It is a forward difference, but for nuScenes. Only its size is told.
    """
    velocity_mps = agent.velocity_mps
    if clip.dataset != "nuscenes" or velocity_mps is None:
        velocity_mps = np.diff(_agent_path_m(clip, agent)[:2], axis=0)[0] / STEP_S
    told_mps = np.trunc(np.linalg.norm(velocity_mps))
    return replace(agent, velocity_mps=np.array([told_mps, 0.0]))


def _cut_down(agent: Agent) -> Agent:
    """Cut metres down to whole ones, as published texts do, where the strict ones round."""
    return replace(agent, center_m=np.trunc(agent.center_m))
