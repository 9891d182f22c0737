"""True Euclidean error of five-second trajectories, at each second and up to it.

The published script takes for each point the smallest of four sign flips, so that a turn to the
wrong side scores 0; this is the plain distance.
"""

from collections.abc import Sequence

from impromptu.clip import Trajectory
from impromptu.metrics import Metric
from impromptu.metrics._displacement import at_horizons, errors_m, up_to_horizons

HORIZONS_S = (1, 2, 3, 4, 5)


def compare(predicted: Sequence[Trajectory], true: Sequence[Trajectory]) -> dict[str, float]:
    """Return metres over all steps up to each second (``up_to_``) and at it (``at_``)."""
    t_s, error_m = errors_m(predicted, true)
    up_to_m = up_to_horizons(t_s, error_m, HORIZONS_S)
    at_m = at_horizons(t_s, error_m, HORIZONS_S)
    return {f"up_to_{s}s": v for s, v in up_to_m.items()} | {f"at_{s}s": v for s, v in at_m.items()}


METRIC = Metric(
    convention="plain Euclidean error; up_to_: mean over all steps up to that second (as ST-P3); "
    "at_: at that second itself (as UniAD)",
    unit="m",
    higher_is_better=False,
    compare=compare,
)
