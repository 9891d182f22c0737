"""Drives that keep their turn rate and acceleration are continued as they were."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from impromptu.arrays import Floats
from impromptu.conversation import Sample
from impromptu.engines._asked import Asked
from impromptu.engines._told import Told
from impromptu.engines.constant_turn_rate_acceleration import ENGINE, Motion, path_m
from impromptu.questions import Question
from impromptu.questions.nuscenes_planning import QUESTION as PLANNING
from impromptu.questions.trajectory import QUESTION as Q7

from .conftest import Ask

T_S = 0.5 * np.arange(1, 11)


def _arc_m(speed_mps: float, turn_radps: float, t_s: Floats) -> Floats:
    """Places on a circle that passes the origin along x at 0 s."""
    angle = turn_radps * t_s
    radius_m = speed_mps / turn_radps
    return np.stack([radius_m * np.sin(angle), radius_m * (1 - np.cos(angle))], axis=-1)


@pytest.mark.parametrize("question", [Q7, PLANNING], ids=["q7", "planning"])
@pytest.mark.parametrize("turn_radps", [0.2, -0.35])
def test_an_arc_with_its_status_told_goes_on_exactly(
    make_sample: Callable[..., Sample], ask: Ask, question: Question, turn_radps: float
) -> None:
    past_m = _arc_m(8, turn_radps, 0.5 * np.arange(-3, 1))
    status = [8, 0, 0, 8 * turn_radps]
    answer = ask(ENGINE, make_sample(question, past_m, [status] * 4))
    ahead_m = question.read(answer.text).xy_m
    np.testing.assert_allclose(ahead_m, _arc_m(8, turn_radps, T_S[: len(ahead_m)]), atol=0.0051)


@pytest.mark.parametrize("turn_radps", [0.2, -0.35])
def test_an_arc_of_positions_alone_goes_on_up_to_their_rounding(
    make_sample: Callable[..., Sample], ask: Ask, turn_radps: float
) -> None:
    past_m = _arc_m(8, turn_radps, 0.5 * np.arange(-3, 1))
    answer = ask(ENGINE, make_sample(Q7, past_m, [None] * 4))
    # Three places off by up to 5 mm, 4 m apart, turn a course by up to 0.01 rad/s.
    off_m = np.abs(Q7.read(answer.text).xy_m - _arc_m(8, turn_radps, T_S))
    assert (off_m <= 0.01 + 0.01 * 8 * T_S[:, None] ** 2 / 2 + 0.02 * 8 * T_S[:, None] / 4).all()


def _exactly(velocity_mps: Floats, acceleration_mps2: Floats, past_m: Floats) -> Floats:
    """Answer unrounded numbers, (2,), (2,) and (n, 2)."""
    t_s, unknown = 0.5 * np.arange(1 - len(past_m), 1), np.full((len(past_m), 2), np.nan)
    told = Told(
        t_s,
        past_m,
        np.vstack([unknown[1:], velocity_mps]),
        np.vstack([unknown[1:], acceleration_mps2]),
        unknown[:, 0],
    )
    now_mps = told.now_mps()
    assert now_mps is not None
    return path_m(Asked(Q7, told, now_mps, np.zeros(3)))


@pytest.mark.parametrize("turn_radps", [0.9, -0.9])
def test_an_arc_of_unrounded_positions_alone_goes_on_exactly(turn_radps: float) -> None:
    past_m, unknown = _arc_m(8, turn_radps, 0.5 * np.arange(-2, 1)), np.full(2, np.nan)
    np.testing.assert_allclose(
        _exactly(unknown, unknown, past_m), _arc_m(8, turn_radps, T_S), atol=1e-9
    )


@pytest.mark.parametrize("angle_rad", [0.4, -2.0])
@pytest.mark.parametrize("acceleration_mps2", [(0.0, 1.6), (1.0, 1.6), (-2.0, -1.2)])
def test_axes_that_are_turned_turn_the_path(
    angle_rad: float, acceleration_mps2: tuple[float, float]
) -> None:
    cos, sin = np.cos(angle_rad), np.sin(angle_rad)
    turn = np.array([[cos, -sin], [sin, cos]])
    velocity, acceleration = np.array([8.0, 0]), np.array(acceleration_mps2)
    here_m = _exactly(velocity, acceleration, np.zeros((1, 2)))
    there_m = _exactly(turn @ velocity, turn @ acceleration, np.zeros((1, 2)))
    np.testing.assert_allclose(there_m, here_m @ turn.T, atol=1e-9)


def test_a_slow_car_turns_on_five_metres_at_least() -> None:
    slow_m = _exactly(np.array([0.4, 0]), np.array([0, 0.5]), np.zeros((1, 2)))
    np.testing.assert_allclose(slow_m, _arc_m(0.4, 0.4 / 5, T_S), atol=1e-9)


def test_a_straight_drive_that_speeds_up_by_hand(
    make_sample: Callable[..., Sample], ask: Ask
) -> None:
    t_s = 0.5 * np.arange(-3, 1)
    past_m = np.column_stack([6 * t_s + t_s**2, 0 * t_s])  # 6 m/s now, 2 m/s2
    expected_m = np.column_stack([6 * T_S + T_S**2, 0 * T_S])
    told = [[6 + 2 * t, 0, 2, 0] for t in t_s]
    for statuses in (told, [None] * 4):
        answer = ask(ENGINE, make_sample(Q7, past_m, statuses))
        np.testing.assert_allclose(Q7.read(answer.text).xy_m, expected_m, atol=1e-6)


def test_braking_ends_in_a_stop_not_in_reverse(
    make_sample: Callable[..., Sample], ask: Ask
) -> None:
    status = [6, 0, -3, 0]  # stops after 2 s and 6 m
    ahead_m = Q7.read(ask(ENGINE, make_sample(Q7, np.zeros((1, 2)), [status])).text).xy_m
    np.testing.assert_allclose(ahead_m[:4, 0], [2.625, 4.5, 5.625, 6], atol=0.0051)
    np.testing.assert_allclose(ahead_m[4:], [[6, 0]] * 6, atol=1e-9)


def test_reverse_goes_on_backwards_and_stops_too(
    make_sample: Callable[..., Sample], ask: Ask
) -> None:
    status = [-2, 0, 1, 0]  # forward acceleration brakes it: 2 m back in 2 s
    ahead_m = Q7.read(ask(ENGINE, make_sample(Q7, np.zeros((1, 2)), [status])).text).xy_m
    np.testing.assert_allclose(ahead_m[:, 0], [-0.875, -1.5, -1.875, *[-2] * 7], atol=0.0051)
    np.testing.assert_allclose(ahead_m[:, 1], 0, atol=1e-9)


def test_a_standing_car_neither_spins_nor_drifts(
    make_sample: Callable[..., Sample], ask: Ask
) -> None:
    jitter_m = np.array([[0.01, -0.01], [-0.01, 0.01], [0.01, 0.0], [0, 0]])
    for statuses in ([None] * 4, [[0.0, 0, 0, 0.3]] * 4):
        ahead_m = Q7.read(ask(ENGINE, make_sample(Q7, jitter_m, statuses)).text).xy_m
        assert np.hypot(*ahead_m.T).max() < 0.3


@given(
    speed_mps=st.floats(0, 30),
    acceleration_mps2=st.floats(-6, 6),
    course_rad=st.floats(-3, 3),
    turn_radps=st.floats(-1, 1),
)
def test_the_way_gone_is_the_integral_of_the_velocity(
    speed_mps: float, acceleration_mps2: float, course_rad: float, turn_radps: float
) -> None:
    def velocity(t_s: float, _: Floats) -> list[float]:
        speed = max(speed_mps + acceleration_mps2 * t_s, 0.0)
        course = course_rad + turn_radps * t_s
        return [speed * np.cos(course), speed * np.sin(course)]

    # Small steps take the kink at the stop.
    oracle = solve_ivp(velocity, (0, 5), [0, 0], t_eval=T_S, rtol=1e-8, atol=1e-8, max_step=0.05)
    way_m = Motion(speed_mps, acceleration_mps2, course_rad, turn_radps).moved_m(T_S)
    np.testing.assert_allclose(way_m, oracle.y.T, atol=2e-3)
