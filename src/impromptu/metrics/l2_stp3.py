"""Planning L2 as ST-P3 and VAD count it: at each horizon the mean error up to it.

With e1 ... e6 the errors at 0.5 s steps, the value at t s is mean(e1 ... e(2t)), and ``avg`` is the
mean of the values at 1, 2 and 3 s. Published tables average over samples with a complete 3 s
future (5,119 of the 6,019 nuScenes validation samples). Samples with less are never made here, so
every sample that comes in counts in full.
"""

import numpy as np

from impromptu.arrays import Floats
from impromptu.metrics import Metric, Sums
from impromptu.metrics._displacement import error_sums, up_to_horizon

HORIZONS_S = (1, 2, 3)


def figures(sums: Sums) -> dict[str, Floats]:
    """Return metres up to each horizon, and their mean."""
    values_m = {f"{s}s": up_to_horizon(sums, s) for s in HORIZONS_S}
    return values_m | {"avg": np.mean(list(values_m.values()), axis=0)}


METRIC = Metric(
    convention="ST-P3/VAD: mean error over all steps up to 1, 2, 3 s; avg is the mean of the three",
    unit="m",
    higher_is_better=False,
    sums=error_sums,
    figures=figures,
    headline="avg",
)
