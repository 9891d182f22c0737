"""What published prompts show: views, status and command, and the agents they ask about."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from impromptu import visibility
from impromptu.clip import STEP_S, Agent, Clip, EgoStatus, Observation, Unanswerable, covers_s
from impromptu.geometry import wrap_rad
from impromptu.released.actions import HORIZON_S, agent_path_m, navigation, path_m
from impromptu.released.rules import SECTORS, VIEW_NAMES, VULNERABLE


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
        speed_mps = float(np.linalg.norm(path_m(clip)[1]) / STEP_S)
    elif clip.observation.status is None:
        raise Unanswerable("speed_unknown")
    else:
        speed_mps = float(clip.observation.status.velocity_mps[0])
    return EgoStatus(np.array([np.trunc(speed_mps), 0.0]), logged=False)


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
        and covers_s(clip.agent_futures[agent.id], HORIZON_S)
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
        velocity_mps = np.diff(agent_path_m(clip, agent)[:2], axis=0)[0] / STEP_S
    told_mps = np.trunc(np.linalg.norm(velocity_mps))
    return replace(agent, velocity_mps=np.array([told_mps, 0.0]))


def _cut_down(agent: Agent) -> Agent:
    """Cut metres down to whole ones, as published texts do, where the strict ones round."""
    return replace(agent, center_m=np.trunc(agent.center_m))
