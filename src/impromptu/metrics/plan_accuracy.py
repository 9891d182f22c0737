"""How often the ego's meta-action is right: its speed, its path, and both at once."""

from collections.abc import Sequence

from impromptu.arrays import Floats
from impromptu.clip import MetaAction
from impromptu.metrics import Metric, Sums
from impromptu.metrics._classification import accuracy, confusion, macro_f1, named_class_scores

_PARTS = ("speed", "path", "both")


def sums(predicted: Sequence[MetaAction], true: Sequence[MetaAction]) -> dict[str, Floats]:
    """Count each pair of true and predicted words, and the classes of both words together.

    Of the twenty classes of both words only the hits and the two margins of the confusion matrix
    are kept; no figure needs more.
    """
    count = len(true)
    speeds = [(t.speed, p.speed) for t, p in zip(true, predicted, strict=True)]
    paths = [(t.path, p.path) for t, p in zip(true, predicted, strict=True)]
    marks, samples = list[tuple[str, str]](), list[int]()
    for sample, (speed, path) in enumerate(zip(speeds, paths, strict=True)):
        there, told = f"{speed[0]},{path[0]}", f"{speed[1]},{path[1]}"
        if there == told:
            marks.append((there, there))
            samples.append(sample)
        else:
            marks += (there, ""), ("", told)
            samples += sample, sample
    columns = confusion("speed", speeds, range(count), count)
    columns |= confusion("path", paths, range(count), count)
    return columns | confusion("both", marks, samples, count)


def figures(sums: Sums) -> dict[str, Floats]:
    """Return accuracy and macro-F1 of words of speed, of path and of both; scores of each word."""
    accuracies = {part: accuracy(part, sums) for part in _PARTS}
    macro = {f"{part}_macro_f1": macro_f1(part, sums) for part in _PARTS}
    return accuracies | macro | named_class_scores("speed", sums) | named_class_scores("path", sums)


METRIC = Metric(
    convention="share of exact words; macro-F1: plain mean over the classes predicted or true",
    unit="share",
    higher_is_better=True,
    sums=sums,
    figures=figures,
    headline="both",
)
