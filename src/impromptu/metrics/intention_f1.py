"""How well other road users' intentions are told, object by object.

Answers are aligned by object number. A true object that is not answered is a miss, an answer
about an object that was not asked about is false, so listing every possible pair costs precision.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from impromptu.arrays import Floats
from impromptu.clip import MetaAction
from impromptu.metrics import Metric, Sums
from impromptu.metrics._classification import (
    confusion,
    detection_scores,
    how_many,
    macro_f1,
    named_class_scores,
)

Intentions = Mapping[int, MetaAction]
_PARTS = ("speed", "path", "both")


def sums(predicted: Sequence[Intentions], true: Sequence[Intentions]) -> dict[str, Floats]:
    """Count of each sample objects told, asked about and told rightly, and each pair of words."""
    count, samples = len(true), list[int]()
    speeds, paths = list[tuple[str, str]](), list[tuple[str, str]]()
    right: dict[str, list[int]] = {part: [] for part in _PARTS}
    for sample, (told, asked) in enumerate(zip(predicted, true, strict=True)):
        samples += [sample] * len(asked)
        for number, one in asked.items():
            if (other := told.get(number)) is None:
                speeds.append((one.speed, ""))
                paths.append((one.path, ""))
                continue
            speeds.append((one.speed, other.speed))
            paths.append((one.path, other.path))
            parts = one.speed == other.speed, one.path == other.path
            for part, same in zip(_PARTS, (*parts, all(parts)), strict=True):
                if same:
                    right[part].append(sample)
        for number in told.keys() - asked.keys():
            samples.append(sample)
            speeds.append(("", told[number].speed))
            paths.append(("", told[number].path))
    columns = {f"{part}_right": how_many(of, count) for part, of in right.items()}
    columns["predicted"] = np.array([len(told) for told in predicted], dtype=np.float64)
    columns["true"] = np.array([len(asked) for asked in true], dtype=np.float64)
    columns |= confusion("speed", speeds, samples, count)
    return columns | confusion("path", paths, samples, count)


def figures(sums: Sums) -> dict[str, Floats]:
    """Return precision, recall, F1 of speed, path and both, of each word, and the counts."""
    scores = {
        f"{part}_{name}": score
        for part in _PARTS
        for name, score in detection_scores(
            sums[f"{part}_right"], sums["predicted"], sums["true"]
        ).items()
    }
    scores |= {"predicted_count": sums["predicted"], "true_count": sums["true"]}
    for part in ("speed", "path"):
        scores |= {f"{part}_macro_f1": macro_f1(part, sums)} | named_class_scores(part, sums)
    return scores


METRIC = Metric(
    convention="aligned by object number; precision, recall, F1 over all objects of all samples",
    unit="share",
    higher_is_better=True,
    sums=sums,
    figures=figures,
    headline="both_f1",
)
