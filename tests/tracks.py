"""Pose tracks that tests of poses and of sampling drive along."""

import numpy as np

from impromptu.arrays import Ints
from impromptu.poses import PoseTrack

S = 1_000_000_000


def straight(
    times_ns: Ints, speed_mps: float = 10.0, max_gap_s: float = 0.75, edge_s: float = 0.0
) -> PoseTrack:
    """Drive along world x without turning."""
    count = len(times_ns)
    at_m = np.column_stack([speed_mps * times_ns / S, np.zeros((count, 2))])
    turns = np.tile(np.eye(3), (count, 1, 1))
    return PoseTrack(times_ns, turns, at_m, round(max_gap_s * S), round(edge_s * S))


def times(*seconds: float) -> Ints:
    """Return whole nanoseconds."""
    stamps: Ints = np.round(np.array(seconds) * S).astype(np.int64)
    return stamps
