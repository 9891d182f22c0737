from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from impromptu.clip import Camera, Clip, EgoStatus, Observation, Trajectory
from impromptu.filters import Filters
from impromptu.preset import RELEASED, STRICT, load_preset


def test_presets_by_name() -> None:
    assert load_preset("strict") is STRICT
    assert load_preset("released") is RELEASED
    with pytest.raises(KeyError, match="no preset 'legacy'; there are strict, released"):
        load_preset("legacy")


def test_strict_shows_the_observation_and_marks_nothing() -> None:
    past = Trajectory(np.zeros(1), np.zeros((1, 2)))
    observation = Observation((Camera("SIDE LEFT", Path("a")),), past, (None,))
    future = Trajectory(0.5 * np.arange(1, 11), np.ones((10, 2)))
    clip = Clip("", "argoverse2", "", "", 0, observation, future)
    for task in ("q1", "q3", "q6", "q7", "planning"):
        assert STRICT.show(clip, task) is observation
    assert STRICT.marks == {}


def test_released_marks_every_record() -> None:
    assert RELEASED.marks["preset"] == "released"
    assert "not for training" in RELEASED.marks["warning"]


def test_released_leaks_the_first_waypoint_and_strict_does_not() -> None:
    past = Trajectory(np.array([-0.5, 0.0]), np.array([[-4.0, 0], [0, 0]]))
    status = EgoStatus(np.array([8.0, 0]))
    observation = Observation((), past, (status, status))
    t_s = 0.5 * np.arange(1, 11)
    clip = Clip("", "kitti", "", "", 0, observation, Trajectory(t_s, np.outer(t_s, [9.0, 1.0])))
    other = replace(clip, future=Trajectory(t_s, np.outer(t_s, [3.0, -1.0])))
    for one in (clip, other):
        leaked, kept = RELEASED.show(one, "q7").status, STRICT.show(one, "q7").status
        assert leaked is not None and kept is status
        np.testing.assert_allclose(leaked.velocity_mps * 0.5, one.future.xy_m[0])


def test_released_filters_reverse_motion_from_q7_alone_as_published() -> None:
    released, strict = load_preset("released"), load_preset("strict")
    assert (released.filters, released.filtered) == (Filters(reverse_m=1.0), ("q7",))
    # The planning set is its benchmark's.
    assert strict.filtered == ("q3", "q6", "q7")
