"""Planning L2 as UniAD counts it: the error at each horizon itself.

With e1 ... e6 the errors at 0.5 s steps, the value at t s is e(2t), and ``avg`` is the mean of the
values at 1, 2 and 3 s. The published code sums masked errors and divides by all 6,019 samples,
also those whose future is cut short and adds nothing, which deflates its figures. Incomplete
futures never become samples here, so sum and count are over the same samples and nothing deflates.
"""

import numpy as np

from impromptu.arrays import Floats
from impromptu.metrics import Metric, Sums
from impromptu.metrics._displacement import at_horizon, error_sums

HORIZONS_S = (1, 2, 3)


def figures(sums: Sums) -> dict[str, Floats]:
    """Return metres at each horizon, and their mean."""
    values_m = {f"{s}s": at_horizon(sums, s) for s in HORIZONS_S}
    return values_m | {"avg": np.mean(list(values_m.values()), axis=0)}


METRIC = Metric(
    convention="UniAD: error at 1, 2, 3 s itself, complete futures only (the published code also "
    "divides by samples without one); avg is the mean of the three",
    unit="m",
    higher_is_better=False,
    sums=error_sums,
    figures=figures,
    headline="avg",
)
