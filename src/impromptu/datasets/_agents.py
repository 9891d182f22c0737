"""From the boxes of a whole log to the agents around each present, and their futures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from impromptu.arrays import Bools, Floats, Ints
from impromptu.clip import Agent, Kind, Trajectory
from impromptu.geometry import yaws_rad
from impromptu.poses import Poses, PoseTrack
from impromptu.sampling import FUTURE_STEPS, FUTURE_T_S, STEP_NS

REACH_M = 80.0
"""Agents further from the ego than this are left out."""
NEVER_NS = -1
"""Stands for a stamp where there is none."""


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """All boxes of a log, one a row, in the world frame of the ego's poses.

    Attributes:
        timestamps_ns: (n,).
        ids: The track each box belongs to.
        categories: The dataset's words, as people read them.
        kinds: Ours.
        rotations: (n, 3, 3) box (x forward, z up) to world.
        centers_m: (n, 3).
        sizes_m: (n, 3) length, width, height.
        observed: (n,) whether the sensors saw it.
    """

    timestamps_ns: Ints
    ids: Sequence[str]
    categories: Sequence[str]
    kinds: Sequence[Kind]
    rotations: Floats
    centers_m: Floats
    sizes_m: Floats
    observed: Bools

    def rows(self, order: Ints) -> "Boxes":
        """Return some rows in the order asked for."""
        return Boxes(
            self.timestamps_ns[order],
            [self.ids[row] for row in order],
            [self.categories[row] for row in order],
            [self.kinds[row] for row in order],
            self.rotations[order],
            self.centers_m[order],
            self.sizes_m[order],
            self.observed[order],
        )


@dataclass(frozen=True, slots=True, eq=False)
class Surroundings:
    """The agents around many presents, nearest first within each, a row an agent.

    Attributes:
        boxes: The box each agent was last seen in.
        annotated: (presents,) whether annotators looked at the present at all.
        starts: (presents + 1,) where each present's rows begin.
        centers_m, yaw_rad, velocity_mps: (n, 3), (n,), (n, 2) in the present ego frame; velocity
            is NaN at a first appearance.
        future_xy_m, future_yaw_rad: (n, 10, 2), (n, 10) in the present ego frame.
        future_steps: (n,) future points known without a gap.
    """

    boxes: Boxes
    annotated: Bools
    starts: Ints
    centers_m: Floats
    yaw_rad: Floats
    velocity_mps: Floats
    future_xy_m: Floats
    future_yaw_rad: Floats
    future_steps: Ints

    def agents(self, anchor: int) -> tuple[Agent, ...]:
        """Return the agents around one present, nearest first."""
        return tuple(self._agent(row) for row in self._rows(anchor))

    def futures(self, anchor: int) -> Mapping[str, Trajectory]:
        """Return the known futures of the agents around one present."""
        return {
            self.boxes.ids[row]: Trajectory(
                FUTURE_T_S[:steps], self.future_xy_m[row, :steps], self.future_yaw_rad[row, :steps]
            )
            for row in self._rows(anchor)
            if (steps := int(self.future_steps[row]))
        }

    def _rows(self, anchor: int) -> range:
        return range(int(self.starts[anchor]), int(self.starts[anchor + 1]))

    def _agent(self, row: int) -> Agent:
        velocity = self.velocity_mps[row]
        return Agent(
            id=self.boxes.ids[row],
            category=self.boxes.categories[row],
            kind=self.boxes.kinds[row],
            center_m=self.centers_m[row],
            size_m=self.boxes.sizes_m[row],
            yaw_rad=float(self.yaw_rad[row]),
            velocity_mps=None if np.isnan(velocity[0]) else velocity,
            observed=bool(self.boxes.observed[row]),
        )


def surroundings(
    boxes: Boxes, anchors_ns: Ints, seen_ns: Ints, present: Poses, *, max_gap_ns: int, edge_ns: int
) -> Surroundings:
    """Find the agents around all presents of a log at once.

    Args:
        boxes: All boxes of the log, in any order.
        anchors_ns: (n,) presents.
        seen_ns: (n,) stamp of the boxes that count as each present's; never later than it, so
            that nothing from after the present is in an agent's place or velocity. An older box
            is moved on to the present with its velocity. NEVER_NS where annotators did not look.
        present: (n,) ``world_SE3_ego``.
        max_gap_ns: A track is not known between boxes further apart, and has no velocity there.
        edge_ns: How far a track is continued beyond its last box.
    """
    bodies = np.unique(np.array(boxes.ids, dtype=np.str_), return_inverse=True)[1]
    order = np.lexsort([boxes.timestamps_ns, bodies])
    boxes, bodies = boxes.rows(order), bodies[order]
    track = PoseTrack(
        boxes.timestamps_ns, boxes.rotations, boxes.centers_m, max_gap_ns, edge_ns, bodies
    )
    anchor, row = _pairs(boxes.timestamps_ns, seen_ns)
    base, velocity = present[anchor], _velocities(track)[row]
    age_s = (anchors_ns[anchor] - boxes.timestamps_ns[row]) / 1e9
    # A box without a velocity has been seen once; it stays where it was seen.
    moved_m = np.nan_to_num(velocity) * age_s[:, None]
    box = Poses(boxes.rotations[row], boxes.centers_m[row] + moved_m, base.valid)
    now = box.seen_from(base)
    distance_m = np.linalg.norm(now.translations_m[:, :2], axis=-1)
    near = np.lexsort([distance_m, anchor])
    near = near[(distance_m <= REACH_M)[near] & base.valid[near]]
    anchor, row, base, now = anchor[near], row[near], base[near], now[near]
    times_ns = anchors_ns[anchor][:, None] + STEP_NS * np.arange(1, FUTURE_STEPS + 1)
    body, seen = bodies[row][:, None], boxes.timestamps_ns[row][:, None]
    future = track.at(times_ns, body)
    ahead = future.seen_from(base[:, None])
    return Surroundings(
        boxes=boxes.rows(row),
        annotated=seen_ns != NEVER_NS,
        starts=np.searchsorted(anchor, np.arange(len(anchors_ns) + 1)),
        centers_m=now.translations_m,
        yaw_rad=yaws_rad(now.rotations),
        velocity_mps=(np.swapaxes(base.rotations, -1, -2) @ velocity[near][..., None])[:, :2, 0],
        future_xy_m=ahead.translations_m[..., :2],
        future_yaw_rad=yaws_rad(ahead.rotations),
        future_steps=(future.valid & track.unbroken(times_ns, seen, body)).sum(axis=1),
    )


def _pairs(timestamps_ns: Ints, seen_ns: Ints) -> tuple[Ints, Ints]:
    """Match presents with box rows by stamp: (pairs,) indices of presents, and of rows."""
    by_time = np.argsort(timestamps_ns, kind="stable")
    first = np.searchsorted(timestamps_ns[by_time], seen_ns)
    count = np.searchsorted(timestamps_ns[by_time], seen_ns, side="right") - first
    anchor = np.repeat(np.arange(len(seen_ns)), count)
    within = np.arange(len(anchor)) - np.repeat(np.cumsum(count) - count, count)
    return anchor, by_time[np.repeat(first, count) + within]


def _velocities(track: PoseTrack) -> Floats:
    """Difference each pose with the one before of its body: (n, 3) m/s in the world, or NaN."""
    gap_ns = np.diff(track.timestamps_ns)
    known = (np.diff(track.bodies) == 0) & (gap_ns <= track.max_gap_ns)
    step_m = np.diff(track.translations_m, axis=0)
    velocity = np.full_like(track.translations_m, np.nan)
    velocity[1:][known] = step_m[known] / (gap_ns[known, None] / 1e9)
    return velocity
