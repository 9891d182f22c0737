"""The made-up drives: exact, through the same door as real ones."""

from pathlib import Path

import numpy as np
import pytest

from impromptu import datasets, plugins
from impromptu.clip import Clip
from impromptu.datasets import Dataset, synthetic


@pytest.fixture(scope="module")
def drives() -> dict[str, list[Clip]]:
    dataset = plugins.load(datasets, "synthetic", Dataset)
    logs = dataset.logs(Path("anywhere"), Path("nowhere"))
    return {log.id: [c for c in dataset.clips(log) if isinstance(c, Clip)] for log in logs}


def test_each_drive_is_a_clip_every_half_second(drives: dict[str, list[Clip]]) -> None:
    assert list(drives) == ["straight", "left_arc", "braking"]
    for name, clips in drives.items():
        assert [clip.id for clip in clips] == [f"synthetic/{name}/{k:02d}" for k in range(24)]
    assert {clip.split for clip in drives["straight"]} == {"train"}
    assert {clip.split for clip in drives["braking"]} == {"test"}


def test_straight_on_is_five_metres_a_step(drives: dict[str, list[Clip]]) -> None:
    clip = drives["straight"][10]
    np.testing.assert_allclose(clip.future.xy_m, [[5 * k, 0] for k in range(1, 11)], atol=1e-12)


def test_the_arc_bends_left_by_a_twentieth_radian_a_step(drives: dict[str, list[Clip]]) -> None:
    """8 m/s at 0.1 rad/s is a circle of 80 m: after 5 s half a radian, a chord of 160 sin(1/4)."""
    future = drives["left_arc"][10].future
    assert future.yaw_rad is not None
    np.testing.assert_allclose(future.yaw_rad, 0.05 * np.arange(1, 11), atol=1e-12)
    chord_m = 160 * np.sin(0.25)
    expected = [chord_m * np.cos(0.25), chord_m * np.sin(0.25)]
    np.testing.assert_allclose(future.xy_m[9], expected, atol=1e-9)


def test_the_braking_drive_stops_after_six_seconds_and_27_metres(
    drives: dict[str, list[Clip]],
) -> None:
    clips = drives["braking"]
    ways_m = [clip.future.xy_m[0, 0] for clip in clips[:-1]]
    assert sum(ways_m) == pytest.approx(27)
    assert ways_m[12:] == [0] * 11
    status = clips[8].observation.status
    assert status is not None
    assert status.acceleration_mps2 is not None
    # Backward over 3.5 to 4 s: 9 - 1.5 * 3.75.
    np.testing.assert_allclose(status.velocity_mps, [3.375, 0])
    np.testing.assert_allclose(status.acceleration_mps2, [-1.5, 0])


def test_the_oncoming_car_closes_in(drives: dict[str, list[Clip]]) -> None:
    clip = drives["straight"][4]
    agents = {agent.id: agent for agent in clip.observation.agents}
    car, pedestrian = agents["car"], agents["pedestrian"]
    np.testing.assert_allclose(car.center_m, [100 - 16 - 20, 3.5, 0.8])
    assert car.velocity_mps is not None
    assert pedestrian.velocity_mps is not None
    np.testing.assert_allclose(car.velocity_mps, [-8, 0], atol=1e-12)
    np.testing.assert_allclose(pedestrian.velocity_mps, [0, 0], atol=1e-12)
    np.testing.assert_allclose(clip.agent_futures["car"].xy_m[9], [64 - 40, 3.5])


def test_cars_beyond_80_metres_are_left_out(drives: dict[str, list[Clip]]) -> None:
    assert [agent.id for agent in drives["straight"][0].observation.agents] == ["pedestrian"]


def test_the_camera_looks_ahead(drives: dict[str, list[Clip]]) -> None:
    (camera,) = drives["straight"][0].observation.cameras
    assert camera.ego_SE3_camera is not None
    assert camera.intrinsics_px is not None
    seen = camera.intrinsics_px @ camera.ego_SE3_camera.inverse().transform(
        np.array([11.5, 1, 1.6])
    )
    np.testing.assert_allclose(seen[:2] / seen[2], [360, 225])
    assert camera.image == Path("anywhere/synthetic/straight/00.png")


def test_all_adapters_are_found_by_their_names() -> None:
    known = plugins.names(datasets)
    assert {"nuscenes", "kitti", "argoverse2", "synthetic"} <= set(known)
    assert not any(name.startswith("_") for name in known)
    assert synthetic.DATASET.home == ""
