"""How often the traffic light's state is right, over all samples and by state."""

from collections import Counter
from collections.abc import Sequence

from impromptu.metrics import Metric
from impromptu.metrics._classification import accuracy, class_f1, macro_f1


def compare(predicted: Sequence[str], true: Sequence[str]) -> dict[str, float]:
    """Return accuracy, macro-F1, and F1 and number of true samples of each state."""
    figures = {"accuracy": accuracy(predicted, true), "macro_f1": macro_f1(predicted, true)}
    occurs = Counter(true)
    for state, score in sorted(class_f1(predicted, true).items()):
        figures |= {f"{state}_f1": score, f"{state}_true_count": float(occurs[state])}
    return figures


METRIC = Metric(
    convention="whole answer from the closed vocabulary; macro-F1: plain mean over the states "
    "predicted or true",
    unit="share",
    higher_is_better=True,
    compare=compare,
)
