"""How far predicted waypoints are from true ones: what every trajectory metric starts from."""

from collections.abc import Sequence

import numpy as np

from impromptu.arrays import Floats
from impromptu.clip import Trajectory
from impromptu.metrics import Sums, ratio

MISS_M = 2.0
"""A final error beyond this is a miss, as in the Argoverse forecasting benchmarks."""


def positions_m(trajectories: Sequence[Trajectory]) -> Floats:
    """Return the waypoints (n, k, 2) of n trajectories of k."""
    return np.stack([one.xy_m for one in trajectories])


def common_times_s(predicted: Sequence[Trajectory], true: Sequence[Trajectory]) -> Floats:
    """Return the times (k,) that all trajectories share.

    Raises:
        ValueError: A trajectory has other times than the first true one.
    """
    t_s = true[0].t_s
    for side, trajectories in (("predicted", predicted), ("true", true)):
        if all(one.t_s is t_s for one in trajectories):
            continue
        even = all(len(one.t_s) == len(t_s) for one in trajectories)
        if even and (np.stack([one.t_s for one in trajectories]) == t_s).all():
            continue
        row = next(k for k, one in enumerate(trajectories) if not np.array_equal(one.t_s, t_s))
        raise ValueError(
            f"{side} trajectory {row} has times {trajectories[row].t_s.tolist()}; "
            f"expected {t_s.tolist()} s as in the first true one"
        )
    return t_s


def errors_m(predicted: Sequence[Trajectory], true: Sequence[Trajectory]) -> tuple[Floats, Floats]:
    """Return the common times (k,) and the Euclidean errors (n, k) of n pairs of k waypoints.

    Raises:
        ValueError: A trajectory has other times than the first true one.
    """
    t_s = common_times_s(predicted, true)
    gap_m = positions_m(predicted) - positions_m(true)
    return t_s, np.hypot(gap_m[..., 0], gap_m[..., 1])


def error_sums(predicted: Sequence[Trajectory], true: Sequence[Trajectory]) -> dict[str, Floats]:
    """Return the error at each time, such as ``error_0.5s``, whether the last is a miss, and 1."""
    t_s, error_m = errors_m(predicted, true)
    columns = {f"error_{s:g}s": error_m[:, column] for column, s in enumerate(t_s.tolist())}
    missed = (error_m[:, -1] > MISS_M).astype(np.float64)
    return columns | {"missed": missed, "samples": np.ones(len(error_m))}


def at_horizon(sums: Sums, horizon_s: float) -> Floats:
    """Return the mean error at that very time.

    Raises:
        ValueError: There is no waypoint at the horizon.
    """
    _require(sums, horizon_s)
    return ratio(sums[f"error_{horizon_s:g}s"], sums["samples"])


def up_to_horizon(sums: Sums, horizon_s: float) -> Floats:
    """Return the mean error over all times up to that one.

    Raises:
        ValueError: There is no waypoint at the horizon.
    """
    _require(sums, horizon_s)
    within = [sums[f"error_{s:g}s"] for s in times_s(sums) if s <= horizon_s]
    return ratio(np.sum(within, axis=0), len(within) * sums["samples"])


def times_s(sums: Sums) -> list[float]:
    """Return the times that ``error_sums`` has columns of, in order."""
    return sorted(float(name[6:-1]) for name in sums if name.startswith("error_"))


def _require(sums: Sums, horizon_s: float) -> None:
    if f"error_{horizon_s:g}s" not in sums:
        raise ValueError(f"no waypoint at {horizon_s} s; the times are {times_s(sums)} s")
