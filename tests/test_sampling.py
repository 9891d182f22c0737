"""Resampling: exact where the motion is, silent where nothing is known, blind to the future."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from tests.tracks import S, straight, times

from impromptu.arrays import Floats, Ints
from impromptu.poses import PoseTrack
from impromptu.sampling import STEP_NS, Signal, windows


def test_a_window_holds_three_seconds_back_and_five_on() -> None:
    way = windows(straight(times(*np.arange(0, 20.1, 0.25))), times(10))
    past, future = way.past(0), way.future(0)
    np.testing.assert_allclose(past.t_s, np.arange(-3, 0.1, 0.5))
    np.testing.assert_allclose(past.xy_m[:, 0], np.arange(-30, 0.1, 5), atol=1e-12)
    np.testing.assert_allclose(future.t_s, np.arange(0.5, 5.1, 0.5))
    np.testing.assert_allclose(future.xy_m[:, 0], np.arange(5, 50.1, 5), atol=1e-12)


def test_a_window_is_cut_at_the_first_gap_on_each_side() -> None:
    stamps = times(*np.arange(0, 4.1, 0.5), *np.arange(5.5, 8.1, 0.5), *np.arange(10, 15.1, 0.5))
    way = windows(straight(stamps), times(7))
    assert way.past(0).t_s.tolist() == [-1.5, -1, -0.5, 0]
    assert way.future(0).t_s.tolist() == [0.5, 1.0]
    assert len(windows(straight(stamps), times(0)).past(0)) == 1
    assert len(windows(straight(stamps), times(15)).future(0)) == 0


def test_a_gap_between_two_points_of_the_grid_cuts_too() -> None:
    """Poses at 10 Hz, of which 5.1 to 5.3 s are missing: 5.0 and 5.5 are known, apart."""
    stamps = np.delete(times(*np.arange(0, 10.05, 0.1)), [51, 52, 53])
    track = straight(stamps, max_gap_s=0.25)
    way = windows(track, times(4, 5, 5.5, 7))
    assert track.at(times(5, 5.5)).valid.all()
    assert [len(way.future(index)) for index in range(4)] == [2, 0, 9, 6]
    assert [len(way.past(index)) for index in range(4)] == [7, 7, 1, 4]


def test_another_body_of_the_track_is_not_known() -> None:
    """Three runs: 0 to 4.5 s, 5 s alone, and 100 m further on 5.5 to 10 s, but for 8 and 8.5 s."""
    stamps, bodies = times(*np.arange(0, 10.1, 0.5)), np.repeat([0, 1, 2], [10, 1, 10])
    stamps, bodies = np.delete(stamps, [16, 17]), np.delete(bodies, [16, 17])
    whole = straight(stamps)
    at_m = whole.translations_m + 100 * bodies[:, None]
    track = PoseTrack(stamps, whole.rotations, at_m, round(0.75 * S), bodies=bodies)
    way = windows(track, times(4, 5, 6), np.array([[0], [1], [2]]))
    assert way.present.valid.all()
    assert [len(way.past(index)) for index in range(3)] == [7, 1, 2]
    assert [len(way.future(index)) for index in range(3)] == [1, 0, 3]
    np.testing.assert_allclose(way.future(2).xy_m[:, 0], [5, 10, 15])


def test_a_present_within_a_gap_is_not_valid() -> None:
    way = windows(straight(times(0, 0.5, 2.0, 2.5)), times(0.5, 1.0))
    assert way.present.valid.tolist() == [True, False]


def test_a_left_arc_bends_left_in_the_frame_of_the_present() -> None:
    """On a circle of 20 m, half a radian on, the chord is 2 r sin(1/4) at a quarter radian."""
    angle = 0.2 * np.arange(0, 12, 0.5)
    at_m = 20 * np.column_stack([np.sin(angle), 1 - np.cos(angle), 0 * angle])
    turns = Rotation.from_euler("Z", angle[:, None]).as_matrix()
    track = PoseTrack(times(*np.arange(0, 12, 0.5)), turns, at_m + [5e5, 4e6, 3], S)
    future = windows(track, times(3)).future(0)
    chord_m = 40 * np.sin(0.25)
    expected = chord_m * np.array([np.cos(0.25), np.sin(0.25)])
    np.testing.assert_allclose(future.xy_m[4], expected, atol=1e-8)
    assert future.yaw_rad is not None
    assert future.yaw_rad[4] == pytest.approx(0.5)


def test_on_a_slope_distances_are_along_the_road() -> None:
    """A body pitched 20 degrees up that climbs along its own x axis goes straight ahead."""
    t_s = np.arange(0, 5.1, 0.5)
    climb = Rotation.from_euler("Y", -20, degrees=True).as_matrix()
    at_m = t_s[:, None] * 10 * climb[:, 0]
    track = PoseTrack(times(*t_s), np.tile(climb, (len(t_s), 1, 1)), at_m, S)
    future = windows(track, times(0)).future(0)
    np.testing.assert_allclose(future.xy_m, np.column_stack([10 * t_s[1:], 0 * t_s[1:]]), atol=1e-9)


def test_differences_look_backward_and_need_two_and_three_points() -> None:
    """x = t^2: backward over 0.5 s, v = 2 t - 0.5 and a = 2."""
    t_s = np.arange(0, 6.1, 0.5)
    track = straight(times(*t_s))
    track = PoseTrack(track.timestamps_ns, track.rotations, np.outer(t_s**2, [1, 0, 0]), S)
    now, later = windows(track, times(1, 5)).statuses()
    assert now[0] is None
    assert now[1] is not None
    assert now[1].velocity_mps.tolist() == [0.5, 0]
    assert now[1].acceleration_mps2 is None
    assert now[2] is not None
    assert now[2].acceleration_mps2 is not None
    assert now[2].acceleration_mps2.tolist() == [2, 0]
    assert not now[2].logged
    assert [status.velocity_mps[0] for status in later if status] == [
        2 * t - 0.5 for t in np.arange(2, 5.1, 0.5)
    ]
    assert all(status and status.acceleration_mps2 is not None for status in later)


def test_velocity_is_in_the_axes_of_its_own_instant() -> None:
    """A body that turned from east to north and drives on north goes forward."""
    t_s = np.arange(0, 3.1, 0.5)
    yaw = np.where(t_s < 1.2, 0, np.pi / 2)
    turns = Rotation.from_euler("Z", yaw[:, None]).as_matrix()
    track = PoseTrack(times(*t_s), turns, np.outer(t_s, [0, 4, 0]), S)
    statuses = windows(track, times(3)).statuses()[0]
    assert statuses[1] is not None
    np.testing.assert_allclose(statuses[1].velocity_mps, [0, 4], atol=1e-12)
    assert statuses[-1] is not None
    np.testing.assert_allclose(statuses[-1].velocity_mps, [4, 0], atol=1e-12)


def test_logged_motion_is_preferred_point_by_point() -> None:
    way = windows(straight(times(*np.arange(0, 6.1, 0.5))), times(5))
    motion = np.full((1, 7, 4), np.nan)
    motion[0, 6] = [9, 0.1, -1, 0.2]
    steering = np.full((1, 7), 0.3)
    statuses = way.statuses(motion, steering)[0]
    assert [status.logged for status in statuses if status] == [False] * 6 + [True]
    assert statuses[6] is not None
    assert statuses[6].velocity_mps.tolist() == [9, 0.1]
    assert [status.steering_rad for status in statuses if status] == [0.3] * 7


def test_a_signal_is_never_from_later_nor_too_old() -> None:
    signal = Signal(times(1.0, 1.1, 1.2), np.array([[1.0], [2.0], [3.0]]), S // 10)
    found = signal.at(times(0.99, 1.0, 1.05, 1.1999, 1.2, 1.3, 1.301))[:, 0]
    assert np.isnan(found[[0, 6]]).all()
    assert found[1:6].tolist() == [1, 1, 2, 3, 3]


Drive = tuple[Ints, Floats, Floats]


def drive_of(steps: list[float], seed: int) -> Drive:
    rng = np.random.default_rng(seed)
    stamps = times(*np.cumsum(steps))
    turns = Rotation.from_euler("ZYX", rng.normal(0, 0.3, (len(stamps), 3))).as_matrix()
    return stamps, turns, rng.normal(0, 50, (len(stamps), 3))


# Irregular stamps with gaps wider than a second among them, and any poses.
drives = st.builds(
    drive_of, st.lists(st.floats(0.05, 1.2), min_size=2, max_size=30), st.integers(0, 2**31)
)


@settings(max_examples=60, deadline=None)
@given(drives, st.integers(0, 29))
def test_nothing_after_the_present_changes_what_is_known_at_it(drive: Drive, index: int) -> None:
    stamps, turns, at_m = drive
    index %= len(stamps)
    anchor = stamps[[index]]
    whole = windows(PoseTrack(stamps, turns, at_m, S, S // 20), anchor)
    kept = slice(index + 1)
    cut = windows(PoseTrack(stamps[kept], turns[kept], at_m[kept], S, S // 20), anchor)
    assert whole.past(0).t_s.tolist() == cut.past(0).t_s.tolist()
    np.testing.assert_array_equal(whole.past(0).xy_m, cut.past(0).xy_m)
    for one, other in zip(whole.statuses()[0], cut.statuses()[0], strict=True):
        assert (one is None) == (other is None)
        if one and other:
            np.testing.assert_array_equal(one.velocity_mps, other.velocity_mps)


@settings(max_examples=60, deadline=None)
@given(drives, st.integers(0, 29))
def test_a_window_does_not_depend_on_where_the_world_begins(drive: Drive, index: int) -> None:
    stamps, turns, at_m = drive
    anchor = stamps[[index % len(stamps)]]
    moved = Rotation.from_euler("ZYX", [2.0, 0.1, -0.2]).as_matrix()
    here = windows(PoseTrack(stamps, turns, at_m, S), anchor)
    there = windows(PoseTrack(stamps, moved @ turns, at_m @ moved.T + 1e5, S), anchor)
    np.testing.assert_allclose(here.future(0).xy_m, there.future(0).xy_m, atol=1e-8)
    np.testing.assert_allclose(here.past(0).xy_m, there.past(0).xy_m, atol=1e-8)


def test_the_step_is_half_a_second() -> None:
    assert STEP_NS == 500_000_000
