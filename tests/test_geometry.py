"""Rigid motions: hand-derived cases, and laws that hold for all."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from impromptu.arrays import Floats
from impromptu.geometry import SE2, SE3, about_z, are_unit, rotations, wrap_rad, yaws_rad

metres = st.floats(-1e4, 1e4)
angles = st.floats(-np.pi, np.pi)
points = st.lists(metres, min_size=3, max_size=3).map(np.array)
poses = st.builds(
    lambda angle, axis, at: SE3(Rotation.from_euler("ZYX", [angle, *axis]).as_matrix(), at),
    angles,
    st.lists(st.floats(-0.5, 0.5), min_size=2, max_size=2),
    points,
)


def test_a_quarter_turn_to_the_left_takes_forward_to_left() -> None:
    half = np.sqrt(0.5)
    turn = rotations(np.array([half, 0, 0, half]))
    np.testing.assert_allclose(turn @ [1, 0, 0], [0, 1, 0], atol=1e-15)
    assert yaws_rad(turn) == pytest.approx(np.pi / 2)


@given(st.lists(st.floats(-1, 1), min_size=4, max_size=4))
def test_quaternions_agree_with_scipy(values: list[float]) -> None:
    quat = np.array(values)
    if np.linalg.norm(quat) < 0.1:
        return
    quat /= np.linalg.norm(quat)
    expected = Rotation.from_quat(quat[[1, 2, 3, 0]]).as_matrix()
    np.testing.assert_allclose(rotations(quat), expected, atol=1e-12)


@pytest.mark.parametrize("bad", [[0, 0, 0, 0], [np.nan, 0, 0, 1], [np.inf, 0, 0, 0], [1, 1, 0, 0]])
def test_a_quaternion_that_is_none_is_named_by_its_row(bad: list[float]) -> None:
    rows = np.array([[1.0, 0, 0, 0], bad])
    assert are_unit(rows).tolist() == [True, False]
    with pytest.raises(ValueError, match="quaternion 1 is"):
        rotations(rows)


@pytest.mark.parametrize(
    ("angle", "wrapped"),
    [(0, 0), (np.pi, np.pi), (-np.pi, np.pi), (1.5 * np.pi, -np.pi / 2), (-7 * np.pi, np.pi)],
)
def test_angles_are_wrapped_into_minus_pi_excluded_to_pi(angle: float, wrapped: float) -> None:
    assert wrap_rad(angle) == pytest.approx(wrapped)


@given(st.floats(-100, 100))
def test_a_wrapped_angle_points_the_same_way(angle: float) -> None:
    wrapped = float(wrap_rad(angle))
    assert -np.pi < wrapped <= np.pi
    assert np.cos(wrapped) == pytest.approx(np.cos(angle), abs=1e-9)
    assert np.sin(wrapped) == pytest.approx(np.sin(angle), abs=1e-9)


@given(poses, poses, points)
def test_a_product_of_motions_is_one_after_the_other(a: SE3, b: SE3, point: Floats) -> None:
    np.testing.assert_allclose((a @ b).transform(point), a.transform(b.transform(point)), atol=1e-7)


@given(poses, points)
def test_an_inverse_undoes(pose: SE3, point: Floats) -> None:
    np.testing.assert_allclose(pose.inverse().transform(pose.transform(point)), point, atol=1e-7)


@given(angles, angles, points, points, points)
def test_motions_of_the_plane_are_those_of_space_without_height(
    first: float, second: float, a_m: Floats, b_m: Floats, point: Floats
) -> None:
    level = np.array([1.0, 1.0, 0.0])
    flat = SE2(first, a_m[:2]) @ SE2(second, b_m[:2]).inverse()
    a = SE3(Rotation.from_euler("Z", first).as_matrix(), a_m * level)
    b = SE3(Rotation.from_euler("Z", second).as_matrix(), b_m * level)
    solid = (a @ b.inverse()).transform(point * level)
    np.testing.assert_allclose(flat.transform(point[:2]), solid[:2], atol=1e-7)


def test_rotations_about_z_are_scipy_s_whatever_their_shape() -> None:
    angles_rad = np.array([[0.0, 0.3, -2.0], [np.pi, 7.0, -np.pi / 2]])
    expected = Rotation.from_euler("z", angles_rad.reshape(-1, 1)).as_matrix().reshape(2, 3, 3, 3)
    np.testing.assert_allclose(about_z(angles_rad), expected, atol=1e-15)
    assert about_z(np.array(0.3)).shape == (3, 3)


def test_shapes_and_values_are_checked_at_construction() -> None:
    with pytest.raises(ValueError, match=r"SE3.rotation: expected shape \(3, 3\), got \(2, 2\)"):
        SE3(np.eye(2), np.zeros(3))
    with pytest.raises(ValueError, match="SE3.translation_m: 1 values are not finite"):
        SE3(np.eye(3), np.array([0, np.nan, 0]))
    with pytest.raises(ValueError, match=r"SE2.translation_m: expected shape \(2\), got \(3,\)"):
        SE2(0.0, np.zeros(3))
    with pytest.raises(ValueError, match="SE2.yaw_rad: 1 values are not finite"):
        SE2(np.inf, np.zeros(2))


def test_a_pose_does_not_change_with_the_array_it_was_made_from() -> None:
    at = np.zeros(3)
    pose = SE3(np.eye(3), at)
    at[0] = 5
    assert pose.translation_m[0] == 0
    with pytest.raises(ValueError, match="read-only"):
        pose.translation_m[0] = 1
