"""What a baseline is asked, from a sample's id and prompt alone, and how it answers by a path."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from impromptu.answer_pairs import TASKS
from impromptu.arrays import Floats
from impromptu.clip import STEP_S, Trajectory
from impromptu.conversation import Sample
from impromptu.engines import Completion, Engine, one_by_one
from impromptu.engines._told import Told, read_history, read_speed, told_commands
from impromptu.meta_actions import STRICT, decide
from impromptu.questions import Question, meta_action, nuscenes_planning, trajectory
from impromptu.wording import Wording, default_templates

UNSUPPORTED = Completion("", "unsupported")
"""The answer to a sample that a baseline cannot read, or that asks what it has no answer to."""

_QUESTIONS = {
    one.task: one for one in (trajectory.QUESTION, nuscenes_planning.QUESTION, meta_action.QUESTION)
}
_PAST_STEPS = round(trajectory.PAST_S / STEP_S)


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A question about the ego's motion, and what its prompt tells.

    Attributes:
        now_mps: (2,) present velocity, told or of the last step.
        commands: As ``told_commands`` returns.
    """

    question: Question
    told: Told
    now_mps: Floats
    commands: Floats

    @property
    def t_s(self) -> Floats:
        """Times of the waypoints asked for; of q6, up to the horizon of its words."""
        end_s = STRICT.horizon_s if self.question.task == "q6" else self.question.future_s
        return STEP_S * np.arange(1, round(end_s / STEP_S) + 1)

    def straight_m(self) -> Floats:
        """Return the (k, 2) places at constant velocity."""
        path_m: Floats = self.told.xy_m[-1] + self.t_s[:, None] * self.now_mps
        return path_m

    def numbers(self) -> Floats:
        """Return all that is told of the ego's motion as one vector of a fixed length, (14,).

        Velocity, acceleration, steering, commands, and the places of the last 1.5 s, latest
        first. What is not told is 0; a place before the history is that of constant velocity.
        """
        told, back_s = self.told, -STEP_S * np.arange(1, _PAST_STEPS + 1)
        past_m = told.xy_m[-1] + back_s[:, None] * self.now_mps
        known_m = told.xy_m[-2 : -2 - _PAST_STEPS : -1]
        past_m[: len(known_m)] = known_m
        status = np.nan_to_num([*told.acceleration_mps2[-1], told.steering_rad[-1]])
        return np.concatenate([self.now_mps, status, self.commands, past_m.ravel()])

    def answer(self, path_m: Floats) -> Completion:
        """Answer by (k, 2) places at ``t_s``: as waypoints, or for q6 by the words for them."""
        path = Trajectory(self.t_s, path_m)
        said = decide(float(np.hypot(*self.now_mps)), path) if self.question.task == "q6" else path
        return Completion(self.question.write(said, Wording(default_templates("strict"))), "stop")


def mirrored(numbers: Floats) -> Floats:
    """Return (n, 14) rows of ``Asked.numbers`` as a mirror shows them: left is right."""
    swapped = numbers.copy()
    swapped[:, [1, 3, 4, 9, 11, 13]] *= -1
    swapped[:, [6, 7]] = numbers[:, [7, 6]]
    return swapped


def read_asked(sample: Sample) -> Asked | None:
    """Tell what is asked; None where it is not about the ego's motion or cannot be read."""
    task = task_of(sample)
    told = read_history(sample.prompt)
    if told is None and task == "q6":
        told = read_speed(sample.prompt)
    now_mps = told.now_mps() if told else None
    if told is None or now_mps is None:
        return None
    question = _QUESTIONS.get(task or _published_task(told))
    if question is None:
        return None
    return Asked(question, told, now_mps, told_commands(sample.prompt))


def task_of(sample: Sample) -> str:
    """Return the task that a sample's id names, empty for none, as in files made by others."""
    return next((part for part in reversed(sample.id.split("/")) if part in TASKS), "")


def _published_task(told: Told) -> str:
    """Tell a published planning prompt, or q7's, from what only it tells."""
    x_mps, y_mps = told.velocity_mps[-1]
    steered = not np.isnan(told.steering_rad).all()
    if steered or told.t_s[0] < -trajectory.PAST_S or np.isnan(y_mps) > np.isnan(x_mps):
        return "planning"
    return "q7" if told.t_s[0] == -trajectory.PAST_S and not np.isnan(y_mps) else ""


def path_engine(path_m: Callable[[Asked], Floats]) -> Engine:
    """Return an engine that answers every question about the ego's motion by a path.

    Args:
        path_m: What is asked -> the (k, 2) places at its ``t_s``, in the present frame.
    """

    def answer(sample: Sample) -> Completion:
        asked = read_asked(sample)
        return asked.answer(path_m(asked)) if asked else UNSUPPORTED

    return Engine(lambda settings: one_by_one(answer), runs_model=False)
