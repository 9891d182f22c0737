"""Boxes of seven numbers and matrices against values that can be told by hand."""

import numpy as np
from scipy.spatial.transform import Rotation

from impromptu.datasets._upright import rigid, upright_boxes
from impromptu.poses import Poses

QUARTER = Rotation.from_euler("z", 90, degrees=True).as_matrix()


def test_a_matrix_that_is_no_rigid_motion_is_not_valid() -> None:
    turns = np.array([np.eye(3), QUARTER, np.diag([1, 1, -1]), 1.1 * np.eye(3), 0 * np.eye(3)])
    places = np.array([[1.0, 2, 3]] * 5)
    assert rigid(turns, places).valid.tolist() == [True, True, False, False, False]
    places[1, 2], turns[0, 0, 1] = np.nan, np.inf
    assert not rigid(turns, places).valid.any()
    found = rigid(np.array([QUARTER]), np.array([[1.0, 2, 3]]))
    np.testing.assert_array_equal(found.rotations[0], QUARTER)
    np.testing.assert_array_equal(found.translations_m[0], [1, 2, 3])


def test_boxes_stand_where_the_sensor_saw_them() -> None:
    """The sensor is at (10, 0, 2) and looks along the world's y: its x is the world's y."""
    sensor = Poses(
        np.array([QUARTER] * 4), np.array([[10.0, 0, 2]] * 4), np.array([1, 1, 1, 0], bool)
    )
    numbers = np.array([[5.0, 1, -1, 4, 2, 1.5, np.pi / 2]] * 4)
    numbers[1, 3], numbers[2, 0] = 0, np.nan
    boxes, unsound_ns = upright_boxes(
        np.array([0, 1, 2, 3]), sensor, ["a", "b", "c", "d"], ["x"] * 4, ["vehicle"] * 4, numbers
    )
    assert boxes.ids == ["a"]
    assert unsound_ns.tolist() == [1, 2]
    np.testing.assert_allclose(boxes.centers_m, [[9, 5, 1]])
    np.testing.assert_allclose(boxes.rotations[0], QUARTER @ QUARTER, atol=1e-15)
    np.testing.assert_array_equal(boxes.sizes_m, [[4, 2, 1.5]])
    assert boxes.observed.tolist() == [True]
