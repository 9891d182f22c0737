"""How often the ego's meta-action is right: its speed, its path, and both at once."""

from collections.abc import Sequence

from impromptu.arrays import Floats
from impromptu.clip import MetaAction
from impromptu.metrics import Metric, Sums
from impromptu.metrics._classification import accuracy, class_scores, confusion, macro_f1

_PARTS = ("speed", "path", "both")


def sums(predicted: Sequence[MetaAction], true: Sequence[MetaAction]) -> dict[str, Floats]:
    """Count each pair of true and predicted words: of speed, of path, and of both together."""
    told, there = _words(predicted), _words(true)
    return {
        name: column
        for part in _PARTS
        for name, column in confusion(part, told[part], there[part]).items()
    }


def _words(actions: Sequence[MetaAction]) -> dict[str, list[str]]:
    return {
        "speed": [action.speed for action in actions],
        "path": [action.path for action in actions],
        "both": [f"{action.speed},{action.path}" for action in actions],
    }


def figures(sums: Sums) -> dict[str, Floats]:
    """Return accuracy and macro-F1 of words of speed, of path and of both; scores of each word."""
    accuracies = {part: accuracy(part, sums) for part in _PARTS}
    macro = {f"{part}_macro_f1": macro_f1(part, sums) for part in _PARTS}
    by_word = {
        f"{word}_{name}": score
        for part in ("speed", "path")
        for word, scores in class_scores(part, sums).items()
        for name, score in scores.items()
    }
    return accuracies | macro | by_word


METRIC = Metric(
    convention="share of exact words; macro-F1: plain mean over the classes predicted or true",
    unit="share",
    higher_is_better=True,
    sums=sums,
    figures=figures,
    headline="both",
)
