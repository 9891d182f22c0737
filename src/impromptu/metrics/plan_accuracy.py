"""How often the ego's meta-action is right: its speed, its path, and both at once."""

from collections.abc import Hashable, Sequence

from impromptu.clip import MetaAction
from impromptu.metrics import Metric
from impromptu.metrics._classification import accuracy, macro_f1


def compare(predicted: Sequence[MetaAction], true: Sequence[MetaAction]) -> dict[str, float]:
    """Return the accuracy and macro-F1 of speed words, path words and pairs of the two."""
    parts: dict[str, tuple[Sequence[Hashable], Sequence[Hashable]]] = {
        "speed": ([p.speed for p in predicted], [t.speed for t in true]),
        "path": ([p.path for p in predicted], [t.path for t in true]),
        "both": (predicted, true),
    }
    accuracies = {name: accuracy(*part) for name, part in parts.items()}
    return accuracies | {f"{name}_macro_f1": macro_f1(*part) for name, part in parts.items()}


METRIC = Metric(
    convention="share of exact words; macro-F1: plain mean over the classes predicted or true",
    unit="share",
    higher_is_better=True,
    compare=compare,
)
