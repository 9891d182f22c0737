"""The vehicle against what its formulas say, and the tracker against them written out densely."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impromptu.arrays import Floats
from impromptu.closed_loop import tracker
from impromptu.closed_loop.vehicle import (
    MAX_ACCELERATION_MPS2,
    MAX_STEERING_RAD,
    Vehicles,
    half_second,
)

T_S = 0.5 * np.arange(1, 7)


def car(speed_mps: float, steering_rad: float = 0.0, turn_radps: float = 0.0) -> Vehicles:
    speed, zero = np.array([speed_mps]), np.zeros(1)
    steering, turn = np.array([steering_rad]), np.array([turn_radps])
    return Vehicles(np.zeros((1, 3)), speed, steering, zero, turn, zero)


def straight(speed_mps: float) -> Floats:
    plan_m: Floats = np.stack([speed_mps * T_S, 0 * T_S], axis=-1)[None]
    return plan_m


def followed(cars: Vehicles, plan_m: Floats, times: int) -> Vehicles:
    for _ in range(times):
        cars = half_second(cars, plan_m)
    return cars


@pytest.mark.parametrize("speed_mps", [3.0, 12.0])
def test_a_straight_line_at_its_own_speed_is_kept(speed_mps: float) -> None:
    exactly = tracker.commands(straight(speed_mps), 0, np.array([speed_mps]), np.zeros(1))
    assert np.concatenate(exactly) == pytest.approx([0, 0], abs=1e-12)
    # The waypoints that are not moved with the car tell of a little more speed each time.
    end = followed(car(speed_mps), straight(speed_mps), 6)
    assert end.pose[0] == pytest.approx([3 * speed_mps, 0, 0], abs=1e-6)
    assert end.speed_mps == pytest.approx([speed_mps], abs=1e-6)


def test_speed_comes_close_to_that_of_the_plan() -> None:
    assert followed(car(4.0), straight(9.0), 20).speed_mps == pytest.approx([9.0], abs=0.1)


def test_a_circle_is_driven_in_the_end() -> None:
    radius_m, speed_mps = 25.0, 6.0
    angle = speed_mps * T_S / radius_m
    arc = radius_m * np.stack([np.sin(angle), 1 - np.cos(angle)], axis=-1)[None]
    end = followed(car(speed_mps), arc, 20)
    assert np.tan(end.steering_rad) / 3.089 == pytest.approx([1 / radius_m], rel=0.1)
    assert end.turn_radps == pytest.approx([speed_mps / radius_m], rel=0.1)
    assert abs(followed(end, arc, 10).pose[0, 2]) <= np.pi, "more than half a turn by now"


plans = st.lists(st.tuples(st.floats(-1, 12), st.floats(-4, 4)), min_size=6, max_size=6).map(
    lambda moves: np.cumsum(np.array(moves), axis=0)[None]
)


@settings(deadline=None, max_examples=50)
@given(plans, st.floats(0, 20), st.floats(-0.5, 0.5))
def test_left_and_right_are_mirror_images_and_limits_hold(
    plan_m: Floats, speed_mps: float, steering_rad: float
) -> None:
    mirror = np.array([1, -1])
    left = followed(car(speed_mps, steering_rad), plan_m, 3)
    right = followed(car(speed_mps, -steering_rad), plan_m * mirror, 3)
    # Of a plan that turns back on itself the curvature is anybody's guess, and rounding's.
    if np.diff(plan_m[0, :, 0], prepend=0.0).min() > 0.5:
        np.testing.assert_allclose(right.pose * [1, -1, -1], left.pose, atol=1e-6)
    assert np.abs(left.steering_rad) <= MAX_STEERING_RAD
    assert np.abs(left.acceleration_mps2) <= MAX_ACCELERATION_MPS2
    assert np.isfinite(left.pose).all()


def test_a_plan_that_ends_within_a_metre_brakes_by_its_speed() -> None:
    near = straight(0.3)
    rates = tracker.commands(near, 0, np.array([2.0]), np.array([0.3]))
    assert np.concatenate(rates).tolist() == [-3.0, 0.0]
    # v (1 - 0.15)^5 after five steps
    assert half_second(car(2.0), near).speed_mps == pytest.approx([2 * 0.85**5])


def test_braking_and_speeding_up_are_limited() -> None:
    assert half_second(car(20.0), np.zeros((1, 6, 2))).speed_mps == pytest.approx([17.0])
    assert half_second(car(0.0), straight(30.0)).speed_mps == pytest.approx([3.0])


def test_waypoints_are_not_moved_with_the_car() -> None:
    """Upstream's quirk: every tenth of a second a plan starts anew from where the car is."""
    assert tracker.commands(straight(5.0), 4, np.array([5.0]), np.zeros(1))[0] > 0


def test_the_centre_moves_sideways_in_a_turn() -> None:
    turning = car(5.0, turn_radps=0.4)
    assert turning.centre_velocity_mps()[0] == pytest.approx([5.0, 1.461 * 0.4])
    assert turning.centre_acceleration_mps2()[0] == pytest.approx([-1.461 * 0.16, 0.0])


def dense(plan_m: Floats, substep: int, speed: float, steering: float) -> tuple[float, float]:
    """The tracker for one car, with matrices as nuPlan's description has them."""
    h, wheelbase_m = 0.1, 3.089
    if np.hypot(*plan_m[-1]) < 1:
        return -1.5 * speed, 0.0
    knots, times = [[0.0, 0.0, 0.0]], [substep * h]
    for k in range(6):
        before, after = plan_m[k - 1] if k else np.zeros(2), plan_m[min(k + 1, 5)]
        if np.hypot(*plan_m[k]) >= 1:
            heading = np.arctan2(after[1] - before[1], after[0] - before[0])
            knots.append([*plan_m[k], heading])
            times.append(0.5 * (k + 1))
    table = np.array(knots)
    table[:, 2] = np.unwrap(table[:, 2])
    at_s = h * np.arange(substep, 31)
    x, y, yaw = (np.interp(at_s, times, column) for column in table.T)
    moved = np.stack([np.diff(x), np.diff(y)], axis=1)
    count = len(moved)
    system = np.zeros((2 * count, count))
    for k in range(count):
        ahead = np.array([np.cos(yaw[k]), np.sin(yaw[k])])
        system[2 * k : 2 * k + 2, 0] = ahead * h
        system[2 * k : 2 * k + 2, 1 : 1 + k] = (ahead * h * h)[:, None]
    jerk = np.zeros((count - 2, count))
    for k in range(count - 2):
        jerk[k, k + 1 : k + 3] = -1, 1
    normal = system.T @ system + 1e-6 * jerk.T @ jerk
    found = np.linalg.pinv(normal) @ system.T @ moved.ravel()
    speeds = found[0] + h * np.concatenate([[0], np.cumsum(found[1:])])
    turns = (np.diff(yaw) + np.pi) % (2 * np.pi) - np.pi
    system = np.tri(count) * (speeds * h * h)[:, None]
    system[:, 0] = speeds * h
    penalty = np.diag([1e-10] + [1e-5] * (count - 1))
    found = np.linalg.pinv(system.T @ system + penalty) @ system.T @ turns
    curvature = found[0] + h * np.concatenate([[0], np.cumsum(found[1:])])
    if speeds[10] <= 0.5 and speed <= 0.5:
        return -1.5 * (speed - speeds[10]), 0.0
    acceleration = 10 / 11 * (speeds[10] - speed)
    state, forced = np.array([0.0, 0.0, steering]), np.zeros(3)
    for k in range(10):
        v = speed + k * h * acceleration
        step = np.array([[1, v * h, 0], [0, 1, v * h / wheelbase_m], [0, 0, 1]])
        state = step @ state - [0, v * curvature[k] * h, 0]
        forced = step @ forced + [0, 0, h]
    return acceleration, -20 * forced[0] * state[0] / (20 * forced[0] ** 2 + 0.05)


@pytest.mark.parametrize("substep", range(5))
def test_the_tracker_is_that_of_its_dense_matrices(substep: int) -> None:
    rng = np.random.default_rng(substep)
    moves = rng.uniform(0, 6, (40, 6, 1)) * np.concatenate(
        [np.ones((40, 6, 1)), rng.uniform(-0.4, 0.4, (40, 6, 1))], axis=-1
    )
    plans_m = np.cumsum(moves, axis=1)
    plans_m[:10] *= 0.1
    plans_m[:4] *= 0.2
    angle = np.linspace(0, 5, 7)[1:]  # nearly once around, through where headings jump
    plans_m[30:] = 8 * np.stack([np.sin(angle), 1 - np.cos(angle)], axis=-1)
    speed, steering = rng.uniform(0, 12, 40), rng.uniform(-0.4, 0.4, 40)
    speed[:15:2] = 0.3
    expected = np.array(
        [dense(plan, substep, *rest) for plan, *rest in zip(plans_m, speed, steering, strict=True)]
    )
    rates = np.stack(tracker.commands(plans_m, substep, speed, steering), axis=-1)
    np.testing.assert_allclose(rates, expected, atol=1e-8)
    assert (np.linalg.norm(plans_m[:, -1], axis=-1) < 1).any()
