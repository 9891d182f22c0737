"""Plans against a car that is known to have driven so."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.closed_loop.requests import arc, encoded, pose, step

from impromptu.arrays import Floats
from impromptu.closed_loop import plans
from impromptu.closed_loop.plans import Held
from impromptu.closed_loop.protocol import Step, read_step
from impromptu.geometry import SE2, turned

LIDAR = SE2(0.0, np.array([0.94, 0.0]))


def _of_the_lidar(xy_m: Floats, yaw_rad: Floats, lidar: SE2) -> Floats:
    """Return S^-1 E S, written out: where a point fixed to the car goes, seen from where it is."""
    moved_m = xy_m + turned(np.tile(lidar.translation_m, (len(xy_m), 1)), yaw_rad)
    return lidar.inverse().transform(moved_m)


@pytest.mark.parametrize("turn_deg", [-60, -30, -5, 0, 5, 30, 60])
@pytest.mark.parametrize("speed_mps", [0.5, 3.0, 10.0])
def test_a_turn_of_the_lidar_is_given_back_as_the_rear_axles(
    turn_deg: float, speed_mps: float
) -> None:
    radius_m = 3 * speed_mps / np.deg2rad(turn_deg) if turn_deg else 1e9
    xy_m, yaw_rad = arc(radius_m, speed_mps, plans.T_S)
    told = _of_the_lidar(xy_m, yaw_rad, LIDAR)
    back = plans.of_rear_axle(np.round(told, 2), LIDAR)
    assert np.abs(back - xy_m).max() < 0.06
    if abs(turn_deg) == 30 and speed_mps > 1:
        # Taken as they are, the lidar's places would lie 0.47 m to the side.
        assert np.abs(told - xy_m).max() == pytest.approx(0.94 * np.sin(np.deg2rad(30)), abs=0.01)
        assert np.abs(back - xy_m).max() < 0.02


def test_a_turn_that_begins_late_and_a_stop_are_given_back_too() -> None:
    fine_s = np.linspace(0, 3, 3_001)
    speed_mps = np.clip(8 - 3 * fine_s, 0, None)
    yaw_rad = np.cumsum(0.1 * speed_mps * (fine_s > 1)) * 1e-3
    way = np.stack([np.cos(yaw_rad), np.sin(yaw_rad)], axis=-1) * speed_mps[:, None] * 1e-3
    xy_m = np.cumsum(way, axis=0)[500::500]
    told = _of_the_lidar(xy_m, yaw_rad[500::500], LIDAR)
    assert np.abs(plans.of_rear_axle(told, LIDAR) - xy_m).max() < 0.06
    assert np.abs(told - xy_m).max() > 0.35


def test_a_lidar_that_is_mounted_askew() -> None:
    lidar = SE2(0.02, np.array([0.94, 0.01]))
    xy_m, yaw_rad = arc(30.0, 8.0, plans.T_S)
    told = _of_the_lidar(xy_m, yaw_rad, lidar)
    assert np.abs(plans.of_rear_axle(told, lidar) - xy_m).max() < 0.02


def test_standing_and_reversing_do_not_turn_the_car() -> None:
    jitter = np.array([[0.01, 0.0], [0.0, 0.01], [0.0, 0.0], [0.01, -0.01], [0.0, 0.0], [0.0, 0.0]])
    assert np.abs(plans.of_rear_axle(jitter, LIDAR)).max() < 0.05
    back = np.stack([-1.5 * np.arange(1, 7), np.zeros(6)], axis=-1)
    assert np.allclose(plans.of_rear_axle(back, LIDAR), back)


@given(st.lists(st.tuples(st.floats(-450, 450), st.floats(-450, 450)), min_size=6, max_size=6))
def test_whatever_is_told_the_rear_axle_stays_as_near_to_the_lidar(
    path: list[tuple[float, float]],
) -> None:
    told = np.array(path)
    back = plans.of_rear_axle(told, LIDAR)
    assert np.allclose(np.linalg.norm(LIDAR.transform(told) - back, axis=-1), 0.94)


def _step(number: int = 0, **more: object) -> Step:
    return read_step(encoded(step(number, **more)), ())  # type: ignore[arg-type]


@pytest.mark.parametrize(("command", "side"), [(0, -1), (1, 1), (2, 0)])
@pytest.mark.parametrize("speed_mps", [0.0, 2.0, 10.0])
def test_echo_route_turns_to_where_the_command_points(
    command: int, side: int, speed_mps: float
) -> None:
    path = plans.echo_route(_step(command=command, speed_mps=speed_mps))
    turn = {0.0: 0.0, 2.0: 1 / 8, 10.0: 1.5 / 100}[speed_mps] * side
    expected = (
        arc(1 / turn, speed_mps, plans.T_S)[0] if turn else np.outer(plans.T_S, [speed_mps, 0])
    )
    assert np.allclose(path, expected, atol=1e-5)
    if speed_mps == 10:  # where the command says that the route is
        assert (path[-1, 1] > 2, path[-1, 1] < -2) == (side > 0, side < 0)


def test_braking_takes_what_the_vehicle_can() -> None:
    path = plans.brake(_step(speed_mps=9.0))
    assert np.allclose(path[:, 0], [9 / 2 - 6 / 8, 9 - 3, *[81 / 12] * 4])
    assert not plans.brake(_step(speed_mps=-1.0)).any()


def test_a_held_plan_is_driven_on_in_the_present_frame() -> None:
    then = SE2(0.0, np.array([10.0, 0.0]))
    held = Held(np.outer(2.0 * np.arange(1, 7), [1, 0]), 10**18, then)
    now = _step(ego2world=pose(11.0, 1.0, np.pi / 2), timestamp=10**15 + 1_000_000)
    # A second later, a metre on and one to the left, and turned left: its line runs to the right.
    path = held.now(now)
    assert path is not None
    assert np.allclose(path, [[-1.0, -(10 + 4 + 2 * k - 11)] for k in range(1, 7)])
    late = _step(timestamp=10**15 + 3_000_000)
    assert held.now(late) is None


def test_what_the_simulator_tells_of_the_centre_is_told_of_the_rear_axle() -> None:
    turning = _step(yaw_rate_radps=0.4, speed_mps=6.0)
    assert turning.simulated
    assert np.allclose(turning.velocity_mps, [6.0, 0.0])
    leaning = np.eye(4)
    leaning[1:3, 1:3] = [[np.cos(0.01), -np.sin(0.01)], [np.sin(0.01), np.cos(0.01)]]
    logged = _step(yaw_rate_radps=0.4, speed_mps=6.0, ego2world=leaning.tolist())
    assert not logged.simulated
    assert np.allclose(logged.velocity_mps, [6.0, 0.4 * 1.461])


@pytest.mark.parametrize("radius_m", [8.0, -8.0, 50.0, 1e6])
@pytest.mark.parametrize("speed_mps", [2.0, 10.0])
def test_headings_of_a_turn_are_those_of_the_car(radius_m: float, speed_mps: float) -> None:
    xy_m, yaw_rad = arc(radius_m, speed_mps, 0.5 * np.arange(1, 11))
    got = plans.headings_rad(np.round(xy_m, 2))
    off = np.abs(np.remainder(got - yaw_rad + np.pi, 2 * np.pi) - np.pi)
    assert np.rad2deg(off[:8]).max() < 2.0


def test_a_car_that_stops_keeps_its_heading() -> None:
    xy_m, yaw_rad = arc(20.0, 6.0, 0.5 * np.arange(1, 4))
    jitter = 0.01 * np.array([[1, 0], [0, 1], [-1, -1], [0, 0], [-1, 1]])
    got = plans.headings_rad(np.concatenate([xy_m, xy_m[-1] + jitter]))
    assert np.abs(got[4:] - yaw_rad[-1]).max() < 0.1
    assert np.ptp(got[4:]) == 0
    assert not plans.headings_rad(jitter).any()


def test_a_car_that_rolls_back_does_not_turn_round() -> None:
    back = np.stack([-1.5 * np.arange(1, 9), 0.1 * np.arange(8)], axis=-1)
    assert not plans.headings_rad(back).any()
