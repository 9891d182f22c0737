"""No model: gives the answer of the training sample whose ego moved most alike, without an image.

Alike is the Euclidean distance between what prompts tell of the ego's motion (``Asked.numbers``),
each number in units of its standard deviation over the training samples. Of training samples that
are equally near, the commonest answer is given, the first of equals.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import KDTree

from impromptu.arrays import Floats
from impromptu.conversation import Sample
from impromptu.engines import Answerer, Completion, Engine, Settings, one_by_one
from impromptu.engines._asked import UNSUPPORTED, read_asked
from impromptu.engines._training_file import training_samples

TASKS = "q6", "q7", "nuscenes_planning"
_TIE = 1e-9
"""Distances that differ by less are equal."""


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """Training samples of one question.

    Attributes:
        scale: (14,) standard deviations; 1 for a number that is the same in all.
        tree: Of the scaled numbers.
        answers: In the tree's order.
    """

    scale: Floats
    tree: KDTree
    answers: Sequence[str]

    @classmethod
    def of(cls, numbers: Floats, answers: Sequence[str]) -> "Neighbours":
        """Index (n, 14) numbers and n answers, n > 0."""
        deviation = numbers.std(axis=0)
        scale = np.where(deviation > _TIE, deviation, 1.0)
        return cls(scale, KDTree(numbers / scale), answers)

    def nearest(self, numbers: Floats) -> str:
        """Return the answer of the sample nearest to (14,) numbers."""
        distance, _ = self.tree.query(numbers / self.scale)
        rows = self.tree.query_ball_point(numbers / self.scale, distance + _TIE)
        counts = Counter[str](self.answers[row] for row in sorted(rows))
        return counts.most_common(1)[0][0]


def _open(settings: Settings) -> Answerer:
    numbers, answers = dict[str, list[Floats]](), dict[str, list[str]]()
    for sample in training_samples(settings, "nearest_neighbour", TASKS):
        asked = read_asked(sample)
        if asked is not None and sample.answer:
            numbers.setdefault(asked.question.task, []).append(asked.numbers())
            answers.setdefault(asked.question.task, []).append(sample.answer)
    if not answers:
        raise ValueError(f"{settings.model}: no sample of it tells how the ego moves")
    by_task = {
        task: Neighbours.of(np.stack(numbers[task]), answers[task]) for task in sorted(answers)
    }
    return one_by_one(lambda sample: _answer(sample, by_task))


def _answer(sample: Sample, by_task: dict[str, Neighbours]) -> Completion:
    asked = read_asked(sample)
    if asked is None or asked.question.task not in by_task:
        return UNSUPPORTED
    return Completion(by_task[asked.question.task].nearest(asked.numbers()), "stop")


ENGINE = Engine(_open, runs_model=False, fitted=True)
