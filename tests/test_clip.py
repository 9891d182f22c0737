"""The types of a clip refuse what would mislead later."""

from pathlib import Path

import numpy as np
import pytest

from impromptu.arrays import altered
from impromptu.clip import Agent, Camera, EgoStatus, Observation, Trajectory

HERE = Trajectory(np.array([-0.5, 0.0]), np.array([[-3.0, 0.1], [0.0, 0.0]]))


def test_a_trajectory_is_cut_like_a_list() -> None:
    way = Trajectory(np.arange(4.0), np.arange(8.0).reshape(4, 2), np.arange(4.0))
    part = way[1:3]
    assert len(part) == 2
    assert part.xy_m.tolist() == [[2, 3], [4, 5]]
    assert part.yaw_rad is not None
    assert part.yaw_rad.tolist() == [1, 2]


def test_an_empty_trajectory_is_one() -> None:
    assert len(Trajectory(np.empty(0), np.empty((0, 2)))) == 0


@pytest.mark.parametrize(
    ("t_s", "xy_m", "message"),
    [
        ([0, 0], [[0, 0], [1, 0]], "times must rise"),
        ([1, 0], [[0, 0], [1, 0]], "times must rise"),
        ([0, 1], [[0, 0]], r"xy_m: expected shape \(2, 2\), got \(1, 2\)"),
        ([0, 1], [[0, 0], [np.nan, 0]], "xy_m: 1 values are not finite"),
        ([0, np.inf], [[0, 0], [1, 0]], "t_s: 1 values are not finite"),
    ],
)
def test_a_trajectory_has_rising_times_and_a_point_for_each(
    t_s: list[float], xy_m: list[list[float]], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Trajectory(np.array(t_s), np.array(xy_m))


def test_headings_are_one_for_each_point() -> None:
    with pytest.raises(ValueError, match=r"yaw_rad: expected shape \(2\), got \(1,\)"):
        Trajectory(np.arange(2.0), np.zeros((2, 2)), np.zeros(1))


@pytest.mark.parametrize(
    "past",
    [
        Trajectory(np.empty(0), np.empty((0, 2))),
        Trajectory(np.array([-0.5]), np.zeros((1, 2))),
        Trajectory(np.array([0.0]), np.array([[0.0, 0.1]])),
    ],
)
def test_the_past_ends_here_and_now(past: Trajectory) -> None:
    with pytest.raises(ValueError, match=r"expected a last point \(0, 0\) at 0 s"):
        Observation((), past, (None,) * len(past))


def test_there_is_a_status_for_each_past_point() -> None:
    with pytest.raises(ValueError, match="1 for 2 past points"):
        Observation((), HERE, (None,))
    now = EgoStatus(np.array([5.0, 0.0]))
    assert Observation((), HERE, (None, now)).status is now


def test_numbers_of_statuses_and_agents_are_checked() -> None:
    with pytest.raises(ValueError, match="EgoStatus.velocity_mps"):
        EgoStatus(np.zeros(3))
    with pytest.raises(ValueError, match="EgoStatus.acceleration_mps2"):
        EgoStatus(np.zeros(2), np.array([np.nan, 0]))
    with pytest.raises(ValueError, match="Agent.velocity_mps"):
        Agent("1", "car", "vehicle", np.zeros(3), np.ones(3), 0.0, np.array([np.nan, 0]))
    with pytest.raises(ValueError, match="Agent.size_m"):
        Agent("1", "car", "vehicle", np.zeros(3), np.ones(2), 0.0)


@pytest.mark.parametrize("size_px", [(0, 450), (800, -1)])
def test_an_image_has_a_size(size_px: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"Camera.size_px: expected a width and height > 0"):
        Camera("FRONT", Path("a.jpg"), size_px)


def test_a_lens_is_a_finite_matrix() -> None:
    lens = np.array([[800.0, 0, 400], [0, 800, 225], [0, 0, 1]])
    assert Camera("FRONT", Path("a.jpg"), (800, 450), lens).intrinsics_px is not None
    with pytest.raises(ValueError, match=r"intrinsics_px: expected shape \(3, 3\), got \(2, 3\)"):
        Camera("FRONT", Path("a.jpg"), None, lens[:2])
    lens[0, 0] = np.nan
    with pytest.raises(ValueError, match="intrinsics_px: 1 values are not finite"):
        Camera("FRONT", Path("a.jpg"), None, lens)


def test_a_copy_differs_in_the_fields_that_are_named_alone() -> None:
    seen = Observation((Camera("FRONT", Path("a.jpg")),), HERE, (None, None), command="LEFT")
    copy = altered(seen, cameras=())
    assert copy.cameras == ()
    assert copy.past is HERE
    assert copy.command == "LEFT"
    assert seen.cameras
    with pytest.raises(AttributeError):
        altered(seen, camera=())
