"""How often the traffic light's state is right, over all samples and by state."""

from collections.abc import Sequence

from impromptu.arrays import Floats
from impromptu.metrics import Metric, Sums
from impromptu.metrics._classification import accuracy, confusion, macro_f1, named_class_scores

_PART = "light"


def sums(predicted: Sequence[str], true: Sequence[str]) -> dict[str, Floats]:
    """Count each pair of true and predicted state."""
    pairs = zip(true, predicted, strict=True)
    return confusion(_PART, pairs, range(len(true)), len(true))


def figures(sums: Sums) -> dict[str, Floats]:
    """Return accuracy, macro-F1, and the scores and number of true samples of each state."""
    overall = {"accuracy": accuracy(_PART, sums), "macro_f1": macro_f1(_PART, sums)}
    return overall | named_class_scores(_PART, sums)


METRIC = Metric(
    convention="whole answer from the closed vocabulary; macro-F1: plain mean over the states "
    "predicted or true",
    unit="share",
    higher_is_better=True,
    sums=sums,
    figures=figures,
    headline="accuracy",
)
