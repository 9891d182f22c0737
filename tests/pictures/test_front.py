"""Ground points in pixels: by hand, and where there is no pixel."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from impromptu.clip import Camera
from impromptu.geometry import SE3
from impromptu.pictures.front import NEAR_M, ground_pixels


def test_a_ground_point_falls_where_similar_triangles_say(camera: Camera) -> None:
    # (11, 2) is 10 m before the camera, 2 m to its left and 1.5 m below it:
    # u = 200 - 100 * 2 / 10 and v = 100 + 100 * 1.5 / 10.
    np.testing.assert_allclose(ground_pixels(camera, np.array([[11.0, 2.0]])), [[180, 115]])


def test_the_camera_may_look_elsewhere(camera: Camera) -> None:
    # Turned a quarter to the left, it sees on its axis what lies to the ego's left.
    to_left = SE3(np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]), np.array([1.0, 0, 1.5]))
    turned = replace(camera, ego_SE3_camera=to_left)
    np.testing.assert_allclose(ground_pixels(turned, np.array([[1.0, 10.0]])), [[200, 115]])


def test_what_is_behind_or_too_near_has_no_pixel(camera: Camera) -> None:
    points_m = np.array([[-5.0, 0], [1.0, 0], [1 + NEAR_M / 2, 0], [1 + 2 * NEAR_M, 0]])
    assert np.isnan(ground_pixels(camera, points_m)).all(axis=1).tolist() == [True] * 3 + [False]


def test_a_path_is_cut_at_the_near_plane(camera: Camera) -> None:
    line_px = ground_pixels(camera, np.array([[0.0, 0.0], [11.0, 2.2]]), joined=True)
    # The cut is 0.3 m before the camera, at (1.3, 0.26): u = 200 - 100 * 0.26 / 0.3 and
    # v = 100 + 100 * 1.5 / 0.3.
    expected_px = np.array([[np.nan, np.nan], [200 - 26 / 0.3, 600], [178, 115]])
    np.testing.assert_allclose(line_px, expected_px)


def test_an_uncalibrated_camera_is_refused_by_name(camera: Camera) -> None:
    with pytest.raises(ValueError, match=r"camera FRONT of .*front\.png has no calibration"):
        ground_pixels(replace(camera, intrinsics_px=None), np.zeros((1, 2)))


_METRES = st.floats(-50, 50, allow_nan=False).map(lambda value: round(value, 3))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(_METRES, _METRES), min_size=1, max_size=8))
def test_a_cut_path_holds_its_points_and_nothing_from_behind(
    camera: Camera, points: list[tuple[float, float]]
) -> None:
    xy_m = np.array(points)
    line_px = ground_pixels(camera, xy_m, joined=True)
    np.testing.assert_array_equal(line_px[::2], ground_pixels(camera, xy_m))
    depth_m = xy_m[:, 0] - 1.0
    ahead = depth_m >= NEAR_M
    assert (np.isfinite(line_px[::2]).all(axis=1) == ahead).all()
    # A cut is on the near plane: 1.5 m below a camera of 100 px, 0.3 m away.
    cuts = np.flatnonzero(ahead[:-1] != ahead[1:])
    np.testing.assert_allclose(line_px[2 * cuts + 1, 1], 600)
