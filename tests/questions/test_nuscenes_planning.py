from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from impromptu.clip import Clip, Observation, Trajectory, Unanswerable
from impromptu.engines._told import read_history
from impromptu.geometry import SE2
from impromptu.preset import RELEASED, STRICT
from impromptu.questions import AnswerError, nuscenes_planning
from impromptu.wording import load_wording

WORDING = load_wording(None, STRICT)
meters = st.floats(-1e4, 1e4)


def _seen(clip: Clip) -> Observation:
    return nuscenes_planning.narrow(clip, STRICT)


def test_a_quarter_turn_about_the_rear_axle_moves_a_sensor_ahead_of_it(clip: Clip) -> None:
    """The ego turns on the spot by 90 degrees to the left; its lidar is 2 m ahead."""
    yaw_rad = np.pi / 2 * np.arange(1, 7) / 6
    future = Trajectory(0.5 * np.arange(1, 7), np.zeros((6, 2)), yaw_rad)
    observation = replace(clip.observation, ego_SE2_planning=SE2(0.0, np.array([2.0, 0.0])))
    turned = replace(clip, observation=observation, future=future)
    # In the lidar's present frame the axle is at (-2, 0), so the lidar ends at (-2, 2).
    np.testing.assert_allclose(
        nuscenes_planning.truth(turned, STRICT).xy_m[-1], [-2, 2], atol=1e-12
    )


def test_a_sensor_mounted_askew_sees_the_drive_in_its_own_axes(clip: Clip) -> None:
    future = Trajectory(
        0.5 * np.arange(1, 7), np.column_stack([np.arange(1, 7), np.zeros(6)]), np.zeros(6)
    )
    observation = replace(clip.observation, ego_SE2_planning=SE2(np.pi / 2, np.array([1.0, 5.0])))
    straight = replace(clip, observation=observation, future=future)
    # Its x axis is the ego's y axis: the ego's way ahead is its way to the right.
    expected = np.column_stack([np.zeros(6), -np.arange(1, 7)])
    np.testing.assert_allclose(nuscenes_planning.truth(straight, STRICT).xy_m, expected, atol=1e-12)


@given(st.floats(-3, 3), st.floats(-3, 3), st.floats(-3, 3))
def test_the_tracked_path_is_that_of_the_product_of_poses(x: float, y: float, yaw: float) -> None:
    body = SE2(yaw, np.array([x, y]))
    t_s = 0.5 * np.arange(1, 7)
    ego = Trajectory(t_s, np.stack([3 * t_s, 0.4 * t_s**2], axis=1), 0.3 * t_s)
    past = Trajectory(np.zeros(1), np.zeros((1, 2)), np.zeros(1))
    clip = Clip("", "", "", "", 0, Observation((), past, (None,), ego_SE2_planning=body), ego)
    assert nuscenes_planning.narrow(clip, STRICT).past.xy_m.tolist() == [[0, 0]]
    tracked = nuscenes_planning.truth(clip, STRICT)
    for k in range(6):
        pose = body.inverse() @ SE2(0.3 * t_s[k], ego.xy_m[k]) @ body
        np.testing.assert_allclose(tracked.xy_m[k], pose.translation_m, atol=1e-9)


def test_the_present_is_the_origin_and_the_past_is_moved_too(clip: Clip) -> None:
    seen = _seen(clip)
    assert seen.past.xy_m[-1].tolist() == [0, 0]
    ego = clip.observation.past
    assert ego.yaw_rad is not None
    # 0.94 m ahead of the axle: a turned sensor is 0.94 sin(yaw) further aside than the axle.
    np.testing.assert_allclose(
        seen.past.xy_m[:, 1] - ego.xy_m[:, 1], 0.94 * np.sin(ego.yaw_rad), atol=1e-12
    )


def test_the_prompt_has_seven_entries_with_status(clip: Clip) -> None:
    text = nuscenes_planning.prompt(_seen(clip), WORDING)
    assert [f"(t-{t}s) [" in text for t in ("3.0", "2.5", "0.5", "0.0")] == [True] * 4
    assert text.count("(t-") == text.count("Velocity:") == text.count("Steering angle: 0.25") == 7
    assert "(t-0.0s) [0.0, 0.0], Acceleration: X 0.6, Y 1.28 m/s^2, Velocity: X 8.0, Y 0.0" in text
    assert "last 3.0 seconds" in text and text.count("<image>") == 1


def test_a_scenes_start_has_less_history_and_may_lack_steering(clip: Clip) -> None:
    statuses = tuple(replace(s, steering_rad=None) for s in clip.observation.statuses[-3:] if s)
    short = replace(clip.observation, past=clip.observation.past[-3:], statuses=statuses)
    text = nuscenes_planning.prompt(_seen(replace(clip, observation=short)), WORDING)
    assert text.count("(t-") == 3 and "Steering" not in text and "last 1.0 seconds" in text


def test_a_first_keyframe_is_not_said_to_have_a_past_of_no_time(clip: Clip) -> None:
    first = replace(
        clip.observation, past=clip.observation.past[-1:], statuses=clip.observation.statuses[-1:]
    )
    seen = _seen(replace(clip, observation=first))
    text = nuscenes_planning.prompt(seen, WORDING)
    assert "last 0.0 seconds" not in text and text.count("(t-") == 1
    assert "Where it was before now is not known" in text
    told = read_history(text)
    assert told is not None and told.t_s.tolist() == [0.0]
    released = nuscenes_planning.prompt(seen, load_wording(None, RELEASED))
    assert "Over the last 0.0 seconds, at steps of 0.5 seconds, it was at" in released


def test_numbers_are_the_shortest_of_two_decimals() -> None:
    xy_m = np.array([[4.2, -0.004], [10.0, 1.005], [12.345678, -3.5], *([[0, 0]] * 3)])
    text = nuscenes_planning.write(Trajectory(0.5 * np.arange(1, 7), xy_m), WORDING)
    assert "[4.2, 0.0], [10.0, 1.0], [12.35, -3.5], [0.0, 0.0]" in text


@given(st.lists(st.tuples(meters, meters), min_size=6, max_size=6))
def test_reading_what_was_written(points: list[tuple[float, float]]) -> None:
    text = nuscenes_planning.write(Trajectory(0.5 * np.arange(1, 7), np.array(points)), WORDING)
    read = nuscenes_planning.read(text)
    np.testing.assert_allclose(read.xy_m, points, atol=0.005 + 1e-9)
    assert nuscenes_planning.write(read, WORDING) == text
    assert "-0.0," not in text and "-0.0]" not in text


def test_ten_waypoints_are_not_six() -> None:
    with pytest.raises(AnswerError, match="expected 6 waypoints, found 10"):
        nuscenes_planning.read("[1, 2]" * 10)


def test_other_datasets_are_not_asked(clip: Clip) -> None:
    other = replace(clip.observation, ego_SE2_planning=None)
    with pytest.raises(Unanswerable, match="no_planning_frame"):
        _seen(replace(clip, observation=other))
    assert nuscenes_planning.QUESTION.only == ("nuscenes",)
