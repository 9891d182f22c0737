"""Which agents a camera shows, and which of them the strict questions are about."""

from collections.abc import Sequence
from functools import lru_cache
from math import hypot

import numpy as np

from impromptu.arrays import Bools, Floats
from impromptu.clip import Agent, Camera, Clip

FRONT_HALF_ANGLE_RAD = float(np.deg2rad(35.0))
"""Taken for half the field of view of a front camera that has no calibration."""

VULNERABLE_AHEAD_M = 20.0
MOVING_FRONT_M, MOVING_OTHER_M = 40.0, 20.0
_NEAR_M = 0.1
_CORNERS = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])


def inside_image(camera: Camera, points_m: Floats) -> Bools | None:
    """Tell which (..., 3) points of the present ego frame fall into an image.

    Returns:
        (...) truth values, or None where the camera has no calibration or size.
    """
    if camera.intrinsics_px is None or camera.ego_SE3_camera is None or camera.size_px is None:
        return None
    ego_SE3_camera = camera.ego_SE3_camera
    seen_m = (points_m - ego_SE3_camera.translation_m) @ ego_SE3_camera.rotation
    depth_m = seen_m[..., 2]
    in_front = depth_m > _NEAR_M
    pixels = seen_m @ camera.intrinsics_px.T
    pixels_px = pixels[..., :2] / np.where(in_front, pixels[..., 2], 1.0)[..., None]
    inside: Bools = in_front & ((pixels_px >= 0) & (pixels_px < camera.size_px)).all(axis=-1)
    return inside


def centers_m(agents: Sequence[Agent]) -> Floats:
    """Return (n, 3) box centres in the present ego frame."""
    return np.array([agent.center_m for agent in agents]).reshape(-1, 3)


def corners_m(agents: Sequence[Agent]) -> Floats:
    """Return (n, 8, 3) box corners in the present ego frame."""
    local = _CORNERS * np.array([agent.size_m for agent in agents]).reshape(-1, 1, 3)
    yaw_rad = np.array([agent.yaw_rad for agent in agents])[:, None]
    x, y = local[..., 0], local[..., 1]
    turned = np.stack(
        [
            x * np.cos(yaw_rad) - y * np.sin(yaw_rad),
            x * np.sin(yaw_rad) + y * np.cos(yaw_rad),
            local[..., 2],
        ],
        axis=-1,
    )
    corners: Floats = turned + centers_m(agents)[:, None]
    return corners


def vulnerable(clip: Clip) -> list[Agent]:
    """Return the vulnerable road users that the front image shows, up to 20 m ahead.

    One is shown if its centre or at least half of its box's corners are in the image; without a
    calibration, if it is within 35 degrees of straight ahead.
    """
    near = [
        agent
        for agent in clip.observation.agents
        if agent.kind in ("pedestrian", "cyclist")
        and agent.observed
        and agent.center_m[0] <= VULNERABLE_AHEAD_M
    ]
    if not near:
        return []
    shown = _shown(clip.observation.cameras[0], near)
    return [agent for agent, is_shown in zip(near, shown, strict=True) if is_shown]


def _shown(camera: Camera, agents: Sequence[Agent]) -> Bools:
    center_in = inside_image(camera, centers_m(agents))
    corners_in = inside_image(camera, corners_m(agents))
    if center_in is None or corners_in is None:
        return _about_ahead(agents)
    shown: Bools = center_in | (corners_in.sum(axis=-1) >= 4)
    return shown


def _about_ahead(agents: Sequence[Agent]) -> Bools:
    x, y, _ = centers_m(agents).T
    ahead: Bools = np.abs(np.arctan2(y, x)) <= FRONT_HALF_ANGLE_RAD
    return ahead


def moving(clip: Clip) -> list[Agent]:
    """Return the agents in the only view of a clip that can be asked about.

    They can move, are seen, have their centre in the image and a known speed; they are at most
    40 m away in a view that looks forward, 20 m in another. Whether their future is known plays
    no part: a prompt that leaves out whom the sensors are about to lose would tell the future.
    """
    camera = clip.observation.cameras[0]
    reach_m = MOVING_FRONT_M if camera.view.startswith("FRONT") else MOVING_OTHER_M
    movers = _movers(clip.observation.agents)
    known = [agent for agent, distance_m in movers if distance_m <= reach_m]
    if not known:
        return []
    inside = inside_image(camera, centers_m(known))
    if inside is None:
        is_front = camera.view == "FRONT"
        inside = _about_ahead(known) if is_front else np.zeros(len(known), dtype=np.bool_)
    return [agent for agent, is_inside in zip(known, inside, strict=True) if is_inside]


@lru_cache(maxsize=1)  # each view of a clip asks for the same
def _movers(agents: tuple[Agent, ...]) -> list[tuple[Agent, float]]:
    """Return the agents that q2 may be about in some view, and how far away each is."""
    return [
        (agent, hypot(*agent.center_m[:2]))
        for agent in agents
        if agent.kind != "object" and agent.observed and agent.velocity_mps is not None
    ]
