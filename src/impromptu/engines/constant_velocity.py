"""No model: reads position and velocity from the prompt, and drives on straight at that speed."""

import re

import numpy as np

from impromptu.arrays import Floats
from impromptu.clip import STEP_S, Trajectory
from impromptu.conversation import Sample
from impromptu.engines import Answerer, Completion, Engine, Settings
from impromptu.questions import Question, nuscenes_planning, trajectory
from impromptu.wording import Wording, default_templates

_NUMBER = r"\s*([-+]?\d+(?:\.\d+)?)"
_ENTRY = re.compile(rf"\(t-[\d.]+\s*s\) \[{_NUMBER},{_NUMBER}\s*\]")
_VELOCITY = re.compile(rf"Velocity:(?: X)?{_NUMBER}(?:, Y{_NUMBER})?")
_QUESTIONS = {one.task: one for one in (trajectory.QUESTION, nuscenes_planning.QUESTION)}


def _open(settings: Settings) -> Answerer:
    return lambda samples: [_answer(sample) for sample in samples]


def _answer(sample: Sample) -> Completion:
    question, motion = _question(sample), _present(sample.prompt)
    if question is None or motion is None:
        return Completion("", "unsupported")
    xy_m, velocity_mps = motion
    t_s = np.arange(STEP_S, question.future_s + STEP_S / 2, STEP_S)
    straight = Trajectory(t_s, xy_m + t_s[:, None] * velocity_mps)
    return Completion(question.write(straight, Wording(default_templates("strict"))), "stop")


def _question(sample: Sample) -> Question | None:
    """Tell the question by the sample's id, or by what only the planning prompt tells."""
    task = sample.id.rpartition("/")[2]
    published = "planning" if "Steering angle:" in sample.prompt else ""
    return _QUESTIONS.get(task) or _QUESTIONS.get(published)


def _present(prompt: str) -> tuple[Floats, Floats] | None:
    """Read the last position, (2,) m, and the velocity there, (2,) m/s, of a prompt's history.

    A prompt without a present velocity has that of its last step; None if it has no such step.
    """
    entries = list(_ENTRY.finditer(prompt))
    if not entries:
        return None
    xy_m = np.array([entry.groups() for entry in entries], dtype=np.float64)
    if told := _VELOCITY.search(prompt, entries[-1].end()):
        return xy_m[-1], np.array([told[1], told[2] or 0], dtype=np.float64)
    return (xy_m[-1], (xy_m[-1] - xy_m[-2]) / STEP_S) if len(entries) > 1 else None


ENGINE = Engine(_open, runs_model=False)
