"""Samples to look at: chosen by rule, read by the question, moved into the ego frame."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from impromptu import pictures
from impromptu.clip import Clip, Trajectory
from impromptu.conversation import Sample
from impromptu.geometry import SE2
from impromptu.pictures import Paths
from impromptu.preset import STRICT
from impromptu.questions import AnswerError, Question

Role = Literal["model", "baseline", "truth"]

_VIEW = 0.5
"""Metres to the side, for each metre ahead, that about every front camera sees (27 degrees)."""


@dataclass(frozen=True, slots=True)
class Run:
    """One engine's answers to the same samples as the other runs'.

    Attributes:
        name: For people, short: ``tiny model``.
        about: One sentence that says what it is.
        results: What ``evaluation.Evaluation.to_json`` returns, one for each file of samples.
        predictions: Answers by sample id.
        role: ``truth`` repeats the true answers; a ``baseline`` is what a ``model`` has to beat.
        pictured: Whether its paths are drawn; such runs come first, and are not many.
    """

    name: str
    about: str
    results: Sequence[Mapping[str, Any]]
    predictions: Mapping[str, str]
    role: Role = "model"
    pictured: bool = True


@dataclass(frozen=True, slots=True)
class Scene:
    """A sample to look at, the clip it is about, and why it was chosen."""

    sample: Sample
    clip: Clip
    why: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What one run said of a sample.

    Attributes:
        path: In the question's own frame; None if the text cannot be read.
        fault: Why it cannot; empty if it can.
        mean_m, final_m: Displacement errors over the horizon and at its end; None if not read.
    """

    run: str
    text: str
    path: Trajectory | None = None
    fault: str = ""
    mean_m: float | None = None
    final_m: float | None = None


@dataclass(frozen=True, slots=True)
class View:
    """A scene as shown.

    Attributes:
        paths: What was drawn.
        front: JPEG, or None where there is no image to draw on.
        above: PNG.
    """

    scene: Scene
    paths: Paths
    front: bytes | None
    above: bytes
    answers: Sequence[Answer]


def choose(
    samples: Sequence[Sample], question: Question, runs: Sequence[Run], evenly: int = 4
) -> list[tuple[Sample, str]]:
    """Choose samples by a rule that leaves no taste: return each, and why, in file order.

    They are ``evenly`` many evenly spaced ones, the first and the last among them; the widest bend
    that a front camera sees; for each run its worst by mean displacement; and for each run the
    first answer that cannot be read.

    Raises:
        ValueError: There are no samples.
    """
    if not samples:
        raise ValueError(f"no samples of {question.task} to choose from; the file is empty")
    reasons: dict[int, list[str]] = {}
    spaced = np.linspace(0, len(samples) - 1, min(evenly, len(samples))).round().astype(int)
    for index in spaced.tolist():
        reasons.setdefault(index, []).append("evenly spaced")
    bends_m = [_bend_m(question.read(sample.answer)) for sample in samples]
    if max(bends_m) > 0:
        reasons.setdefault(int(np.argmax(bends_m)), []).append("widest bend in view")
    for run in runs:
        answers = [_answer(sample, question, run) for sample in samples]
        worst = max(range(len(answers)), key=lambda index: answers[index].mean_m or 0.0)
        if answers[worst].mean_m:
            reasons.setdefault(worst, []).append(f"worst of {run.name}")
        unread = [index for index, answer in enumerate(answers) if answer.fault]
        for index in unread[:1]:
            reasons.setdefault(index, []).append(f"first unreadable of {run.name}")
    return [(samples[index], ", ".join(reasons[index])) for index in sorted(reasons)]


def view(scene: Scene, question: Question, runs: Sequence[Run]) -> View:
    """Read the answers about a scene and draw them.

    Raises:
        AnswerError: The true answer cannot be read.
    """
    answers = [_answer(scene.sample, question, run) for run in runs]
    paths = _in_ego_frame(scene, question, answers)
    camera = pictures.front_camera(scene.clip)
    front = pictures.front_jpeg(camera, paths) if camera else None
    return View(scene, paths, front, pictures.above_png(scene.clip, paths), answers)


def wide_picture(views: Sequence[View]) -> bytes | None:
    """Draw the scene with the widest bend in view; None if no scene has an image."""
    for one in sorted(views, key=lambda one: -_bend_m(one.paths.truth)):
        if (camera := pictures.front_camera(one.scene.clip)) is not None:
            return pictures.wide_png(camera, one.scene.clip, one.paths)
    return None


def _bend_m(path: Trajectory) -> float:
    """Return how far a path swings off the line to its end; 0 if it leaves the usual view."""
    ahead_m, aside_m = path.xy_m[:, 0], path.xy_m[:, 1]
    if not (np.abs(aside_m) <= _VIEW * ahead_m).all():
        return 0.0
    off_m = ahead_m * aside_m[-1] - aside_m * ahead_m[-1]
    return float(np.abs(off_m).max() / max(np.hypot(ahead_m[-1], aside_m[-1]), 1e-9))


def _answer(sample: Sample, question: Question, run: Run) -> Answer:
    if sample.id not in run.predictions:
        return Answer(run.name, "", fault="no prediction")
    text, true = run.predictions[sample.id], question.read(sample.answer)
    try:
        path: Trajectory = question.read(text)
    except AnswerError as error:
        return Answer(run.name, text, fault=str(error))
    error_m = np.hypot(*(path.xy_m - true.xy_m).T)
    return Answer(run.name, text, path, "", float(error_m.mean()), float(error_m[-1]))


def _in_ego_frame(scene: Scene, question: Question, answers: Sequence[Answer]) -> Paths:
    """Undo the frame that the planning question is asked in; other questions use the ego's."""
    tracked = scene.clip.observation.ego_SE2_planning if question.task == "planning" else None
    frame = tracked or SE2(0.0, np.zeros(2))

    def moved(path: Trajectory) -> Trajectory:
        return Trajectory(path.t_s, frame.transform(path.xy_m))

    return Paths(
        past=moved(question.narrow(scene.clip, STRICT).past),
        truth=moved(question.read(scene.sample.answer)),
        predicted={a.run: None if a.path is None else moved(a.path) for a in answers},
    )
