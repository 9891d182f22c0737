"""Average and final displacement error over the whole horizon, and how often the end is missed."""

from collections.abc import Sequence

import numpy as np

from impromptu.clip import Trajectory
from impromptu.metrics import Metric
from impromptu.metrics._displacement import errors_m

MISS_M = 2.0
"""A final error beyond this is a miss, as in the Argoverse forecasting benchmarks."""


def compare(predicted: Sequence[Trajectory], true: Sequence[Trajectory]) -> dict[str, float]:
    """Return ADE and FDE in metres, and the share of final errors over ``MISS_M``."""
    _, error_m = errors_m(predicted, true)
    final_m = error_m[:, -1]
    return {
        "ade": float(error_m.mean()),
        "fde": float(final_m.mean()),
        "miss_rate": float(np.mean(final_m > MISS_M)),
    }


METRIC = Metric(
    convention=f"ADE over all steps of the horizon, FDE at its end, miss: FDE over {MISS_M:g} m",
    unit="m",
    higher_is_better=False,
    compare=compare,
)
