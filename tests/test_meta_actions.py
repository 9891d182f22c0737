from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from impromptu.arrays import Floats
from impromptu.clip import (
    Agent,
    Clip,
    EgoStatus,
    MetaAction,
    Observation,
    Trajectory,
    Unanswerable,
)
from impromptu.geometry import SE2, wrap_rad
from impromptu.meta_actions import ON_FOOT, STRICT, agent_actions, decide, ego_action, in_body_frame

T_S = 0.5 * np.arange(1, 7)
FINE_S = np.arange(0, 3.0005, 0.001)
MIRRORED = {
    "STRAIGHT": "STRAIGHT",
    "LEFT_TURN": "RIGHT_TURN",
    "RIGHT_TURN": "LEFT_TURN",
    "LEFT_CHANGE": "RIGHT_CHANGE",
    "RIGHT_CHANGE": "LEFT_CHANGE",
}


def drive(speed_mps: Floats | float, yaw_rad: Floats | float) -> Trajectory:
    """Integrate speed and heading, given at every ms from now to 3 s, and keep each half second."""
    speed, yaw = np.broadcast_arrays(speed_mps, yaw_rad, FINE_S)[:2]
    velocity = speed[:, None] * np.stack([np.cos(yaw), np.sin(yaw)], axis=1)
    xy_m = np.concatenate([[[0, 0]], np.cumsum((velocity[1:] + velocity[:-1]) / 2, 0) * 0.001])
    return Trajectory(T_S, xy_m[500::500], yaw[500::500])


def along_x(*x_m: float) -> Trajectory:
    return Trajectory(T_S, np.column_stack([x_m, np.zeros(6)]), np.zeros(6))


def without_yaw(future: Trajectory) -> Trajectory:
    return Trajectory(future.t_s, future.xy_m)


def mirrored(future: Trajectory) -> Trajectory:
    yaw_rad = None if future.yaw_rad is None else -future.yaw_rad
    return Trajectory(future.t_s, future.xy_m * [1, -1], yaw_rad)


def lane_change(speed_mps: float, since_s: float, lasts_s: float = 4.0) -> Trajectory:
    """A sideways move of 3.5 m to the left that began ``since_s`` ago, as its body sees it."""
    phase = np.clip((FINE_S + since_s) / lasts_s, 0, 1)
    yaw_rad = 2 * 3.5 / (speed_mps * lasts_s) * np.sin(np.pi * phase) ** 2
    return drive(speed_mps, yaw_rad - yaw_rad[0])


@pytest.mark.parametrize(
    ("now_mps", "future", "word"),
    [
        (10.0, along_x(5, 10, 15, 20, 25, 30), "KEEP"),
        (10.0, along_x(5, 10, 15, 20, 25.5, 31.2), "KEEP"),  # 11.4 m/s in the end
        (10.0, along_x(5, 10, 15, 20, 25.5, 31.25), "ACCELERATE"),  # 11.5
        (10.0, along_x(5, 10, 15, 20, 25, 29.25), "DECELERATE"),  # 8.5
        (4.0, along_x(2, 3.5, 4.5, 5, 5.2, 5.2), "STOP"),
        (0.0, along_x(0, 0, 0, 0, 0, 0), "STOP"),
        (0.0, along_x(0, 0.2, 0.8, 2, 3.7, 5.9), "ACCELERATE"),  # a standing start is no stop
        (0.0, along_x(0, 0, 0, 0, 0.2, 0.5), "ACCELERATE"),  # 0.6 m/s, from rest
        (0.3, along_x(0.2, 0.4, 0.6, 0.8, 1, 1.3), "KEEP"),  # 0.6 m/s, from 0.3
        (1.0, along_x(0.5, 1, 1.5, 2, 2.3, 2.54), "STOP"),  # 0.48
        (1.0, along_x(0.5, 1, 1.5, 2, 2.3, 2.56), "KEEP"),  # 0.52
    ],
)
def test_speed(now_mps: float, future: Trajectory, word: str) -> None:
    assert decide(now_mps, future).speed == word
    assert decide(now_mps, future).path == "STRAIGHT"


@pytest.mark.parametrize(
    ("future", "word"),
    [
        (drive(8.0, 8 / 20 * FINE_S), "LEFT_TURN"),  # 69 degrees on 20 m
        (drive(2.0, 2 / 20 * FINE_S), "LEFT_TURN"),  # 17 degrees on 20 m
        (drive(1.5, 1.5 / 20 * FINE_S), "STRAIGHT"),  # 13 degrees
        (drive(15.0, 15 / 150 * FINE_S), "STRAIGHT"),  # 17 degrees on 150 m: a bend
        (drive(15.0, 15 / 55 * FINE_S), "LEFT_TURN"),
        (drive(15.0, 15 / 65 * FINE_S), "STRAIGHT"),
        (drive(0.6, 0.6 / 5 * FINE_S), "STRAIGHT"),  # 21 degrees, but 1.8 m
        (drive(15.0, np.deg2rad(14) * (FINE_S / 3) ** 2), "STRAIGHT"),  # a bend that tightens
        (drive(15.0, np.deg2rad(14) * (FINE_S / 3) ** 0.5), "STRAIGHT"),  # one that opens
        (lane_change(12.0, 0.0), "LEFT_CHANGE"),
        (lane_change(12.0, 0.5), "LEFT_CHANGE"),
        (lane_change(6.0, 0.5), "LEFT_CHANGE"),
        (lane_change(12.0, 2.0), "STRAIGHT"),  # only its end is left: like a bend
    ],
)
def test_path(future: Trajectory, word: str) -> None:
    for one, expected in ((future, word), (mirrored(future), MIRRORED[word])):
        assert decide(5.0, one).path == expected


@pytest.mark.parametrize(
    ("future", "word"),
    [
        (drive(8.0, 8 / 20 * FINE_S), "LEFT_TURN"),
        (drive(15.0, 15 / 150 * FINE_S), "STRAIGHT"),
        (drive(15.0, np.deg2rad(14) * (FINE_S / 3) ** 2), "STRAIGHT"),
        (lane_change(12.0, 0.5), "LEFT_CHANGE"),
        (drive(10.0, 1.0), "STRAIGHT"),  # no heading, so none that it could be askew to
    ],
)
def test_path_where_headings_are_not_known(future: Trajectory, word: str) -> None:
    for one, expected in ((future, word), (mirrored(future), MIRRORED[word])):
        assert decide(5.0, without_yaw(one)).path == expected


def test_the_swing_of_a_lane_change_is_as_the_decision_page_says() -> None:
    begun_now, begun = lane_change(12.0, 0.0), lane_change(12.0, 0.5)
    for future, swing_m in ((begun_now, 1.1), (begun, 2.7)):
        reached = decide(12.0, future, replace(STRICT, change_m=swing_m - 0.15))
        missed = decide(12.0, future, replace(STRICT, change_m=swing_m + 0.15))
        assert (reached.path, missed.path) == ("LEFT_CHANGE", "STRAIGHT")


def test_a_box_that_is_askew_does_not_change_lane() -> None:
    # 31 m at 4 degrees off the heading is 2.2 m to the side.
    askew = drive(31 / 3, np.deg2rad(4))
    askew = Trajectory(T_S, askew.xy_m, np.zeros(6))
    assert decide(10.0, askew).path == "STRAIGHT"


def test_reverse_is_read_by_the_heading() -> None:
    back = drive(-3.0, 0.0)
    assert decide(3.0, back) == MetaAction("KEEP", "STRAIGHT")
    there_and_back = along_x(3, 6, 6.5, 5.5, 4, 2)
    assert decide(3.0, there_and_back).path == "STRAIGHT"
    turning = drive(-3.0, 0.3 * FINE_S)  # the heading turns to the left by 52 degrees
    assert decide(3.0, turning).path == "LEFT_TURN"


def test_jitter_at_a_standstill_is_a_stop() -> None:
    xy_m = np.array([[0.02, 0], [0, 0.03], [-0.02, 0], [0, -0.03], [0.01, 0], [0, 0.02]])
    yaw_rad = np.array([0.3, -0.2, 0.4, 0, 0.3, 0.5])
    for future in (Trajectory(T_S, xy_m, yaw_rad), Trajectory(T_S, xy_m)):
        assert decide(0.1, future) == MetaAction("STOP", "STRAIGHT")


def test_only_three_seconds_count() -> None:
    t_s = 0.5 * np.arange(1, 11)
    x_m = np.concatenate([5.0 * np.arange(1, 7), [30.0] * 4])
    late = Trajectory(t_s, np.column_stack([x_m, np.zeros(10)]), np.append(np.zeros(6), [2] * 4))
    assert decide(10.0, late) == MetaAction("KEEP", "STRAIGHT")
    with pytest.raises(Unanswerable, match="future_under_3s"):
        decide(10.0, late[:5])


def test_people_on_foot_have_no_lane() -> None:
    swinging = lane_change(1.2, 0.5)
    assert decide(1.2, swinging).path == "LEFT_CHANGE"
    assert decide(1.2, swinging, ON_FOOT).path == "STRAIGHT"


speeds = st.floats(0, 20)
rates = st.floats(-0.5, 0.5)


@given(now_mps=speeds, speed_mps=speeds, rate=rates, growth=st.floats(-0.3, 0.3))
def test_left_and_right_are_alike(
    now_mps: float, speed_mps: float, rate: float, growth: float
) -> None:
    future = drive(speed_mps, rate * FINE_S + growth * FINE_S**2)
    action, other = decide(now_mps, future), decide(now_mps, mirrored(future))
    assert other == MetaAction(action.speed, MIRRORED[action.path])  # type: ignore[arg-type]


@given(yaw=st.floats(-7, 7), x=st.floats(-50, 50), y=st.floats(-50, 50), rate=rates)
def test_where_a_body_is_does_not_matter(yaw: float, x: float, y: float, rate: float) -> None:
    future = drive(5.0, rate * FINE_S)
    frame = SE2(yaw, np.array([x, y]))
    there = Trajectory(T_S, frame.transform(future.xy_m), np.asarray(future.yaw_rad) + yaw)
    back = in_body_frame(there, frame)
    np.testing.assert_allclose(back.xy_m, future.xy_m, atol=1e-9)
    assert decide(5.0, back).path == decide(5.0, future).path


def _clip(agents: tuple[Agent, ...], futures: dict[str, Trajectory], speed_mps: float) -> Clip:
    past = Trajectory(np.zeros(1), np.zeros((1, 2)), np.zeros(1))
    statuses = (EgoStatus(np.array([speed_mps, 0])),)
    observation = Observation((), past, statuses, agents)
    return Clip("d/l/k", "d", "train", "l", 0, observation, along_x(5, 10, 15, 20, 25, 30), futures)


def _car(name: str, yaw_rad: float, velocity_mps: tuple[float, float] | None) -> Agent:
    velocity = None if velocity_mps is None else np.array(velocity_mps)
    size_m = np.array([4, 2, 1.5])
    return Agent(name, "car", "vehicle", np.array([20.0, 5, 1]), size_m, yaw_rad, velocity)


def test_the_egos_present_speed_is_its_status() -> None:
    assert ego_action(_clip((), {}, 10.0)).speed == "KEEP"
    assert ego_action(_clip((), {}, 8.0)).speed == "ACCELERATE"
    unknown = _clip((), {}, 8.0)
    unknown = replace(unknown, observation=replace(unknown.observation, statuses=(None,)))
    with pytest.raises(Unanswerable, match="speed_unknown"):
        ego_action(unknown)


def test_agents_are_numbered_and_read_in_their_own_frame() -> None:
    # One comes towards us and turns to its left, its heading passing from 3.1 through pi to -2.6.
    turning = drive(6.0, 0.2 * FINE_S)
    frame = SE2(3.1, np.array([20.0, 5]))
    wrapped = np.angle(np.exp(1j * (np.asarray(turning.yaw_rad) + 3.1)))
    there = Trajectory(T_S, frame.transform(turning.xy_m), wrapped)
    parked = Trajectory(T_S, np.full((6, 2), [20.0, 5]), np.zeros(6))
    agents = (_car("parked", 0.0, (0, 0)), _car("oncoming", 3.1, (-6, 0)))
    clip = _clip(agents, {"oncoming": there, "parked": parked}, 10.0)
    assert agent_actions(clip) == {
        1: MetaAction("STOP", "STRAIGHT"),
        2: MetaAction("KEEP", "LEFT_TURN"),
    }


def test_an_agent_without_speed_cannot_be_judged() -> None:
    clip = _clip((_car("new", 0.0, None),), {"new": along_x(*[20.0] * 6)}, 10.0)
    with pytest.raises(Unanswerable, match="speed_unknown"):
        agent_actions(clip)


@pytest.mark.parametrize("turn_deg", [100, 179, 181, 201, 229, 300])
@pytest.mark.parametrize("known_yaw", [True, False])
def test_more_than_half_a_circle_is_still_a_turn_to_that_side(
    turn_deg: float, known_yaw: bool
) -> None:
    future = drive(4.0, np.deg2rad(turn_deg) * FINE_S / 3)
    # Datasets give headings within half a circle.
    yaw_rad = wrap_rad(np.deg2rad(turn_deg) * T_S / 3)
    future = replace(future, yaw_rad=yaw_rad) if known_yaw else without_yaw(future)
    assert decide(4.0, future).path == "LEFT_TURN"
    assert decide(4.0, mirrored(future)).path == "RIGHT_TURN"
