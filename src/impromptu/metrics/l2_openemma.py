"""Planning L2 as OpenEMMA's script counts it, off-by-one and dropped failures included.

With p1 ... p6 the predicted and g1 ... g6 the true waypoints at 0.5 s steps: the value at 1 s is
mean(|p2 - g1|, |p3 - g2|), as the published script takes GT[0:2] and prediction[1:3]; at 2 s it is
mean(e1 ... e4) and at 3 s mean(e1 ... e6), and ``avg`` is the mean of the three. A sample whose
1 s value is over 10 m counts as a failure and is left out of all four (arXiv 2412.15208).

So the truth repeated does not score 0, and driving wildly off at once costs nothing: compare it
with nothing but figures that were made in the same way. The published ones are moreover on 10
past and 10 future frames of another choice of samples.
"""

from collections.abc import Sequence

import numpy as np

from impromptu.arrays import Floats
from impromptu.clip import Trajectory
from impromptu.metrics import Metric, Sums, ratio
from impromptu.metrics._displacement import errors_m, positions_m

FAILURE_M = 10.0
HORIZONS_S = (1, 2, 3)


def sums(predicted: Sequence[Trajectory], true: Sequence[Trajectory]) -> dict[str, Floats]:
    """Return the values of each sample, 0 where it failed, and whether it did."""
    _, error_m = errors_m(predicted, true)
    early_m = np.linalg.norm(positions_m(predicted)[:, 1:3] - positions_m(true)[:, :2], axis=-1)
    values_m = [early_m.mean(axis=1), error_m[:, :4].mean(axis=1), error_m[:, :6].mean(axis=1)]
    failed = values_m[0] > FAILURE_M
    columns = {
        f"value_{s}s": np.where(failed, 0.0, value_m)
        for s, value_m in zip(HORIZONS_S, values_m, strict=True)
    }
    return columns | {"failed": failed.astype(np.float64), "samples": np.ones(len(failed))}


def figures(sums: Sums) -> dict[str, Floats]:
    """Return metres at each horizon, their mean, and the number of samples left out."""
    kept = sums["samples"] - sums["failed"]
    values_m = {f"{s}s": ratio(sums[f"value_{s}s"], kept) for s in HORIZONS_S}
    average_m = np.mean(list(values_m.values()), axis=0)
    return values_m | {"avg": average_m, "left_out_count": sums["failed"]}


METRIC = Metric(
    convention="OpenEMMA: as its script, whose 1 s value compares each true waypoint with the next "
    f"predicted one and which leaves out samples where that is over {FAILURE_M:g} m; 2 and 3 s: "
    "mean error up to it",
    unit="m",
    higher_is_better=False,
    sums=sums,
    figures=figures,
    headline="avg",
)
