"""Ratios and F1 scores that are None, not NaN, where they have no meaning."""

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import TypeVar

T = TypeVar("T", bound=Hashable)


def ratio(part: float, whole: float) -> float | None:
    """Return part / whole, or None for 0 / 0."""
    return part / whole if whole else None


def detection_scores(matched: int, predicted: int, true: int) -> dict[str, float | None]:
    """Return precision, recall and F1 = 2 matched / (predicted + true), from counts."""
    return {
        "precision": ratio(matched, predicted),
        "recall": ratio(matched, true),
        "f1": ratio(2 * matched, predicted + true),
    }


def accuracy(predicted: Sequence[T], true: Sequence[T]) -> float:
    """Return the share of equal pairs."""
    return sum(p == t for p, t in zip(predicted, true, strict=True)) / len(true)


def class_f1(predicted: Sequence[T], true: Sequence[T]) -> dict[T, float]:
    """Return F1 of each class that occurs on either side, in order of first appearance."""
    hits = Counter(p for p, t in zip(predicted, true, strict=True) if p == t)
    seen = Counter(true) + Counter(predicted)
    return {name: 2 * hits[name] / count for name, count in seen.items()}


def macro_f1(predicted: Sequence[T], true: Sequence[T]) -> float:
    """Return the plain mean of the classes' F1.

    A class that is predicted but never true counts, with 0; one that occurs nowhere does not.
    """
    scores = class_f1(predicted, true)
    return sum(scores.values()) / len(scores)
