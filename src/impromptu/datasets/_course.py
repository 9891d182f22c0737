"""Poses of logs that hold positions alone: the heading is the course, told from the past only.

A log is cut into runs, numbered along its rows; nothing is known across a cut.
"""

import numpy as np

from impromptu.arrays import Floats, Ints
from impromptu.geometry import about_z
from impromptu.poses import PoseTrack
from impromptu.sampling import STEP_NS

CHORD_M = 2.0
"""The course is the direction of the chord over the last 2 m: long against the noise of GPS."""
CHORD_NS = 4_000_000_000
"""Slower than 2 m in 4 s, a position's noise says more than its motion: the course is held."""
_MAJOR_AXIS_M = 6_378_137.0
_ECCENTRICITY_2 = 6.694379990141e-3


def east_north_m(latitude_deg: Floats, longitude_deg: Floats) -> Floats:
    """Return (n, 2) metres east and north of the first of (n,) places on WGS84.

    Steps between rows are summed, each at the scale of its own latitude, so that distances between
    rows that are near each other are true wherever they are; a map projection's are not.
    """
    lat, lon = np.radians(latitude_deg), np.unwrap(np.radians(longitude_deg))
    middle = (lat[1:] + lat[:-1]) / 2
    squeeze = 1 - _ECCENTRICITY_2 * np.sin(middle) ** 2
    # Radii of curvature of the ellipsoid along its parallel and along its meridian.
    parallel_m = _MAJOR_AXIS_M / np.sqrt(squeeze) * np.cos(middle)
    meridian_m = _MAJOR_AXIS_M * (1 - _ECCENTRICITY_2) / squeeze**1.5
    steps_m = np.column_stack([parallel_m * np.diff(lon), meridian_m * np.diff(lat)])
    return np.concatenate([np.zeros((1, 2)), np.cumsum(steps_m, axis=0)])


def courses_rad(stamps_ns: Ints, xy_m: Floats, runs: Ints) -> Floats:
    """Return the (n,) courses, counter-clockwise from x; NaN before a run's first known one.

    A course comes from the latest row of the run that is ``CHORD_M`` away, if it is at most
    ``CHORD_NS`` old; otherwise it stays what it was. No row depends on a later one.
    """
    course = np.full(len(xy_m), np.nan)
    rows, lag = np.arange(len(xy_m)), 0
    while rows.size:
        lag += 1
        rows = rows[rows >= lag]
        near = stamps_ns[rows] - stamps_ns[rows - lag] <= CHORD_NS
        rows = rows[near & (runs[rows] == runs[rows - lag])]
        x, y = (xy_m[rows] - xy_m[rows - lag]).T
        far = np.hypot(x, y) >= CHORD_M
        course[rows[far]] = np.arctan2(y, x)[far]
        rows = rows[~far]
    latest = np.maximum.accumulate(np.where(np.isnan(course), 0, np.arange(len(course))))
    return np.where(runs[latest] == runs, course[latest], np.nan)


def course_track(
    stamps_ns: Ints, xy_m: Floats, runs: Ints, max_gap_ns: int
) -> tuple[PoseTrack, Ints]:
    """Return the track of (n,) rows, and the body in it that each row belongs to.

    Rows of a run are one body from the first known course on. A row before that is a body of its
    own, that looks along x: nothing can be told from it but that the ego was there.
    """
    course = courses_rad(stamps_ns, xy_m, runs)
    lost = np.isnan(course)
    bodies = np.append(0, np.cumsum((np.diff(runs) != 0) | lost[:-1]))
    yaw_rad = np.where(lost, 0.0, course)
    position_m = np.column_stack([xy_m, np.zeros(len(xy_m))])
    return PoseTrack(stamps_ns, about_z(yaw_rad), position_m, max_gap_ns, bodies=bodies), bodies


def half_seconds(stamps_ns: Ints, runs: Ints) -> Ints:
    """Return the first row of each half second that is counted from the start of its run."""
    start_ns = stamps_ns[np.searchsorted(runs, runs)]
    step = (stamps_ns - start_ns) // STEP_NS
    return np.flatnonzero(np.append(True, (np.diff(runs) != 0) | (np.diff(step) != 0)))
