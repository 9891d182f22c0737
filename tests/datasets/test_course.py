"""Headings from positions alone: hand-made ways, causality, and a second derivation of metres."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from impromptu.arrays import Floats
from impromptu.datasets._course import (
    course_track,
    courses_rad,
    east_north_m,
    half_seconds,
)

TENTH_NS = 100_000_000


def courses(xy_m: list[tuple[float, float]] | Floats, runs: list[int] | None = None) -> Floats:
    """Return the courses of rows 0.1 s apart."""
    places = np.array(xy_m, dtype=np.float64)
    numbers = np.zeros(len(places), np.int64) if runs is None else np.array(runs)
    return courses_rad(TENTH_NS * np.arange(len(places)), places, numbers)


def test_a_course_is_known_once_two_metres_are_driven() -> None:
    found = courses([(0.0, 0.5 * k) for k in range(7)])
    assert np.isnan(found[:4]).all()
    np.testing.assert_allclose(found[4:], np.pi / 2)


def test_it_is_the_chord_to_the_latest_row_that_is_far_enough() -> None:
    """East for 3 m, then north: after 2 m north the chord no longer leans."""
    found = courses([*((float(k), 0.0) for k in range(4)), (3, 1), (3, 2), (3, 3)])
    expected = [np.nan, np.nan, 0, 0, np.arctan2(1, 2), np.pi / 2, np.pi / 2]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_a_standing_car_keeps_its_course_whatever_its_position_drifts() -> None:
    drive = [(0.0, 1.0 * k) for k in range(5)]
    drift = [(0.03 * k, 4.0) for k in range(1, 200)]
    np.testing.assert_allclose(courses([*drive, *drift])[45:], np.pi / 2, atol=0.6)
    assert np.ptp(courses([*drive, *drift])[45:100]) == 0


def test_a_run_tells_nothing_of_another() -> None:
    found = courses([(1.0 * k, 0.0) for k in range(8)], [0, 0, 0, 0, 1, 1, 1, 1])
    assert np.isnan(found).tolist() == [True, True, False, False] * 2


@given(
    st.lists(st.tuples(st.floats(-3, 3), st.floats(-3, 3)), min_size=1, max_size=60),
    st.integers(1, 60),
)
def test_no_course_depends_on_a_later_row(steps: list[tuple[float, float]], kept: int) -> None:
    xy_m = np.cumsum(np.array(steps), axis=0)
    np.testing.assert_array_equal(courses(xy_m)[:kept], courses(xy_m[:kept]))


@given(
    st.lists(st.tuples(st.floats(-3, 3), st.floats(-3, 3)), min_size=3, max_size=40),
    st.sampled_from([90, 180, 270]),
)
def test_turning_the_world_turns_the_courses(steps: list[tuple[float, float]], turn: int) -> None:
    """Quarter turns swap coordinates, so that no distance changes by rounding."""
    xy_m = np.cumsum(np.array(steps), axis=0)
    x, y = xy_m.T
    turned = {90: (-y, x), 180: (-x, -y), 270: (y, -x)}[turn]
    difference = courses(np.column_stack(turned)) - courses(xy_m) - np.radians(turn)
    known = ~np.isnan(difference)
    np.testing.assert_array_equal(np.isnan(courses(xy_m)), ~known)
    np.testing.assert_allclose(np.cos(difference[known]), 1, atol=1e-12)


def test_rows_before_a_course_are_bodies_of_their_own() -> None:
    stamps_ns = TENTH_NS * np.arange(6)
    xy_m = np.array([(0.0, 1.0 * k) for k in range(6)])
    track, bodies = course_track(stamps_ns, xy_m, np.array([0, 0, 0, 0, 1, 1]), TENTH_NS)
    assert bodies.tolist() == [0, 1, 2, 2, 3, 4]
    found = track.at(stamps_ns, bodies)
    assert found.valid.all()
    np.testing.assert_allclose(found.rotations[0], np.eye(3))
    np.testing.assert_allclose(found.rotations[2][:, 0], [0, 1, 0], atol=1e-12)
    np.testing.assert_allclose(found.translations_m[:, :2], xy_m)
    assert not track.at(stamps_ns[:1] + 1, bodies[:1]).valid.any()


def test_half_seconds_are_counted_anew_in_each_run() -> None:
    stamps_ns = 1_000_000 * np.array([0, 200, 400, 600, 900, 1000, 5000, 5300, 5500])
    runs = np.array([0, 0, 0, 0, 0, 0, 1, 1, 1])
    assert half_seconds(stamps_ns, runs).tolist() == [0, 3, 5, 6, 8]
    assert half_seconds(0 * stamps_ns, np.arange(9)).tolist() == list(range(9))


def test_a_degree_at_the_equator_is_that_of_the_ellipsoids_axes() -> None:
    """Along it, 1 degree of a circle of the major axis; across it, the radius is b^2 / a."""
    a_m, b_m = 6_378_137.0, 6_356_752.314245
    east = east_north_m(np.array([0.0, 0.0]), np.array([179.9995, -179.9995]))[1]
    north = east_north_m(np.array([-5e-4, 5e-4]), np.array([7.0, 7.0]))[1]
    np.testing.assert_allclose(east, [a_m * np.radians(1e-3), 0], atol=1e-6)
    np.testing.assert_allclose(north, [0, b_m**2 / a_m * np.radians(1e-3)], atol=1e-6)


def test_steps_agree_with_a_geodesic_library() -> None:
    """Any way over 40 km: each step of some 40 m is true to a millimetre and 0.001 degrees."""
    geod = pytest.importorskip("pyproj").Geod(ellps="WGS84")
    rng = np.random.default_rng(0)
    lat, lon = 17.3 + np.cumsum(rng.normal(0, 3e-4, (2, 1000)), axis=1) + [[0], [61.1]]
    azimuth_deg, _, distance_m = geod.inv(lon[:-1], lat[:-1], lon[1:], lat[1:])
    step_m = np.diff(east_north_m(lat, lon), axis=0)
    np.testing.assert_allclose(np.hypot(*step_m.T), distance_m, atol=1e-3)
    expected = distance_m * [np.sin(np.radians(azimuth_deg)), np.cos(np.radians(azimuth_deg))]
    np.testing.assert_allclose(step_m, expected.T, atol=2e-3)
