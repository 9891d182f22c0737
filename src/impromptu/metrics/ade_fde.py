"""Average and final displacement error over the whole horizon, and how often the end is missed."""

from impromptu.arrays import Floats
from impromptu.metrics import Metric, Sums, ratio
from impromptu.metrics._displacement import MISS_M, error_sums, times_s, up_to_horizon


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
    sums=error_sums,
    figures=figures,
    headline="ade",
)
