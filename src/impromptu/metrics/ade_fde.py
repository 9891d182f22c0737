"""Average and final displacement error over the whole horizon, and how often the end is missed."""

from collections.abc import Sequence

from impromptu.arrays import Floats
from impromptu.clip import Trajectory
from impromptu.metrics import Metric, Sums, ratio
from impromptu.metrics._displacement import error_sums, times_s, up_to_horizon

MISS_M = 2.0
"""A final error beyond this is a miss, as in the Argoverse forecasting benchmarks."""


def sums(predicted: Sequence[Trajectory], true: Sequence[Trajectory]) -> dict[str, Floats]:
    """Return the error at each time, and whether the last one is a miss."""
    errors = error_sums(predicted, true)
    final_m = errors[f"error_{times_s(errors)[-1]:g}s"]
    return errors | {"missed": (final_m > MISS_M).astype(float)}


def figures(sums: Sums) -> dict[str, Floats]:
    """Return ADE and FDE in metres, and the share of final errors over ``MISS_M``."""
    end_s = times_s(sums)[-1]
    return {
        "ade": up_to_horizon(sums, end_s),
        "fde": ratio(sums[f"error_{end_s:g}s"], sums["samples"]),
        "miss_rate": ratio(sums["missed"], sums["samples"]),
    }


METRIC = Metric(
    convention=f"ADE over all steps of the horizon, FDE at its end, miss: FDE over {MISS_M:g} m",
    unit="m",
    higher_is_better=False,
    sums=sums,
    figures=figures,
    headline="ade",
)
