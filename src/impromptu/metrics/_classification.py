"""Counts of classes, and of things found: accuracy, precision, recall and F1 as sums give them.

The columns of a part named ``speed`` are ``speed:TRUE>PREDICTED``, one for each pair of words that
occurs: its confusion matrix. ``speed:TRUE>`` counts what was there and not told, ``speed:>TOLD``
what was told and not there.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from impromptu.arrays import Floats, Ints
from impromptu.metrics import Sums, ratio

Key = TypeVar("Key", bound=Hashable)


def tally(keys: Iterable[Key], samples: Sequence[int], count: int) -> dict[Key, Floats]:
    """Return a column (count,) for each key: how often it comes with each sample."""
    codes: dict[Key, int] = {}
    coded = np.array([codes.setdefault(key, len(codes)) for key in keys], dtype=np.int64)
    of = np.asarray(samples, dtype=np.int64)
    return {key: how_many(of[coded == code], count) for key, code in codes.items()}


def how_many(samples: Sequence[int] | Ints, count: int) -> Floats:
    """Return (count,) how often each sample occurs."""
    of = np.asarray(samples, dtype=np.int64)
    return np.bincount(of, minlength=count).astype(np.float64)


def confusion(
    part: str, pairs: Iterable[tuple[str, str]], samples: Sequence[int], count: int
) -> dict[str, Floats]:
    """Return a column (count,) for each pair of true and predicted word that occurs."""
    cells = tally(pairs, samples, count)
    return {f"{part}:{true}>{told}": cells[true, told] for true, told in sorted(cells)}


def accuracy(part: str, sums: Sums) -> Floats:
    """Return the share of what was there that was told rightly."""
    cells = {pair: count for pair, count in _cells(part, sums).items() if pair[0]}
    hits = [count for (true, told), count in cells.items() if true == told]
    return ratio(np.sum(hits, axis=0), np.sum(list(cells.values()), axis=0))


def class_scores(part: str, sums: Sums) -> dict[str, dict[str, Floats]]:
    """Return by class, in alphabetical order, precision, recall, F1 and number of true samples."""
    cells = _cells(part, sums)
    none = np.zeros(np.shape(next(iter(sums.values()))))
    scores = {}
    for word in sorted({word for pair in cells for word in pair} - {""}):
        told = sum((count for (_, p), count in cells.items() if p == word), none)
        there = sum((count for (t, _), count in cells.items() if t == word), none)
        found = detection_scores(cells.get((word, word), none), told, there)
        scores[word] = found | {"true_count": there}
    return scores


def named_class_scores(part: str, sums: Sums) -> dict[str, Floats]:
    """Return the scores of each class as ``WORD_precision`` and so on."""
    return {
        f"{word}_{name}": score
        for word, scores in class_scores(part, sums).items()
        for name, score in scores.items()
    }


def macro_f1(part: str, sums: Sums) -> Floats:
    """Return the plain mean of the classes' F1.

    A class that is predicted but never true counts, with 0; one that occurs nowhere does not.
    """
    none = [np.full(np.shape(next(iter(sums.values()))), np.nan)]
    f1 = np.array([scores["f1"] for scores in class_scores(part, sums).values()] or none)
    return ratio(np.nansum(f1, axis=0), (~np.isnan(f1)).sum(axis=0))


def detection_scores(matched: Floats, predicted: Floats, true: Floats) -> dict[str, Floats]:
    """Return precision, recall and F1 = 2 matched / (predicted + true), from counts."""
    return {
        "precision": ratio(matched, predicted),
        "recall": ratio(matched, true),
        "f1": ratio(2 * matched, predicted + true),
    }


def cohen_kappa(part: str, sums: Sums) -> Floats:
    """Return Cohen's kappa, (agreement - expected) / (1 - expected); NaN where both say one thing.

    What is expected is how often two would agree who say each word as often as these two do, but
    independently (Cohen 1960, "A coefficient of agreement for nominal scales").
    """
    cells = _cells(part, sums)
    none = np.zeros(np.shape(next(iter(sums.values()))))
    total = sum(cells.values(), none)
    agreed = sum((count for (one, other), count in cells.items() if one == other), none)
    expected = none
    for word in sorted({word for pair in cells for word in pair}):
        ones = sum((count for (one, _), count in cells.items() if one == word), none)
        others = sum((count for (_, other), count in cells.items() if other == word), none)
        expected = expected + ones * others
    return ratio(agreed * total - expected, total**2 - expected)


def _cells(part: str, sums: Sums) -> Mapping[tuple[str, str], Floats]:
    """Return the confusion matrix by (true, predicted)."""
    cells = {}
    for name, count in sums.items():
        where, _, pair = name.partition(":")
        if where == part:
            true, _, predicted = pair.partition(">")
            cells[true, predicted] = count
    return cells
