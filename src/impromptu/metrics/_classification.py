"""Counts of classes, and of things found: accuracy, precision, recall and F1 as sums give them.

The columns of a part named ``speed`` are ``speed:TRUE>PREDICTED``, one for each pair of words that
occurs: its confusion matrix.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from impromptu.arrays import Floats
from impromptu.metrics import Sums, ratio


def confusion(part: str, predicted: Sequence[str], true: Sequence[str]) -> dict[str, Floats]:
    """Return a column (n,) of ones and zeros for each pair of words that occurs."""
    pairs = np.array([f"{part}:{t}>{p}" for p, t in zip(predicted, true, strict=True)])
    return {name.item(): (pairs == name).astype(np.float64) for name in np.unique(pairs)}


def accuracy(part: str, sums: Sums) -> Floats:
    """Return the share of equal pairs."""
    cells = _cells(part, sums)
    hits = [count for (true, predicted), count in cells.items() if true == predicted]
    return ratio(np.sum(hits, axis=0), np.sum(list(cells.values()), axis=0))


def class_scores(part: str, sums: Sums) -> dict[str, dict[str, Floats]]:
    """Return by class, in alphabetical order, precision, recall, F1 and number of true samples."""
    cells = _cells(part, sums)
    none = np.zeros(np.shape(next(iter(cells.values()))))
    scores = {}
    for word in sorted({word for pair in cells for word in pair}):
        told = sum((count for (_, p), count in cells.items() if p == word), none)
        there = sum((count for (t, _), count in cells.items() if t == word), none)
        found = detection_scores(cells.get((word, word), none), told, there)
        scores[word] = found | {"true_count": there}
    return scores


def macro_f1(part: str, sums: Sums) -> Floats:
    """Return the plain mean of the classes' F1.

    A class that is predicted but never true counts, with 0; one that occurs nowhere does not.
    """
    f1 = np.array([scores["f1"] for scores in class_scores(part, sums).values()])
    return ratio(np.nansum(f1, axis=0), (~np.isnan(f1)).sum(axis=0))


def detection_scores(matched: Floats, predicted: Floats, true: Floats) -> dict[str, Floats]:
    """Return precision, recall and F1 = 2 matched / (predicted + true), from counts."""
    return {
        "precision": ratio(matched, predicted),
        "recall": ratio(matched, true),
        "f1": ratio(2 * matched, predicted + true),
    }


def _cells(part: str, sums: Sums) -> Mapping[tuple[str, str], Floats]:
    """Return the confusion matrix by (true, predicted)."""
    cells = {}
    for name, count in sums.items():
        where, _, pair = name.partition(":")
        if where == part:
            true, _, predicted = pair.partition(">")
            cells[true, predicted] = count
    return cells
