import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from impromptu.miniature.motion import (
    Motion,
    Pace,
    Ramp,
    Track,
    Turn,
    ease,
    ease_area,
    lane_change,
)

unit = st.floats(-0.5, 1.5)


@given(unit)
def test_easing_is_point_symmetric(u: float) -> None:
    assert ease(np.array(u)) + ease(np.array(1 - u)) == pytest.approx(1)


def test_easing_rests_at_both_ends() -> None:
    assert ease(np.array([-1.0, 0.0, 0.5, 1.0, 2.0])).tolist() == [0, 0, 0.5, 1, 1]


@given(unit)
def test_the_area_is_the_integral_of_easing(u: float) -> None:
    step = 1e-4
    rise = ease_area(np.array(u + step)) - ease_area(np.array(u - step))
    assert rise / (2 * step) == pytest.approx(float(ease(np.array(u))), abs=1e-6)


def test_the_area_of_a_whole_rise_is_half() -> None:
    assert ease_area(np.array([0.0, 1.0, 2.0])).tolist() == [0, 0.5, 1.5]


def test_a_stop_from_ten_metres_a_second_in_six_seconds_takes_thirty_metres() -> None:
    pace = Pace(10.0, [Ramp(1.5, 6.0, -10.0)])
    np.testing.assert_allclose(pace.travelled_m(np.array([1.5, 7.5, 9.0])), [15, 45, 45])
    np.testing.assert_allclose(pace.speed_mps(np.array([0.0, 4.5, 7.5])), [10, 5, 0], atol=1e-12)


def test_a_straight_track_goes_on_both_ways() -> None:
    track = Track((1.0, 2.0), np.pi / 2)
    np.testing.assert_allclose(track.xy(np.array([-3.0, 0.0, 500.0])), [[1, -1], [1, 2], [1, 502]])


@given(st.floats(8, 40), st.floats(-2, 2))
def test_a_turn_agrees_with_a_fine_sum(length_m: float, angle_rad: float) -> None:
    track = Track((0.0, 0.0), 0.3, [Turn(5.0, length_m, angle_rad)])
    end_m, count = length_m + 20, 20_000
    middles = (np.arange(count) + 0.5) * end_m / count
    heading = track.heading(middles)
    summed = np.stack([np.cos(heading), np.sin(heading)]).sum(axis=1) * end_m / count
    np.testing.assert_allclose(track.xy(np.array([end_m]))[0], summed, atol=1e-5)


@given(st.floats(20, 60), st.floats(0.5, 4), st.sampled_from((-1, 1)))
def test_a_lane_change_shifts_sideways_and_ends_straight(
    length_m: float, shift_m: float, side: int
) -> None:
    track = Track((0.0, 0.0), 0.0, lane_change(3.0, length_m, side * shift_m))
    end = np.array([3.0 + length_m, 100.0])
    np.testing.assert_allclose(track.xy(end)[:, 1], side * shift_m, atol=1e-9)
    np.testing.assert_allclose(track.heading(end), 0, atol=1e-12)


@given(st.floats(0, 20))
def test_a_motion_runs_at_its_pace(t_s: float) -> None:
    track = Track((0.0, 0.0), 0.0, [Turn(10.0, 24.0, np.pi / 2)])
    pace = Pace(9.0, [Ramp(2.0, 4.0, -5.0)])
    motion, step_s = Motion(track, pace, lead_m=1.3), 1e-4
    xy, _ = motion.xy_heading(np.array([t_s - step_s, t_s + step_s]))
    speed = np.linalg.norm(xy[1] - xy[0]) / (2 * step_s)
    assert speed == pytest.approx(float(pace.speed_mps(np.array(t_s))), abs=1e-5)
