"""From the boxes of a whole log to the agents around each present, and their futures."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from impromptu.arrays import Bools, Floats, Ints, assembled, floats
from impromptu.clip import Agent, Trajectory
from impromptu.datasets._boxes import Boxes
from impromptu.geometry import yaws_rad
from impromptu.poses import Poses, PoseTrack
from impromptu.sampling import FUTURE_STEPS, FUTURE_T_S, STEP_NS

REACH_M = 80.0
"""Agents further from the ego than this are left out."""
NEVER_NS = -1
"""Stands for a stamp where there is none."""


@dataclass(frozen=True, slots=True, eq=False)
class Surroundings:
    """The agents around many presents, nearest first within each, a row an agent.

    Attributes:
        boxes: The box each agent was last seen in.
        annotated: (presents,) whether annotators looked at the present at all.
        starts: (presents + 1,) where each present's rows begin.
        centers_m, yaw_rad, velocity_mps: (n, 3), (n,), (n, 2) in the present ego frame; velocity
            is NaN at a first appearance.
        sizes_m: (n, 3) length, width, height.
        future_xy_m, future_yaw_rad: (n, 10, 2), (n, 10) in the present ego frame.
        future_steps: (n,) future points known without a gap.
    """

    boxes: Boxes
    annotated: Bools
    starts: Ints
    centers_m: Floats
    yaw_rad: Floats
    velocity_mps: Floats
    sizes_m: Floats
    future_xy_m: Floats
    future_yaw_rad: Floats
    future_steps: Ints

    def agents(self, anchor: int) -> tuple[Agent, ...]:
        """Return the agents around one present, nearest first."""
        part = slice(int(self.starts[anchor]), int(self.starts[anchor + 1]))
        velocities = self.velocity_mps[part]
        is_new = np.isnan(velocities[:, 0]).tolist()
        return tuple(
            map(
                partial(assembled, Agent),
                self.boxes.ids[part],
                self.boxes.categories[part],
                self.boxes.kinds[part],
                self.centers_m[part],
                self.sizes_m[part],
                self.yaw_rad[part].tolist(),
                [None if new else one for one, new in zip(velocities, is_new, strict=True)],
                self.boxes.observed[part].tolist(),
            )
        )

    def futures(self, anchor: int) -> Mapping[str, Trajectory]:
        """Return the known futures of the agents around one present."""
        known = filter(self.future_steps.item, self._rows(anchor))
        return _Futures(self, {self.boxes.ids[row]: row for row in known})

    def future(self, row: int) -> Trajectory:
        """Return where one agent will be."""
        steps = int(self.future_steps[row])
        xy_m, yaw_rad = self.future_xy_m[row, :steps], self.future_yaw_rad[row, :steps]
        return assembled(Trajectory, FUTURE_T_S[:steps], xy_m, yaw_rad)

    def _rows(self, anchor: int) -> range:
        return range(int(self.starts[anchor]), int(self.starts[anchor + 1]))


@dataclass(frozen=True, slots=True, eq=False)
class _Futures(Mapping[str, Trajectory]):
    """Futures by agent id, each made when it is asked for: most agents never are."""

    around: Surroundings
    rows: Mapping[str, int]

    def __getitem__(self, name: str) -> Trajectory:
        return self.around.future(self.rows[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


def surroundings(
    boxes: Boxes,
    anchors_ns: Ints,
    seen_ns: Ints,
    present: Poses,
    *,
    max_gap_ns: int,
    edge_ns: int = 0,
    lookback_ns: int = 0,
) -> Surroundings:
    """Find the agents around all presents of a log at once.

    Args:
        boxes: All boxes of the log, one a track and stamp, in any order.
        anchors_ns: (n,) presents.
        seen_ns: (n,) stamp of the boxes that count as each present's, never later than it; older
            ones are moved on with their velocity. NEVER_NS where annotators did not look.
        present: (n,) ``world_SE3_ego``.
        max_gap_ns: As in ``PoseTrack``; nor is there a velocity over a gap.
        edge_ns: As in ``PoseTrack``.
        lookback_ns: What a velocity is over: less for a younger track, more for a longer step.
    """
    boxes, track = _tracks(boxes, max_gap_ns, edge_ns)
    velocity = _velocities(track, lookback_ns)
    anchor, row = _pairs(boxes.timestamps_ns, seen_ns)
    now = _moved_on(track, velocity, row, anchors_ns[anchor]).seen_from(present[anchor])
    near = _near(now, anchor)
    anchor, row, now, base = anchor[near], row[near], now[near], present[anchor[near]]
    ahead, steps = _futures(track, row, anchors_ns[anchor], base)
    moved_mps = (np.swapaxes(base.rotations, -1, -2) @ velocity[row][..., None])[:, :2, 0]
    boxes = boxes.rows(row)
    return Surroundings(
        boxes=boxes,
        annotated=seen_ns != NEVER_NS,
        starts=np.searchsorted(anchor, np.arange(len(anchors_ns) + 1)),
        centers_m=floats(now.translations_m, None, 3, name="Agent.center_m"),
        yaw_rad=yaws_rad(now.rotations),
        velocity_mps=floats(moved_mps, None, 2, name="Agent.velocity_mps", holes=True),
        sizes_m=floats(boxes.sizes_m, None, 3, name="Agent.size_m"),
        future_xy_m=floats(ahead.translations_m[..., :2], None, None, 2, name="Trajectory.xy_m"),
        future_yaw_rad=floats(yaws_rad(ahead.rotations), None, None, name="Trajectory.yaw_rad"),
        future_steps=steps,
    )


def _futures(track: PoseTrack, row: Ints, now_ns: Ints, base: Poses) -> tuple[Poses, Ints]:
    """Return (n, 10) poses of each row's body after a time, seen from a base, and the known."""
    body, seen_ns = track.bodies[row][:, None], track.timestamps_ns[row][:, None]
    times_ns = now_ns[:, None] + STEP_NS * np.arange(1, FUTURE_STEPS + 1)
    future = track.at(times_ns, body)
    return future.seen_from(base[:, None]), (
        future.valid & track.unbroken(times_ns, seen_ns, body)
    ).sum(axis=1)


def _tracks(boxes: Boxes, max_gap_ns: int, edge_ns: int) -> tuple[Boxes, PoseTrack]:
    """Return the boxes in the order of a track of each body, and those tracks."""
    order, bodies = boxes.order()
    boxes = boxes.rows(order)
    stamps_ns, rotations, centers_m = boxes.timestamps_ns, boxes.rotations, boxes.centers_m
    return boxes, PoseTrack(stamps_ns, rotations, centers_m, max_gap_ns, edge_ns, bodies)


def _moved_on(track: PoseTrack, velocity_mps: Floats, row: Ints, times_ns: Ints) -> Poses:
    """Move boxes on to a time each; one seen once has no velocity, and stays where it was seen."""
    age_s = (times_ns - track.timestamps_ns[row]) / 1e9
    moved_m = np.nan_to_num(velocity_mps[row]) * age_s[:, None]
    place_m = track.translations_m[row] + moved_m
    return Poses(track.rotations[row], place_m, np.ones(len(row), dtype=bool))


def _near(now: Poses, anchor: Ints) -> Ints:
    """Return which agents are within reach of a valid present: by present, nearest first."""
    distance_m = np.linalg.norm(now.translations_m[:, :2], axis=-1)
    order = np.lexsort([distance_m, anchor])
    near: Ints = order[((distance_m <= REACH_M) & now.valid)[order]]
    return near


def _pairs(timestamps_ns: Ints, seen_ns: Ints) -> tuple[Ints, Ints]:
    """Match presents with box rows by stamp: (pairs,) indices of presents, and of rows."""
    by_time = np.argsort(timestamps_ns, kind="stable")
    first = np.searchsorted(timestamps_ns[by_time], seen_ns)
    count = np.searchsorted(timestamps_ns[by_time], seen_ns, side="right") - first
    anchor = np.repeat(np.arange(len(seen_ns)), count)
    within = np.arange(len(anchor)) - np.repeat(np.cumsum(count) - count, count)
    return anchor, by_time[np.repeat(first, count) + within]


def _velocities(track: PoseTrack, lookback_ns: int) -> Floats:
    """Difference each pose with an earlier one of its body: (n, 3) m/s in the world, or NaN.

    Boxes drawn 0.1 s apart jitter by centimetres, which a step of 0.1 s turns into metres a
    second; over a longer time they do so less.
    """
    stamps_ns, rows = track.timestamps_ns, np.arange(len(track.timestamps_ns))
    breaks = (np.diff(track.bodies) != 0) | (np.diff(stamps_ns) > track.max_gap_ns)
    run = np.append(0, np.cumsum(breaks))
    first = np.searchsorted(run, run)
    later = np.flatnonzero(first < rows)
    oldest_ns, before_ns = stamps_ns[first[later]], stamps_ns[later - 1]
    since_ns = np.clip(stamps_ns[later] - lookback_ns, oldest_ns, before_ns)
    step_m = track.translations_m[later] - track.positions_m(since_ns, track.bodies[later])
    velocity = np.full_like(track.translations_m, np.nan)
    velocity[later] = step_m / ((stamps_ns[later] - since_ns)[:, None] / 1e9)
    return velocity
