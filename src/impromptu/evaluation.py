"""Score predictions strictly: whole answers, joined by id, every loss counted beside the figure.

The result, as JSON, of one pair of files::

    task, question, gt, pred
    joined_by              "id" or "order"
    preset                 that the true answers were made with, as their file says ("": nothing)
    asked                  samples in the file of true answers
    answered, missing      of those, with and without a prediction
    read, unreadable       of the answered, those that answer the question and those that do not
    missing_ids            the first few
    unreadable_examples    the first few: id, why
    metrics                by name: convention, higher_is_better, figures (name -> value, null where
                           it is 0 / 0 or larger than a float holds) and units (name -> unit)
    note                   why there are no metrics, or empty

Figures are over the read answers only: one that cannot be read is counted, never averaged.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from impromptu import metrics, plugins, questions
from impromptu.answer_files import Joined
from impromptu.files import write_json_list
from impromptu.metrics import Metric
from impromptu.questions import AnswerError, Question

_SHOWN = 5
_SHOWN_CHARACTERS = 160


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a pair of files came to.

    Attributes:
        read: (id, predicted, true) of each answer that could be read.
        unreadable: (id, reason) of each that could not.
        missing: Ids without a prediction.
        figures: By metric; empty where nothing could be read.
    """

    joined: Joined
    question: str
    read: tuple[tuple[str, Any, Any], ...]
    unreadable: tuple[tuple[str, str], ...]
    missing: tuple[str, ...]
    figures: Mapping[str, Mapping[str, float | None]]

    @property
    def note(self) -> str:
        """Why there is no figure, in words; empty where there are some."""
        if self.figures:
            return ""
        asked, answered = len(self.joined.answers), len(self.read) + len(self.unreadable)
        return f"no figure: of {asked} samples {answered} were answered and no answer could be read"

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object that the module describes."""
        pair = self.joined.pair
        return {
            "task": pair.task,
            "question": self.question,
            "gt": str(pair.truth),
            "pred": str(pair.prediction),
            "joined_by": self.joined.joined_by,
            "preset": self.joined.preset,
            "asked": len(self.joined.answers),
            "answered": len(self.read) + len(self.unreadable),
            "missing": len(self.missing),
            "read": len(self.read),
            "unreadable": len(self.unreadable),
            "missing_ids": list(self.missing[:_SHOWN]),
            "unreadable_examples": [
                {"id": name, "why": why[:_SHOWN_CHARACTERS]}
                for name, why in self.unreadable[:_SHOWN]
            ],
            "metrics": {name: _described(name, values) for name, values in self.figures.items()},
            "note": self.note,
        }


def scored(task: str) -> bool:
    """Tell whether a task has metrics; free text (q3, q5) has none."""
    return bool(_question(task)[1].metrics)


def evaluate(joined: Joined) -> Evaluation:
    """Read all answers of a pair of files and compare those that can be read.

    Raises:
        ValueError: A true answer cannot be read; the message names file and id.
    """
    name, question = _question(joined.pair.task)
    read, unreadable, missing = [], [], []
    for answer in joined.answers:
        true = _true(joined.pair.truth, answer.id, answer.true, question)
        if answer.predicted is None:
            missing.append(answer.id)
            continue
        try:
            read.append((answer.id, question.read(answer.predicted), true))
        except AnswerError as error:
            unreadable.append((answer.id, str(error)))
    figures = {}
    if read:
        predicted, truths = [p for _, p, _ in read], [t for _, _, t in read]
        figures = {metric: _compare(metric, predicted, truths) for metric in question.metrics}
    return Evaluation(joined, name, tuple(read), tuple(unreadable), tuple(missing), figures)


def write_per_sample(path: Path, evaluation: Evaluation) -> None:
    """Write a JSON list: of each sample its id, and its own figures or why it has none."""
    write_json_list(path, _per_sample(evaluation))


def _per_sample(evaluation: Evaluation) -> Iterator[dict[str, Any]]:
    for name, predicted, true in evaluation.read:
        yield {"id": name} | {
            metric: _compare(metric, [predicted], [true]) for metric in evaluation.figures
        }
    for name, why in evaluation.unreadable:
        yield {"id": name, "unreadable": why[:_SHOWN_CHARACTERS]}
    for name in evaluation.missing:
        yield {"id": name, "missing": True}


def _compare(metric: str, predicted: Sequence[Any], true: Sequence[Any]) -> dict[str, float | None]:
    # A model may well answer [9e307, 0]: finite, but its error is not.
    with np.errstate(over="ignore"):
        figures = _metric(metric).compare(predicted, true)
    return {name: v if v is None or math.isfinite(v) else None for name, v in figures.items()}


def _true(path: Path, name: str, text: str, question: Question) -> Any:
    try:
        return question.read(text)
    except AnswerError as error:
        raise ValueError(
            f"{path}: {name}: the true answer cannot be read: {error}; "
            "make the file again, or score the task it was made for"
        ) from error


def _described(name: str, figures: Mapping[str, float | None]) -> dict[str, Any]:
    metric = _metric(name)
    return {
        "convention": metric.convention,
        "higher_is_better": metric.higher_is_better,
        "figures": dict(figures),
        "units": {figure: metric.unit_of(figure) for figure in figures},
    }


@cache
def _metric(name: str) -> Metric:
    return plugins.load(metrics, name, Metric)


@cache
def _question(task: str) -> tuple[str, Question]:
    for name in plugins.names(questions):
        question = plugins.load(questions, name, Question)
        if question.task == task:
            return name, question
    raise LookupError(f"no question has the task {task!r}")
