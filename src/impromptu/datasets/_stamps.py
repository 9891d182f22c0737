"""Which stamp of a log stands for an instant."""

import numpy as np

from impromptu.arrays import Bools, Ints
from impromptu.datasets._agents import NEVER_NS


def nearest(stamps_ns: Ints, times_ns: Ints, reach_ns: int) -> tuple[Ints, Bools]:
    """Return the stamp nearest to each time, of some that rise, and whether it is within reach."""
    middles_ns = stamps_ns[:-1] + np.diff(stamps_ns) // 2
    nearest_ns = stamps_ns[np.searchsorted(middles_ns, times_ns)]
    return nearest_ns, np.abs(nearest_ns - times_ns) <= reach_ns


def latest(stamps_ns: Ints, times_ns: Ints, max_age_ns: int) -> Ints:
    """Return the last stamp not later than each time; NEVER_NS where that is too old."""
    padded_ns = np.append(NEVER_NS, stamps_ns)
    latest_ns = padded_ns[np.searchsorted(stamps_ns, times_ns, side="right")]
    return np.where(times_ns - latest_ns <= max_age_ns, latest_ns, NEVER_NS)
