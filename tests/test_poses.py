"""Poses in time: exact where the motion is, silent where nothing is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation, Slerp
from tests.tracks import S, straight, times

from impromptu.arrays import Floats, Ints
from impromptu.poses import Poses, PoseTrack, pose_track, poses


def test_positions_are_interpolated_linearly_between_two_poses() -> None:
    found = straight(times(0, 0.4)).at(times(0, 0.1, 0.4))
    assert found.valid.all()
    np.testing.assert_allclose(found.translations_m[:, 0], [0, 1, 4])


def test_rotations_agree_with_slerp() -> None:
    rng = np.random.default_rng(0)
    stamps = np.cumsum(rng.integers(1, S, 30))
    turns = Rotation.random(30, random_state=1)
    track = PoseTrack(stamps, turns.as_matrix(), np.zeros((30, 3)), S)
    asked = rng.integers(stamps[0], stamps[-1], 200)
    expected = Slerp(stamps - stamps[0], turns)(asked - stamps[0]).as_matrix()
    np.testing.assert_allclose(track.at(asked).rotations, expected, atol=1e-7)


def test_a_logged_pose_comes_back_bit_for_bit() -> None:
    rng = np.random.default_rng(0)
    turns = Rotation.random(5, random_state=1).as_matrix()
    at_m = rng.uniform(-1e6, 1e6, (5, 3))
    track = PoseTrack(times(0, 1, 2, 3, 9), turns, at_m, S)
    found = track.at(times(0, 1, 2, 3, 9))
    assert found.valid.all()
    assert (found.translations_m == at_m).all()
    assert (found.rotations == turns).all()


def test_nothing_is_known_within_a_gap_but_its_ends_are() -> None:
    track = straight(times(0, 0.5, 1.5, 2.0))
    assert track.at(times(0.5, 0.51, 1.0, 1.49, 1.5)).valid.tolist() == [1, 0, 0, 0, 1]


def test_nothing_is_known_beyond_the_ends_except_within_the_edge() -> None:
    assert straight(times(0, 0.5)).at(times(-0.001, 0.501)).valid.tolist() == [0, 0]
    track = straight(times(0, 0.5), edge_s=0.06)
    found = track.at(times(-0.061, -0.06, 0.56, 0.561))
    assert found.valid.tolist() == [0, 1, 1, 0]
    np.testing.assert_allclose(found.translations_m[1:3, 0], [-0.6, 5.6])


def test_the_edge_does_not_reach_into_a_gap() -> None:
    track = straight(times(0, 0.5, 2.0), edge_s=0.06)
    assert track.at(times(0.55, 1.95, 2.05)).valid.tolist() == [0, 0, 0]


def test_a_single_pose_is_known_at_its_stamp_only() -> None:
    track = straight(times(1), edge_s=0.06)
    assert track.at(times(0.99, 1, 1.01)).valid.tolist() == [0, 1, 0]


def test_bodies_do_not_mix() -> None:
    """The second body begins where, in the list of poses, the first ends."""
    stamps, bodies = times(0, 0.5, 1.0, 0.5, 1.0, 1.5), np.array([0, 0, 0, 1, 1, 1])
    at_m = np.zeros((6, 3))
    at_m[:, 0] = [0, 5, 10, 100, 110, 120]
    turns = np.tile(np.eye(3), (6, 1, 1))
    track = PoseTrack(stamps, turns, at_m, S, 0, bodies)
    found = track.at(times(0.25, 0.75, 1.25), np.array([[0], [1]]))
    assert found.valid.tolist() == [[1, 1, 0], [0, 1, 1]]
    np.testing.assert_allclose(found.translations_m[0, :2, 0], [2.5, 7.5])
    np.testing.assert_allclose(found.translations_m[1, 1:, 0], [105, 115])


def test_a_gap_breaks_what_lies_on_its_two_sides() -> None:
    track = straight(times(0, 0.5, 2.0, 2.5), edge_s=0.06)
    since = track.unbroken(times(0, 0.3, 0.5, 2.0, 2.56), times(0.5))
    assert since.tolist() == [1, 1, 1, 0, 0]
    assert track.unbroken(times(1.94, 2.0, 2.56), times(2.2)).tolist() == [0, 1, 1]


def test_stamps_must_rise_within_a_body() -> None:
    with pytest.raises(ValueError, match="stamps must rise; 500000000 ns"):
        straight(times(0, 0.5, 0.5))
    with pytest.raises(ValueError, match="no usable pose"):
        straight(times())


def rows(*stamps_s: float) -> tuple[Ints, Floats]:
    """Return (n,) stamps and (n, 7) poses along world x."""
    table = np.zeros((len(stamps_s), 7))
    table[:, 0] = 1
    table[:, 4] = stamps_s
    return times(*stamps_s), table


def test_a_track_is_sorted_and_leaves_out_poses_that_are_none() -> None:
    stamps, table = rows(1.0, 0.0, 0.5)
    table[2, :4] = 0
    track = pose_track(stamps, poses(table), "file", max_gap_ns=2 * S)
    assert track.timestamps_ns.tolist() == [0, S]


def test_equal_poses_of_one_stamp_are_one_and_different_ones_an_error() -> None:
    stamps, table = rows(0.0, 0.5, 0.5)
    assert len(pose_track(stamps, poses(table), "file", max_gap_ns=S).timestamps_ns) == 2
    table[1, 5] = 0.01
    with pytest.raises(ValueError, match="file: rows 2 and 3 have one stamp, 500000000 ns, and"):
        pose_track(stamps, poses(table), "file", max_gap_ns=S)


def test_a_position_far_away_or_far_from_the_one_before_is_an_error() -> None:
    """In half a second 150 m/s are 75 m, and 20 m are for corrections."""
    stamps, table = rows(0.5, 0.0, 1.0)
    table[2, 4] = 0.5 + 94.9
    assert len(pose_track(stamps, poses(table), "file", max_gap_ns=S).timestamps_ns) == 3
    table[2, 4] = 0.5 + 95.1
    with pytest.raises(ValueError, match="file: from row 1 to row 3 the position jumps by 95 m in"):
        pose_track(stamps, poses(table), "file", max_gap_ns=S)
    table[2, 4] = -1e300
    assert poses(table).valid.tolist() == [True, True, False]
    with pytest.raises(ValueError, match=r"file: row 3, 1000000000 ns: position \[-1e\+300, "):
        pose_track(stamps, poses(table, np.inf), "file", max_gap_ns=S)


def test_stamps_a_nanosecond_apart_are_two_poses() -> None:
    stamps, table = rows(0.0, 0.5, 0.5)
    stamps[2] += 1
    table[2, 4] = 0.6
    track = pose_track(stamps, poses(table), "file", max_gap_ns=S)
    np.testing.assert_allclose(track.at(stamps).translations_m[:, 0], [0, 0.5, 0.6])


@pytest.mark.parametrize("column", range(7))
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_pose_with_a_number_that_is_none_is_not_valid(column: int, value: float) -> None:
    _, table = rows(0.0, 0.5)
    table[1, column] = value
    assert poses(table).valid.tolist() == [True, False]


def test_a_log_without_a_usable_pose_says_how_many_it_had() -> None:
    stamps, table = rows(0.0, 0.5)
    with pytest.raises(ValueError, match="file: 2 poses, none usable"):
        pose_track(stamps, poses(0 * table), "file", max_gap_ns=S)


@given(
    st.lists(st.floats(0.05, 1.2), min_size=2, max_size=30),
    st.lists(st.floats(-1, 40), min_size=1, max_size=20),
)
def test_a_time_is_known_exactly_between_two_near_poses(
    steps_s: list[float], asked_s: list[float]
) -> None:
    stamps, asked = times(*np.cumsum(steps_s)), times(*asked_s)
    found = straight(stamps, max_gap_s=1.0).at(asked)
    for time, valid in zip(asked.tolist(), found.valid.tolist(), strict=True):
        before, after = stamps[stamps <= time], stamps[stamps >= time]
        near = before.size and after.size and after.min() - before.max() <= S
        assert valid == bool(near)


def test_poses_compose_and_change_frame_as_se3_does() -> None:
    turns = Rotation.random(4, random_state=3).as_matrix()
    at_m = np.random.default_rng(0).normal(0, 10, (4, 3))
    both = Poses(turns, at_m, np.ones(4, dtype=bool))
    a, b = both[0].se3(), both[1].se3()
    product, seen = (both[0] @ both[1]).se3(), both[1].seen_from(both[0]).se3()
    np.testing.assert_allclose(product.translation_m, (a @ b).translation_m)
    np.testing.assert_allclose(seen.rotation, (a.inverse() @ b).rotation, atol=1e-12)
    np.testing.assert_allclose(seen.translation_m, (a.inverse() @ b).translation_m, atol=1e-12)
