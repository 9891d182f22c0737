from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from impromptu.arrays import Floats
from impromptu.clip import Agent, Camera, Clip, Observation, Trajectory
from impromptu.geometry import SE3
from impromptu.pictures import Paths

GREY = 120
_LEVEL = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])


def path(*xy_m: tuple[float, float]) -> Trajectory:
    return Trajectory(0.5 * np.arange(1, len(xy_m) + 1), np.array(xy_m))


@pytest.fixture
def camera(tmp_path: Path) -> Camera:
    """A level camera 1 m ahead of the ego's origin and 1.5 m up, over a plain grey image."""
    Image.new("RGB", (400, 200), (GREY, GREY, GREY)).save(tmp_path / "front.png")
    intrinsics_px: Floats = np.array([[100.0, 0, 200], [0, 100, 100], [0, 0, 1]])
    ego_SE3_camera = SE3(_LEVEL, np.array([1.0, 0.0, 1.5]))
    return Camera("FRONT", tmp_path / "front.png", (400, 200), intrinsics_px, ego_SE3_camera)


@pytest.fixture
def clip(camera: Camera) -> Clip:
    past = Trajectory(np.array([-0.5, 0.0]), np.array([[-4.0, 0], [0, 0]]))
    agents = (
        Agent("a", "car", "vehicle", np.array([8.0, 4, 0.8]), np.array([4.0, 2, 1.6]), np.pi / 2),
        Agent("b", "cone", "object", np.array([900.0, 0, 0.3]), np.array([0.4, 0.4, 0.6]), 0.0),
    )
    observation = Observation((camera,), past, (None, None), agents)
    return Clip("d/l/k", "d", "val", "l", 0, observation, path((4, 0), (8, 0.5), (12, 2)))


@pytest.fixture
def paths(clip: Clip) -> Paths:
    predicted = {"tiny model": path((3, 0), (6, -1), (9, -3)), "mute": None}
    return Paths(clip.observation.past, clip.future, predicted)
