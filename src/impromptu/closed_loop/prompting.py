"""What a model is asked in the closed loop: the training's own question of an observation."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from impromptu.answer_forms import Form
from impromptu.arrays import Floats
from impromptu.clip import Camera, Clip, Observation
from impromptu.closed_loop import plans
from impromptu.closed_loop.protocol import Step
from impromptu.closed_loop.sessions import Seen
from impromptu.datasets.nuscenes import DATASET, planning_frame
from impromptu.preset import STRICT
from impromptu.questions import AnswerError, Question, nuscenes_planning, trajectory
from impromptu.wording import Wording

Views = Literal["front", "front3"]
Frame = Literal["ego", "lidar"]
_ASKED: dict[Views, tuple[Question, int, Frame]] = {
    "front": (nuscenes_planning.QUESTION, 1, "lidar"),
    "front3": (trajectory.QUESTION, 3, "ego"),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A question of the training, and how its answer is driven.

    Attributes:
        views: As prompts name them, in the order of its images.
        frame: The body-fixed frame that its waypoints are of.
    """

    question: Question
    views: tuple[str, ...]
    frame: Frame
    wording: Wording
    form: Form

    @property
    def cameras(self) -> tuple[str, ...]:
        """The views as NeuroNCAP names them."""
        return tuple("CAM_" + view.replace(" ", "_") for view in self.views)

    def prompt(self, step: Step, seen: Seen) -> str:
        """Write the prompt of a step, as generation writes that of a keyframe."""
        clip = _clip(step, seen, self.views)
        observation = self.question.narrow(clip, STRICT)
        return self.form.prompt(self.question, observation, self.wording)

    def read(self, text: str, step: Step) -> Floats:
        """Read an answer as a plan.

        Raises:
            AnswerError: It is none.
        """
        path_m: Floats = self.question.read(text).xy_m[: plans.COUNT]
        if not plans.is_plan(path_m):
            raise AnswerError(f"beyond {plans.REACH_M:g} m in 3 s: {text[:80]!r}", "too_far")
        if self.frame == "ego":
            return path_m
        return plans.of_rear_axle(path_m, planning_frame(step.ego_SE3_lidar))


def asked(views: Views, frame: Frame | None, wording: Wording, form: Form) -> Asked:
    """Return the question whose training set shows such views.

    Args:
        views: ``front`` is the nuScenes planning set, ``front3`` is q7.
        frame: Of the waypoints, where it is not the question's own.
        wording: The sentences of the training.
        form: The form of its answers.
    """
    question, count, own = _ASKED[views]
    return Asked(question, DATASET.forward[:count], frame or own, wording, form)


def _clip(step: Step, seen: Seen, views: tuple[str, ...]) -> Clip:
    past = seen.ego.past(0)
    observation = Observation(
        cameras=tuple(Camera(view, Path(view)) for view in views),
        past=past,
        statuses=seen.ego.statuses(seen.motion)[0],
        ego_SE2_planning=planning_frame(step.ego_SE3_lidar),
    )
    # Nothing is known of what comes after.
    return Clip(
        f"nuscenes//{step.timestamp_ns}",
        "nuscenes",
        "",
        "",
        step.timestamp_ns,
        observation,
        seen.ego.future(0),
    )
