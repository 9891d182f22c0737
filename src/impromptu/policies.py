"""What to do with trajectory answers that cannot be read: four ways, side by side, by name.

A figure over readable answers alone can be had cheaply, by answering the easy ones; a filled-in
answer is not the model's. So no single figure will do, and each is shown with its policy's name.
Under every policy but ``exclude`` a missing answer is filled like an unreadable one, so that the
figures are over all samples.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from impromptu import engines, plugins
from impromptu.answer_files import Answer
from impromptu.clip import Trajectory
from impromptu.engines import Engine, Settings
from impromptu.metrics import Sums
from impromptu.questions import AnswerError, Question
from impromptu.reading import Reading
from impromptu.scoring import Truths

EXCLUDE = "exclude"
CONVENTIONS: Mapping[str, str] = {
    EXCLUDE: "only answers that could be read count; these are the figures shown elsewhere",
    "zeros": "an answer that could not be read counts as a car that stands still, as published",
    "last_point": "a short answer is continued with its last waypoint, a long one cut off, and "
    "one without any waypoint counts as a car that stands still, as published for nuScenes",
    "constant_velocity": "an answer that could not be read is replaced by going straight on at "
    "the speed its prompt tells; it stays left out where the prompt tells none",
}
Filling = Callable[[Sequence[Answer], Question], list[Trajectory | None]]


def side_by_side(
    question: Question, reading: Reading, truths: Truths, sums: Mapping[str, Sums]
) -> dict[str, dict[str, Any]]:
    """Return by policy its convention, how many samples count and were filled, and the figures.

    Args:
        question: What was asked; its answers are trajectories.
        reading: What was answered.
        truths: Of all samples, those with a readable answer first, then the lost ones.
        sums: Of the readable answers.
    """
    lost = [one.answer for one in reading.lost]
    results = {}
    for policy, convention in CONVENTIONS.items():
        counted = [
            (path, row)
            for row, path in enumerate(fill(policy, lost, question), start=len(reading.read))
            if path is not None
        ]
        added = truths.compare([path for path, _ in counted], [row for _, row in counted])
        results[policy] = {
            "convention": convention,
            "samples": len(reading.read) + len(counted),
            "filled": len(counted),
            "figures": {
                name: metric.total(_joined(sums.get(name), added.get(name)))
                for name, metric in truths.metrics.items()
                if name in sums or name in added
            },
        }
    return results


def _joined(one: Sums | None, other: Sums | None) -> Sums:
    """Append columns to columns of the same names; either may be absent."""
    if one is None or other is None:
        return one or other or {}
    return {name: np.concatenate([column, other[name]]) for name, column in one.items()}


def fill(policy: str, answers: Sequence[Answer], question: Question) -> list[Trajectory | None]:
    """Return what each answer that could not be read counts as; None if it stays left out."""
    return _FILLINGS[policy](answers, question)


def _exclude(answers: Sequence[Answer], question: Question) -> list[Trajectory | None]:
    return [None] * len(answers)


def _zeros(answers: Sequence[Answer], question: Question) -> list[Trajectory | None]:
    return [_padded("", question) for _ in answers]


def _last_point(answers: Sequence[Answer], question: Question) -> list[Trajectory | None]:
    return [_padded(answer.predicted or "", question) for answer in answers]


def _padded(text: str, question: Question) -> Trajectory | None:
    return question.read_padded(text) if question.read_padded else None


def _constant_velocity(answers: Sequence[Answer], question: Question) -> list[Trajectory | None]:
    drive_on = plugins.load(engines, "constant_velocity", Engine).open(Settings())
    samples = [answer.unseen(question.task) for answer in answers]
    return [_read(completion.text, question) for _, completion in drive_on(samples)]


def _read(text: str, question: Question) -> Trajectory | None:
    try:
        trajectory: Trajectory = question.read(text)
    except AnswerError:
        return None
    return trajectory


_FILLINGS: Mapping[str, Filling] = {
    EXCLUDE: _exclude,
    "zeros": _zeros,
    "last_point": _last_point,
    "constant_velocity": _constant_velocity,
}
