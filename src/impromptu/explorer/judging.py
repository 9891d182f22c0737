"""Tells at a glance what a prediction is worth, by the question's own reader."""

from functools import cache
from typing import Literal

import numpy as np

from impromptu import plugins, questions
from impromptu.clip import Trajectory
from impromptu.questions import AnswerError, Question

State = Literal["right", "wrong", "path", "unreadable", "missing", "failed", "unjudged"]

STATES: dict[State, str] = {
    "right": "says what the true answer says",
    "wrong": "says something else",
    "path": "waypoints, with their mean error",
    "unreadable": "does not answer the question",
    "missing": "not predicted",
    "failed": "the engine gave an error",
    "unjudged": "free text, or no true answer",
}


def judge(task: str, true: str, predicted: str) -> tuple[State, float | None]:
    """Compare an answer with the true one.

    Returns:
        A verdict; of waypoints also the mean distance to the true ones, in metres.
    """
    question = question_of(task)
    if question is None or not question.metrics:
        return "unjudged", None
    try:
        answer = question.read(predicted)
    except AnswerError:
        return "unreadable", None
    try:
        truth = question.read(true)
    except AnswerError:
        return "unjudged", None
    if not isinstance(answer, Trajectory):
        return ("right" if answer == truth else "wrong"), None
    with np.errstate(over="ignore"):  # [9e307, 0] is finite, but its error is not
        return "path", float(np.hypot(*(answer.xy_m - truth.xy_m).T).mean())


def read_path(task: str, text: str) -> Trajectory | None:
    """Return the waypoints that an answer gives; None if it gives none."""
    question = question_of(task)
    try:
        answer = question.read(text) if question else None
    except AnswerError:
        return None
    return answer if isinstance(answer, Trajectory) else None


@cache
def question_of(task: str) -> Question | None:
    """Return the question of a task; None for a task that is not ours."""
    known = (plugins.load(questions, name, Question) for name in plugins.names(questions))
    return next((question for question in known if question.task == task), None)
