"""What a session keeps, and what it makes of steps that are not half a second apart."""

import numpy as np
import pytest
from tests.closed_loop.requests import encoded, pose, step

from impromptu.closed_loop.protocol import read_step
from impromptu.closed_loop.sessions import MAX_STEPS, OrderError, Session, Sessions

START_US = 1_600_000_000_000_000


def _observe(session: Session, at_s: float, x_m: float, **more: float) -> list[float]:
    """Take in a step; return the places of the past that a prompt would show."""
    told = step(ego2world=pose(x_m, 0, 0), timestamp=START_US + round(at_s * 1e6), **more)  # type: ignore[arg-type]
    seen = session.observe(read_step(encoded(told), ()))
    xs: list[float] = np.round(seen.ego.past(0).xy_m[:, 0], 6).tolist()
    return xs


def test_the_past_goes_by_time_and_ends_at_a_gap() -> None:
    session = Session("a", 1)
    assert _observe(session, 0.0, 0.0) == [0.0]
    assert _observe(session, 0.5, 1.0) == [-1.0, 0.0]
    # Half a second back the car was a tenth of the way on from 1 m to 2 m.
    assert _observe(session, 1.05, 2.1) == [-2.0, -1.0, 0.0]
    assert _observe(session, 1.85, 3.0) == [0.0]


def test_steps_that_come_faster_are_shown_at_half_a_second() -> None:
    session = Session("a", 1)
    for k in range(41):
        past = _observe(session, k / 10, k / 5)
    assert past == [-6.0, -5.0, -4.0, -3.0, -2.0, -1.0, 0.0]


def test_what_is_kept_does_not_grow() -> None:
    session = Session("a", 1)
    for k in range(100):
        _observe(session, k / 2, k / 1.0)
    assert len(session.steps) == 9
    for k in range(300):
        _observe(session, 60 + k / 100, 200 + k / 50)
    assert len(session.steps) == MAX_STEPS
    assert session.count == 400


def test_a_simulated_turn_tells_the_rear_axles_acceleration() -> None:
    session = Session("a", 1)
    _observe(session, 0.0, 0.0, speed_mps=4.0)
    told = step(
        ego2world=pose(2.5, 0, 0), timestamp=START_US + 500_000, speed_mps=5.0, yaw_rate_radps=0.2
    )
    seen = session.observe(read_step(encoded(told), ()))
    *_, (vx, vy, ax, ay) = seen.motion[0]
    # 1 m/s more in half a second; 5 m/s times 0.2 rad/s to the side.
    assert np.allclose([vx, vy, ax, ay], [5.0, 0.0, 2.0, 1.0])


def test_a_refused_step_leaves_no_trace() -> None:
    session = Session("a", 1)
    _observe(session, 0.0, 0.0)
    with pytest.raises(OrderError, match="jumps by 500 m"):
        _observe(session, 0.5, 500.0)
    with pytest.raises(OrderError, match="not after"):
        _observe(session, -0.5, 0.0)
    assert _observe(session, 0.5, 1.0) == [-1.0, 0.0]
    assert session.count == 2


def test_a_step_without_an_answer_may_come_again_in_place_of_itself() -> None:
    session = Session("a", 1)
    _observe(session, 0.0, 0.0)
    assert _observe(session, 0.5, 1.0) == _observe(session, 0.5, 1.0)
    assert (len(session.steps), session.count) == (2, 2)
    session.answered_ns = 1_000 * START_US + 500_000_000
    with pytest.raises(OrderError, match="not after"):
        _observe(session, 0.5, 1.0)


def test_the_session_left_alone_longest_goes_first() -> None:
    sessions = Sessions(2)
    first, _ = sessions.reset("a"), sessions.reset("b")
    assert sessions.find("a") is first
    sessions.reset("c")
    assert sessions.find("a") is first
    with pytest.raises(OrderError, match="POST reset"):
        sessions.find("b")
    assert sessions.reset("a").run == 2
    assert sessions.find("a") is not first
