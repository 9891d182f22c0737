"""How well other road users' intentions are told, object by object.

Answers are aligned by object number. A true object that is not answered is a miss, an answer
about an object that was not asked about is false, so listing every possible pair costs precision.
"""

from collections.abc import Mapping, Sequence

from impromptu.clip import MetaAction
from impromptu.metrics import Metric
from impromptu.metrics._classification import detection_scores

Intentions = Mapping[int, MetaAction]


def compare(predicted: Sequence[Intentions], true: Sequence[Intentions]) -> dict[str, float | None]:
    """Return precision, recall and F1 of speed, path and both over all objects, and the counts."""
    told, asked = sum(map(len, predicted)), sum(map(len, true))
    pairs = [
        (answer, truth[number])
        for answers, truth in zip(predicted, true, strict=True)
        for number, answer in answers.items()
        if number in truth
    ]
    right = {
        "speed": sum(answer.speed == truth.speed for answer, truth in pairs),
        "path": sum(answer.path == truth.path for answer, truth in pairs),
        "both": sum(answer == truth for answer, truth in pairs),
    }
    figures: dict[str, float | None] = {
        f"{part}_{name}": value
        for part, matched in right.items()
        for name, value in detection_scores(matched, told, asked).items()
    }
    return figures | {"predicted_count": told, "true_count": asked}


METRIC = Metric(
    convention="aligned by object number; precision, recall, F1 over all objects of all samples",
    unit="share",
    higher_is_better=True,
    compare=compare,
)
