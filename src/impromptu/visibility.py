"""Which agents a camera shows, and which of them the strict questions are about."""

from collections.abc import Sequence
from functools import lru_cache

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
    pixels = seen_m @ camera.intrinsics_px.T
    # Homogeneous: a pixel's column is x / scale. Multiplied out, nothing is divided by zero.
    x, y, scale = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    width_px, height_px = camera.size_px
    inside: Bools = (seen_m[..., 2] > _NEAR_M) & (x >= 0) & (y >= 0)
    inside &= (x < width_px * scale) & (y < height_px * scale)
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
    shown = inside_image(camera, centers_m(agents))
    if shown is None:
        return _about_ahead(centers_m(agents))
    if not shown.all() and (corners_in := inside_image(camera, corners_m(agents))) is not None:
        shown |= corners_in.sum(axis=-1) >= 4
    return shown


def _about_ahead(points_m: Floats) -> Bools:
    ahead: Bools = np.abs(np.arctan2(points_m[:, 1], points_m[:, 0])) <= FRONT_HALF_ANGLE_RAD
    return ahead


def moving(clip: Clip) -> list[Agent]:
    """Return the agents in the only view of a clip that can be asked about.

    They can move, are seen, have their centre in the image and a known speed; they are at most
    40 m away in a view that looks forward, 20 m in another. Whether their future is known plays
    no part: a prompt that leaves out whom the sensors are about to lose would tell the future.
    """
    camera = clip.observation.cameras[0]
    reach_m = MOVING_FRONT_M if camera.view.startswith("FRONT") else MOVING_OTHER_M
    movers, places_m, distances_m = _movers(clip.observation.agents)
    near = distances_m <= reach_m
    if not near.any():
        return []
    inside = inside_image(camera, places_m)
    if inside is None:
        inside = _about_ahead(places_m) if camera.view == "FRONT" else np.zeros_like(near)
    return [movers[row] for row in np.flatnonzero(near & inside).tolist()]


@lru_cache(maxsize=1)  # each view of a clip asks for the same
def _movers(agents: tuple[Agent, ...]) -> tuple[list[Agent], Floats, Floats]:
    """Return the agents that q2 may be about in some view, their centres and how far they are."""
    movers = [
        agent
        for agent in agents
        if agent.kind != "object" and agent.observed and agent.velocity_mps is not None
    ]
    places_m = centers_m(movers)
    return movers, places_m, np.hypot(places_m[:, 0], places_m[:, 1])
