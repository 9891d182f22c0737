"""Planning L2 as UniAD counts it: the error at each horizon itself.

With e1 ... e6 the errors at 0.5 s steps, the value at t s is e(2t), and ``avg`` is the mean of the
values at 1, 2 and 3 s. The published code sums masked errors and divides by all 6,019 samples,
also those whose future is cut short and adds nothing, which deflates its figures. Incomplete
futures never become samples here, so sum and count are over the same samples and nothing deflates.
"""

from collections.abc import Sequence

from impromptu.clip import Trajectory
from impromptu.metrics import Metric
from impromptu.metrics._displacement import at_horizons, errors_m

HORIZONS_S = (1, 2, 3)


def compare(predicted: Sequence[Trajectory], true: Sequence[Trajectory]) -> dict[str, float]:
    """Return metres at each horizon, and their mean."""
    values_m = at_horizons(*errors_m(predicted, true), HORIZONS_S)
    named = {f"{s}s": value_m for s, value_m in values_m.items()}
    return named | {"avg": sum(values_m.values()) / len(values_m)}


METRIC = Metric(
    convention="UniAD: error at 1, 2, 3 s itself, complete futures only (the published code also "
    "divides by samples without one); avg is the mean of the three",
    unit="m",
    higher_is_better=False,
    compare=compare,
)
