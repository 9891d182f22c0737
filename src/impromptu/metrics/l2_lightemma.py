"""Planning L2 as LightEMMA counts it: the mean error within each second.

With e1 ... e6 the errors at 0.5 s steps, the value at t s is mean(e(2t-1), e(2t)), and ``avg`` is
the mean of the values at 1, 2 and 3 s, which is the ADE over 3 s (arXiv 2505.00284). It converts
exactly: with l1, l2, l3 the values here, those of ``l2_stp3`` are l1, (l1 + l2) / 2 and
(l1 + l2 + l3) / 3.
"""

import numpy as np

from impromptu.arrays import Floats
from impromptu.metrics import Metric, Sums
from impromptu.metrics._displacement import at_horizon, error_sums

HORIZONS_S = (1, 2, 3)


def figures(sums: Sums) -> dict[str, Floats]:
    """Return metres within each second, and their mean."""
    values_m = {f"{s}s": (at_horizon(sums, s - 0.5) + at_horizon(sums, s)) / 2 for s in HORIZONS_S}
    return values_m | {"avg": np.mean(list(values_m.values()), axis=0)}


METRIC = Metric(
    convention="LightEMMA: mean of the two errors within each second; avg is the mean of the three",
    unit="m",
    higher_is_better=False,
    sums=error_sums,
    figures=figures,
    headline="avg",
)
