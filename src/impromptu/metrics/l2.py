"""True Euclidean error of five-second trajectories, at each second and up to it.

The published script takes for each point the smallest of four sign flips, so that a turn to the
wrong side scores 0; this is the plain distance.
"""

from impromptu.arrays import Floats
from impromptu.metrics import Metric, Sums
from impromptu.metrics._displacement import at_horizon, error_sums, up_to_horizon

HORIZONS_S = (1, 2, 3, 4, 5)


def figures(sums: Sums) -> dict[str, Floats]:
    """Return metres over all steps up to each second (``up_to_``) and at it (``at_``)."""
    up_to_m = {f"up_to_{s}s": up_to_horizon(sums, s) for s in HORIZONS_S}
    return up_to_m | {f"at_{s}s": at_horizon(sums, s) for s in HORIZONS_S}


METRIC = Metric(
    convention="plain Euclidean error; up_to_: mean over all steps up to that second (as ST-P3); "
    "at_: at that second itself (as UniAD)",
    unit="m",
    higher_is_better=False,
    sums=error_sums,
    figures=figures,
    headline="up_to_5s",
)
