"""Collision rate as SparseDrive and the published Impromptu count it: polygons that overlap.

The ego's box is turned to where the path leads: at each step along the line from the waypoint
before to the one after (the present counts as one before the first; the last looks back only), and
straight ahead throughout where the path ends within 0.5 m of its first waypoint. Its centre is
moved forward along that heading. It hits a box when the two share a point (arXiv 2405.19620).

Boxes of every kind count, if a sensor saw them at that time: the published rule is at least one
lidar point; what a dataset counts as seen is for its adapter to say (nuScenes: a lidar or radar
point, and over 40 % visible).
"""

from collections.abc import Sequence

import numpy as np

from impromptu.arrays import Bools, Floats
from impromptu.clip import Trajectory
from impromptu.geometry import turned
from impromptu.metrics import Metric, TrueScene
from impromptu.metrics._collision import AHEAD_M, EGO_M, Boxes, collision_sums, up_to_horizons

STANDING_M = 0.5
_HALF_M = np.array(EGO_M) / 2


def headings_rad(xy_m: Floats) -> Floats:
    """Return where n paths (n, k, 2), k > 1, lead at each step, (n, k)."""
    from_now_m = np.concatenate([np.zeros_like(xy_m[:, :1]), xy_m], axis=1)
    along_m = np.empty_like(xy_m)
    along_m[:, :-1] = from_now_m[:, 2:] - from_now_m[:, :-2]
    along_m[:, -1] = from_now_m[:, -1] - from_now_m[:, -2]
    yaw_rad = np.arctan2(along_m[..., 1], along_m[..., 0])
    way_m = xy_m[:, -1] - xy_m[:, 0]
    standing = np.hypot(way_m[:, 0], way_m[:, 1]) < STANDING_M
    return np.where(standing[:, None], 0.0, yaw_rad)


def hits(xy_m: Floats, boxes: Boxes) -> Bools:
    """Tell at which of (n, k) steps the ego's box and another share a point."""
    yaw_rad = headings_rad(xy_m)
    centers_m = xy_m + turned(np.array([AHEAD_M, 0.0]), yaw_rad)
    gap_m = boxes.xy_m - centers_m[boxes.sample, boxes.step]
    reach_m = np.hypot(*_HALF_M) + np.hypot(boxes.size_m[:, 0], boxes.size_m[:, 1]) / 2
    near = np.flatnonzero(np.hypot(gap_m[:, 0], gap_m[:, 1]) <= reach_m)
    close = boxes.of(near)
    meet = overlap(gap_m[near], yaw_rad[close.sample, close.step], close)
    hit = np.zeros(xy_m.shape[:2], dtype=bool)
    hit[close.sample[meet], close.step[meet]] = True
    return hit


def overlap(gap_m: Floats, yaw_rad: Floats, boxes: Boxes) -> Bools:
    """Tell which of m boxes share a point with an ego box of their own.

    Two rectangles are apart if, and only if, they are so along a side of one of them.

    Args:
        gap_m: (m, 2) from the ego's centre to the box's.
        yaw_rad: (m,) the ego's heading.
        boxes: The others.
    """
    between_rad = boxes.yaw_rad - yaw_rad
    cos, sin = np.abs(np.cos(between_rad))[:, None], np.abs(np.sin(between_rad))[:, None]
    half_m = boxes.size_m / 2
    in_ego_m, in_box_m = turned(gap_m, -yaw_rad), turned(gap_m, -boxes.yaw_rad)
    reach_ego_m = _HALF_M + cos * half_m + sin * half_m[:, ::-1]
    reach_box_m = half_m + cos * _HALF_M + sin * _HALF_M[::-1]
    meet: Bools = ((np.abs(in_ego_m) <= reach_ego_m) & (np.abs(in_box_m) <= reach_box_m)).all(
        axis=1
    )
    return meet


def sums(predicted: Sequence[Trajectory], true: Sequence[TrueScene]) -> dict[str, Floats]:
    """Count hits, masked and known steps of each sample."""
    return collision_sums(predicted, true, hits, observed_only=True)


METRIC = Metric(
    convention="SparseDrive: overlap of polygons with seen boxes of every kind, ego turned along "
    "its path, steps where the truth collides masked; mean over all steps up to 1, 2, 3 s; avg is "
    "the mean of the three",
    unit="share",
    higher_is_better=False,
    sums=sums,
    figures=up_to_horizons,
    headline="avg",
    in_scene=True,
)
