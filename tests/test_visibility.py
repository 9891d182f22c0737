from pathlib import Path

import numpy as np

from impromptu.clip import Agent, Camera
from impromptu.geometry import SE3
from impromptu.visibility import corners_m, inside_image

# Looks along the ego's x axis from 2 m ahead of its origin and 1 m above it.
CAMERA = Camera(
    "FRONT",
    Path("front.jpg"),
    (200, 100),
    np.array([[100.0, 0, 100], [0, 100, 50], [0, 0, 1]]),
    SE3(np.array([[0, 0, 1], [-1, 0, 0], [0, -1, 0]]), np.array([2.0, 0, 1])),
)


def test_a_point_is_inside_if_its_pixel_is() -> None:
    points_m = np.array(
        [
            [12, 0, 1],  # straight ahead: pixel (100, 50)
            [12, 9.9, 1],  # 10 m deep, 9.9 m to the left: pixel (1, 50)
            [12, 10.1, 1],  # pixel (-1, 50)
            [12, -9.9, 1],  # pixel (199, 50)
            [12, -10, 1],  # pixel (200, 50), one beyond the last
            [12, 0, 5.9],  # pixel (100, 1)
            [12, 0, 6.1],  # pixel (100, -1)
            [12, 0, -3.9],  # pixel (100, 99)
            [-8, 0, 1],  # behind
            [2, 0, 1],  # in the camera
            [2.05, 0, 1],  # too near to be seen
        ]
    )
    inside = inside_image(CAMERA, points_m)
    assert inside is not None
    assert np.flatnonzero(inside).tolist() == [0, 1, 3, 5, 7]


def test_without_calibration_nothing_is_known() -> None:
    assert inside_image(Camera("FRONT", Path("front.jpg")), np.zeros((1, 3))) is None


def test_corners_turn_with_the_box() -> None:
    box = Agent("a", "car", "vehicle", np.array([10.0, 5, 1]), np.array([4.0, 2, 2]), np.pi / 2)
    (corners,) = corners_m([box])
    np.testing.assert_allclose(corners.min(axis=0), [9, 3, 0], atol=1e-12)
    np.testing.assert_allclose(corners.max(axis=0), [11, 7, 2], atol=1e-12)
    assert len(np.unique(corners.round(6), axis=0)) == 8
