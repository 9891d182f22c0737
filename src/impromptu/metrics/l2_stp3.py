"""Planning L2 as ST-P3 and VAD count it: at each horizon the mean error up to it.

With e1 ... e6 the errors at 0.5 s steps, the value at t s is mean(e1 ... e(2t)), and ``avg`` is the
mean of the values at 1, 2 and 3 s. Published tables average over samples with a complete 3 s
future (5,119 of the 6,019 nuScenes validation samples). Samples with less are never made here, so
every sample that comes in counts in full.
"""

from collections.abc import Sequence

from impromptu.clip import Trajectory
from impromptu.metrics import Metric
from impromptu.metrics._displacement import errors_m, up_to_horizons

HORIZONS_S = (1, 2, 3)


def compare(predicted: Sequence[Trajectory], true: Sequence[Trajectory]) -> dict[str, float]:
    """Return metres up to each horizon, and their mean."""
    values_m = up_to_horizons(*errors_m(predicted, true), HORIZONS_S)
    named = {f"{s}s": value_m for s, value_m in values_m.items()}
    return named | {"avg": sum(values_m.values()) / len(values_m)}


METRIC = Metric(
    convention="ST-P3/VAD: mean error over all steps up to 1, 2, 3 s; avg is the mean of the three",
    unit="m",
    higher_is_better=False,
    compare=compare,
)
