"""A drive on an arc that speeds up, seen by a car with nuScenes' six views."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from impromptu.arrays import Floats
from impromptu.clip import (
    Agent,
    Camera,
    Clip,
    EgoStatus,
    Kind,
    Observation,
    Trajectory,
)
from impromptu.geometry import SE2, SE3

VIEWS = ("FRONT", "FRONT RIGHT", "FRONT LEFT", "BACK", "BACK LEFT", "BACK RIGHT")
AZIMUTHS_DEG = (0, -55, 55, 180, 110, -110)
SPEED_MPS, ACCELERATION_MPS2, RADIUS_M = 8.0, 0.6, 50.0


def on_arc(t_s: Floats) -> Trajectory:
    way_m = SPEED_MPS * t_s + ACCELERATION_MPS2 * t_s**2 / 2
    yaw_rad = way_m / RADIUS_M
    xy_m = RADIUS_M * np.stack([np.sin(yaw_rad), 1 - np.cos(yaw_rad)], axis=1)
    return Trajectory(t_s, xy_m, yaw_rad)


def camera(view: str, azimuth_deg: float) -> Camera:
    """90 degrees wide, 100 x 100 pixels, 1.5 m above the ego's origin, level."""
    cos, sin = np.cos(np.deg2rad(azimuth_deg)), np.sin(np.deg2rad(azimuth_deg))
    # Columns: the camera's right, down and forward axes in the ego frame.
    rotation = np.array([[sin, 0, cos], [-cos, 0, sin], [0, -1, 0]])
    return Camera(
        view,
        Path(f"{view}.jpg"),
        (100, 100),
        np.array([[50.0, 0, 50], [0, 50, 50], [0, 0, 1]]),
        SE3(rotation, np.array([0, 0, 1.5])),
    )


def agent(
    category: str,
    kind: Kind,
    x: float,
    y: float,
    velocity_mps: tuple[float, float] | None = (0.0, 0.0),
    observed: bool = True,
) -> Agent:
    velocity = None if velocity_mps is None else np.array(velocity_mps)
    size_m = np.array([1.0, 1.0, 1.0])
    name = f"{category} at {x}, {y}"
    return Agent(name, category, kind, np.array([x, y, 1.5]), size_m, 0.0, velocity, observed)


def straight_on(agent: Agent) -> Trajectory:
    t_s = 0.5 * np.arange(1, 11)
    velocity = np.zeros(2) if agent.velocity_mps is None else agent.velocity_mps
    return Trajectory(t_s, agent.center_m[:2] + t_s[:, None] * velocity, np.zeros(10))


@pytest.fixture
def clip() -> Clip:
    past = on_arc(0.5 * np.arange(-6, 1))
    statuses = tuple(
        EgoStatus(np.array([SPEED_MPS + ACCELERATION_MPS2 * t, 0]), np.array([0.6, 1.28]), 0.25)
        for t in past.t_s
    )
    cameras = tuple(map(camera, VIEWS, AZIMUTHS_DEG))
    lidar = SE2(0.0, np.array([0.94, 0.0]))
    observation = Observation(cameras, past, statuses, ego_SE2_planning=lidar)
    future = on_arc(0.5 * np.arange(1, 11))
    return Clip("nuscenes/s/k", "nuscenes", "train", "s", 0, observation, future)


@pytest.fixture
def among(clip: Clip) -> Callable[..., Clip]:
    """The clip with agents, which go straight on."""

    def build(*agents: Agent) -> Clip:
        futures = {agent.id: straight_on(agent) for agent in agents}
        observation = replace(clip.observation, agents=agents)
        return replace(clip, observation=observation, agent_futures=futures)

    return build


@pytest.fixture
def make_agent() -> Callable[..., Agent]:
    return agent
