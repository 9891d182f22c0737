"""How far predicted waypoints are from true ones: what every trajectory metric starts from."""

from collections.abc import Sequence

import numpy as np

from impromptu.arrays import Floats
from impromptu.clip import Trajectory


def errors_m(predicted: Sequence[Trajectory], true: Sequence[Trajectory]) -> tuple[Floats, Floats]:
    """Return the common times (k,) and the Euclidean errors (n, k) of n pairs of k waypoints.

    Raises:
        ValueError: A trajectory has other times than the first true one.
    """
    t_s = true[0].t_s
    for side, trajectories in (("predicted", predicted), ("true", true)):
        for row, trajectory in enumerate(trajectories):
            if not np.array_equal(trajectory.t_s, t_s):
                raise ValueError(
                    f"{side} trajectory {row} has times {trajectory.t_s.tolist()}; "
                    f"expected {t_s.tolist()} s as in the first true one"
                )
    gap_m = np.stack([p.xy_m for p in predicted]) - np.stack([t.xy_m for t in true])
    return t_s, np.hypot(gap_m[..., 0], gap_m[..., 1])


def at_horizons(t_s: Floats, error_m: Floats, horizons_s: Sequence[int]) -> dict[int, float]:
    """Return by horizon the mean error at that very time.

    Raises:
        ValueError: There is no waypoint at a horizon.
    """
    return {s: float(error_m[:, _index(t_s, s)].mean()) for s in horizons_s}


def up_to_horizons(t_s: Floats, error_m: Floats, horizons_s: Sequence[int]) -> dict[int, float]:
    """Return by horizon the mean error over all times up to it.

    Raises:
        ValueError: There is no waypoint at a horizon.
    """
    return {s: float(error_m[:, : _index(t_s, s) + 1].mean()) for s in horizons_s}


def _index(t_s: Floats, horizon_s: float) -> int:
    found = np.flatnonzero(np.isclose(t_s, horizon_s))
    if not len(found):
        raise ValueError(f"no waypoint at {horizon_s} s; the times are {t_s.tolist()} s")
    return int(found[0])
