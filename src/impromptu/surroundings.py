"""What stands around clips in the next seconds, from the keyframes that follow them.

Keyframes come a little early or late, and a car moves a metre in a tenth of a second. So a box is
where the line between its places in the two nearest keyframes says it is at that time, turned as
far; one that only one of them has counts if that one is nearer.
"""

from dataclasses import dataclass

import numpy as np

from impromptu.arrays import Bools, Floats, Ints
from impromptu.clip import STEP_S
from impromptu.clip_table import ClipTable
from impromptu.geometry import turned, wrap_rad

_STEP_NS = round(STEP_S * 1e9)
MAX_GAP_NS = _STEP_NS * 3 // 2
"""Between keyframes further apart nobody knows where a box was."""
EDGE_NS = 100_000_000
"""A keyframe stands for a time that is no further from it, even at the end of its log."""


@dataclass(frozen=True, slots=True, eq=False)
class Surroundings:
    """The boxes around one clip at k future steps, m in all, in one frame of its present.

    Attributes:
        known: (k,) whether there are keyframes at that time; without them nobody knows.
        step: (m,) which known step a box is of, from 0.
        xy_m: (m, 2) its centre.
        yaw_rad: (m,)
        size_m: (m, 2) length, width.
        kind: (m,) position in ``clip_table.KINDS``.
        observed: (m,) whether the sensors saw it in the nearer keyframe.
    """

    known: Bools
    step: Ints
    xy_m: Floats
    yaw_rad: Floats
    size_m: Floats
    kind: Ints
    observed: Bools


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """For each of n clips and k steps the keyframes before and after, and how far between.

    Attributes:
        before, after: (n, k) rows of the table, the same one where only one is near; -1 where
            neither is known.
        weight: (n, k) 0 at the one before, 1 at the one after.
    """

    before: Ints
    after: Ints
    weight: Floats

    @property
    def known(self) -> Bools:
        """Whether there are keyframes at that time, (n, k)."""
        return np.asarray(self.before >= 0)


def moments(clips: ClipTable, rows: Ints, steps: int) -> Moments:
    """Find the keyframes of the same logs around +0.5 s, +1 s ... of some rows."""
    log = np.unique(np.asarray(clips.logs), return_inverse=True)[1].astype(np.int64)
    since_ns = clips.timestamps_ns - clips.timestamps_ns.min()
    # One number tells (log, time) apart and keeps logs far from each other.
    key_ns = log * (int(since_ns.max()) + (steps + 3) * _STEP_NS) + since_ns
    order = np.argsort(key_ns, kind="stable")
    at_ns = key_ns[order]
    wanted_ns = key_ns[rows][:, None] + _STEP_NS * np.arange(1, steps + 1)
    first = np.searchsorted(at_ns, wanted_ns, side="right") - 1
    second = np.minimum(first + 1, len(order) - 1)
    gap_ns, past_ns = at_ns[second] - at_ns[first], wanted_ns - at_ns[first]
    between = (gap_ns > 0) & (gap_ns <= MAX_GAP_NS)
    at_first, at_second = past_ns <= EDGE_NS, np.abs(gap_ns - past_ns) <= EDGE_NS
    known = between | at_first | at_second
    only_second = ~between & ~at_first
    before = np.where(only_second, second, first)
    after = np.where(between | only_second, second, first)
    weight = np.where(between, past_ns / np.maximum(gap_ns, 1), 0.0)
    return Moments(np.where(known, order[before], -1), np.where(known, order[after], -1), weight)


def boxes_at(
    clips: ClipTable, rows: Ints, steps: int, planning: bool = False
) -> list[Surroundings]:
    """Return what is around each of n clips at +0.5 s, +1 s ... ``steps`` / 2 s.

    Args:
        clips: The table of their split.
        rows: (n,) the clips.
        steps: How many.
        planning: Whether in the clips' present planning frames, not their ego frames; a clip
            without one has no known step there.
    """
    near = moments(clips, rows, steps)
    frame = _compose(clips.world[rows], clips.planning[rows]) if planning else clips.world[rows]
    known = near.known & np.isfinite(frame).all(axis=1)[:, None]
    sample, step = np.nonzero(known)
    weight = near.weight[sample, step]
    moment, box, follower = _pairs(
        clips, near.before[sample, step], near.after[sample, step], weight
    )
    pose = _between(clips, box, follower, weight[moment])
    pose = _seen_from(frame[sample[moment]], pose)
    nearer = np.where(weight[moment] < 0.5, box, follower)
    ends = np.searchsorted(sample[moment], np.arange(len(rows) + 1)).tolist()
    parts = [slice(first, end) for first, end in zip(ends, ends[1:], strict=False)]
    steps_of, sizes_m = step[moment], clips.box_sizes_m[box]
    kinds, observed = clips.box_kinds[box], clips.box_observed[nearer]
    return [
        Surroundings(
            known[row],
            steps_of[part],
            pose[part, :2],
            pose[part, 2],
            sizes_m[part],
            kinds[part],
            observed[part],
        )
        for row, part in enumerate(parts)
    ]


def _pairs(clips: ClipTable, before: Ints, after: Ints, weight: Floats) -> tuple[Ints, Ints, Ints]:
    """Return (m,) moment, box before and the same box after, of all boxes at some moments.

    A box that only the nearer keyframe has is its own pair; sorted by moment.
    """
    of_before, first = _boxes_of(clips, before)
    of_after, second = _boxes_of(clips, after)
    name_first, name_second = (
        of * (clips.box_ids.max(initial=0) + 1) + clips.box_ids[box]
        for of, box in ((of_before, first), (of_after, second))
    )
    _, in_first, in_second = np.intersect1d(name_first, name_second, return_indices=True)
    alone_first = np.setdiff1d(np.flatnonzero(weight[of_before] < 0.5), in_first)
    alone_second = np.setdiff1d(np.flatnonzero(weight[of_after] >= 0.5), in_second)
    moment = np.concatenate([of_before[in_first], of_before[alone_first], of_after[alone_second]])
    box = np.concatenate([first[in_first], first[alone_first], second[alone_second]])
    follower = np.concatenate([second[in_second], first[alone_first], second[alone_second]])
    order = np.argsort(moment, kind="stable")
    return moment[order], box[order], follower[order]


def _boxes_of(clips: ClipTable, rows: Ints) -> tuple[Ints, Ints]:
    """Return (m,) position in ``rows`` and box, of all boxes of these rows."""
    counts = clips.box_starts[rows + 1] - clips.box_starts[rows]
    skipped = clips.box_starts[rows] - np.concatenate([[0], np.cumsum(counts)[:-1]])[: len(rows)]
    box: Ints = np.repeat(skipped, counts) + np.arange(int(counts.sum()))
    return np.repeat(np.arange(len(rows)), counts), box


def _between(clips: ClipTable, first: Ints, second: Ints, weight: Floats) -> Floats:
    """Return the poses (m, 3) in the world between those of two boxes each."""
    one, other = (_in_world(clips, box) for box in (first, second))
    xy_m = one[:, :2] + weight[:, None] * (other[:, :2] - one[:, :2])
    return np.column_stack([xy_m, one[:, 2] + weight * wrap_rad(other[:, 2] - one[:, 2])])


def _in_world(clips: ClipTable, box: Ints) -> Floats:
    row = np.searchsorted(clips.box_starts, box, side="right") - 1
    return _compose(clips.world[row], clips.box_poses[box])


def _compose(outer: Floats, inner: Floats) -> Floats:
    """Return a_SE2_c of (n, 3) a_SE2_b and (n, 3) b_SE2_c, each x, y, yaw."""
    xy_m = outer[:, :2] + turned(inner[:, :2], outer[:, 2])
    return np.column_stack([xy_m, wrap_rad(outer[:, 2] + inner[:, 2])])


def _seen_from(base: Floats, other: Floats) -> Floats:
    """Return base_SE2_x of (n, 3) world_SE2_base and world_SE2_x."""
    xy_m = turned(other[:, :2] - base[:, :2], -base[:, 2])
    return np.column_stack([xy_m, wrap_rad(other[:, 2] - base[:, 2])])
