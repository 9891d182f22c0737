"""How well other road users' intentions are told, object by object.

Answers are aligned by object number. A true object that is not answered is a miss, an answer
about an object that was not asked about is false, so listing every possible pair costs precision.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from impromptu.arrays import Floats
from impromptu.clip import MetaAction
from impromptu.metrics import Metric, Sums
from impromptu.metrics._classification import detection_scores

Intentions = Mapping[int, MetaAction]
_PARTS: dict[str, Callable[[MetaAction], object]] = {
    "speed": lambda action: action.speed,
    "path": lambda action: action.path,
    "both": lambda action: action,
}


def sums(predicted: Sequence[Intentions], true: Sequence[Intentions]) -> dict[str, Floats]:
    """Count objects told, objects asked about, and those told rightly, of each sample."""
    pairs = list(zip(predicted, true, strict=True))
    right = {
        f"{part}_right": [_right(told, asked, word) for told, asked in pairs]
        for part, word in _PARTS.items()
    }
    counts = right | {"predicted": [len(p) for p in predicted], "true": [len(t) for t in true]}
    return {name: np.array(column, dtype=np.float64) for name, column in counts.items()}


def _right(told: Intentions, asked: Intentions, word: Callable[[MetaAction], object]) -> int:
    return sum(number in asked and word(one) == word(asked[number]) for number, one in told.items())


def figures(sums: Sums) -> dict[str, Floats]:
    """Return precision, recall and F1 of speed, path and both over all objects, and the counts."""
    scores = {
        f"{part}_{name}": score
        for part in _PARTS
        for name, score in detection_scores(
            sums[f"{part}_right"], sums["predicted"], sums["true"]
        ).items()
    }
    return scores | {"predicted_count": sums["predicted"], "true_count": sums["true"]}


METRIC = Metric(
    convention="aligned by object number; precision, recall, F1 over all objects of all samples",
    unit="share",
    higher_is_better=True,
    sums=sums,
    figures=figures,
    headline="both_f1",
)
