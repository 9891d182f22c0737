"""How often the traffic light's state is right, over all samples and by state."""

from collections.abc import Sequence

from impromptu.arrays import Floats
from impromptu.metrics import Metric, Sums
from impromptu.metrics._classification import accuracy, class_scores, confusion, macro_f1

_PART = "light"


def sums(predicted: Sequence[str], true: Sequence[str]) -> dict[str, Floats]:
    """Count each pair of true and predicted state."""
    return confusion(_PART, predicted, true)


def figures(sums: Sums) -> dict[str, Floats]:
    """Return accuracy, macro-F1, and the scores and number of true samples of each state."""
    by_state = {
        f"{state}_{name}": score
        for state, scores in class_scores(_PART, sums).items()
        for name, score in scores.items()
    }
    return {"accuracy": accuracy(_PART, sums), "macro_f1": macro_f1(_PART, sums)} | by_state


METRIC = Metric(
    convention="whole answer from the closed vocabulary; macro-F1: plain mean over the states "
    "predicted or true",
    unit="share",
    higher_is_better=True,
    sums=sums,
    figures=figures,
    headline="accuracy",
)
