"""How well vulnerable road users are found: right class, and where they really are.

In each sample predicted and true ones are matched one to one (Hungarian algorithm), within a class
and no further apart than ``TOLERANCE_M`` on the ground; as many as possible are matched, and of
such matchings the nearest is taken. One without a lateral clause stands straight ahead, at 0 m.
"""

from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from impromptu.arrays import Floats
from impromptu.metrics import Metric, Sums, ratio
from impromptu.metrics._classification import detection_scores
from impromptu.questions.vulnerable_road_users import Sighting

TOLERANCE_M = 2.0
_NEVER_M = 1e6
"""Cost of a forbidden pair: more than any number of allowed ones."""


def matches(predicted: Sequence[Sighting], true: Sequence[Sighting]) -> int:
    """Count the one-to-one matches of one sample."""
    if not predicted or not true:
        return 0
    ahead_m = np.subtract.outer([p.ahead_m for p in predicted], [t.ahead_m for t in true])
    left_m = np.subtract.outer(
        [p.left_m or 0.0 for p in predicted], [t.left_m or 0.0 for t in true]
    )
    distance_m = np.hypot(ahead_m, left_m)
    same = np.equal.outer(
        np.array([p.category.casefold() for p in predicted], dtype=object),
        np.array([t.category.casefold() for t in true], dtype=object),
    ).astype(bool)
    allowed = same & (distance_m <= TOLERANCE_M)
    rows, columns = linear_sum_assignment(np.where(allowed, distance_m, _NEVER_M))
    return int(allowed[rows, columns].sum())


def sums(
    predicted: Sequence[Sequence[Sighting]], true: Sequence[Sequence[Sighting]]
) -> dict[str, Floats]:
    """Count objects told, there and matched, and samples that are right about presence."""
    pairs = list(zip(predicted, true, strict=True))
    counts = {
        "matched": [matches(told, there) for told, there in pairs],
        "predicted": [len(told) for told, _ in pairs],
        "true": [len(there) for _, there in pairs],
        "presence_right": [bool(told) == bool(there) for told, there in pairs],
        "samples": [1] * len(pairs),
    }
    return {name: np.array(column, dtype=np.float64) for name, column in counts.items()}


def figures(sums: Sums) -> dict[str, Floats]:
    """Return precision, recall, F1 over all objects, the counts, and accuracy about presence."""
    return detection_scores(sums["matched"], sums["predicted"], sums["true"]) | {
        "presence_accuracy": ratio(sums["presence_right"], sums["samples"]),
        "matched_count": sums["matched"],
        "predicted_count": sums["predicted"],
        "true_count": sums["true"],
    }


METRIC = Metric(
    convention=f"one-to-one matches of the same class within {TOLERANCE_M:g} m (no lateral clause: "
    "0 m), over all objects of all samples; presence_accuracy: any or none, by sample",
    unit="share",
    higher_is_better=True,
    sums=sums,
    figures=figures,
    headline="f1",
)
