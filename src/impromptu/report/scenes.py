"""Samples to look at: chosen by rule, read by the question, moved into the ego frame."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from impromptu import metrics, pictures, plugins, questions
from impromptu.answer_files import Answer as Asked
from impromptu.arrays import Floats
from impromptu.clip import Agent, Clip, Trajectory
from impromptu.conversation import Sample
from impromptu.engines._told import read_history
from impromptu.geometry import SE2
from impromptu.metrics import Metric
from impromptu.pictures import Paths
from impromptu.preset import STRICT
from impromptu.questions import AnswerError, Question
from impromptu.report.runs import Entry, SampleFile
from impromptu.report.verdict import headline

_VIEW = 0.5
"""Metres to the side, for each metre ahead, that about every front camera sees (27 degrees)."""
_FAR_M = 1e5
"""An answer can be as wild as 9e307; nothing further away than this is drawn."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A sample to look at, why it was chosen, and what is known of its clip.

    Attributes:
        clip: Read again from the raw log; None where that is not there.
        image: The sample's first image; None where it is not looked for.
        around: What stands around, for scenes without a clip.
        ego_SE2_planning: Likewise, the frame of a planning question.
        lack: Why there is no clip, in words.
    """

    sample: Sample
    clip: Clip | None
    why: str
    image: Path | None = None
    around: Sequence[Agent] = ()
    ego_SE2_planning: SE2 | None = None
    lack: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one run said of a sample.

    Attributes:
        position: Of the run among all.
        path: In the question's own frame; None if there is none that can be read.
        fault: Why the text cannot be read; empty if it can.
        mean_m, final_m: Displacement errors over the horizon and at its end; None if not read.
        score: Where answers are no paths, the figure of this one answer; None if there is none.
    """

    run: str
    text: str
    position: int = 0
    path: Trajectory | None = None
    fault: str = ""
    mean_m: float | None = None
    final_m: float | None = None
    score: float | None = None


@dataclass(frozen=True, slots=True)
class View:
    """A scene as shown.

    Attributes:
        paths: What was drawn; None where answers are no paths.
        front: JPEG, or None where there is no image.
        above: PNG; None where answers are no paths.
        score: The name of the answers' score; empty where they are paths or not scored.
        lack: What is not shown, and why.
    """

    scene: Scene
    paths: Paths | None
    front: bytes | None
    above: bytes | None
    answers: Sequence[Answer]
    score: str = ""
    lack: str = ""


def question_of(file: SampleFile) -> Question:
    """Return the question that a file asks."""
    return plugins.load(questions, file.entries[0].result["question"], Question)


def choose(
    file: SampleFile, evenly: int = 4, random: int = 0, worst: int = 1, seed: int = 0
) -> list[tuple[Sample, str]]:
    """Choose samples by a rule that leaves no taste: return each, and why, in file order.

    They are evenly spaced ones, the first and the last among them; some at random; the widest bend
    that a front camera sees; for each pictured model the worst that it answered, by mean
    displacement or by the figure that runs are compared by, and its first answer that cannot be
    read; and one worst of a pictured baseline.

    Args:
        file: What to choose from.
        evenly: How many are evenly spaced; with none there are models' faults alone.
        random: How many are drawn.
        worst: How many of each model.
        seed: Of the drawn ones.
    """
    asked = file.entries[0].evaluation.joined.answers
    place = {one.id: index for index, one in enumerate(asked)}
    reasons: dict[int, list[str]] = {}
    spaced = np.linspace(0, len(asked) - 1, min(evenly, len(asked))).round().astype(int)
    drawn = np.random.default_rng(seed).permutation(len(asked))[:random]
    found = [*((index, "evenly spaced") for index in spaced.tolist())]
    found += ((index, "at random") for index in sorted(drawn.tolist()))
    if evenly:
        found += ((place[name], why) for name, why in _widest(file))
    for entry in file.entries:
        if entry.run.role == "model" or (entry.run.role == "baseline" and evenly):
            many = worst if entry.run.role == "model" else min(worst, 1)
            if entry.run.pictured:
                found += ((place[name], why) for name, why in _faults(entry, many))
    for index, why in found:
        reasons.setdefault(index, []).append(why)
    return [(_sample(asked[index]), ", ".join(reasons[index])) for index in sorted(reasons)]


def _sample(one: Asked) -> Sample:
    return Sample(one.id, one.images, one.prompt, one.true)


def _widest(file: SampleFile) -> Iterator[tuple[str, str]]:
    """Yield the sample with the widest bend in view, if there is one."""
    reading = file.entries[0].evaluation.reading
    truths = [(one.id, one.true) for one in reading.read]
    truths += [(one.answer.id, one.true) for one in reading.lost]
    bends_m = {name: _bend_m(path) for name, path in truths if isinstance(path, Trajectory)}
    order = {one.id: row for row, one in enumerate(file.entries[0].evaluation.joined.answers)}
    ordered = sorted(bends_m, key=lambda name: order[name])
    if bends_m and max(bends_m.values()) > 0:
        yield max(ordered, key=lambda name: bends_m[name]), "widest bend in view"


def _faults(entry: Entry, worst: int) -> Iterator[tuple[str, str]]:
    """Yield a run's worst samples and its first unreadable one, and why."""
    name, reading = entry.run.name, entry.evaluation.reading
    badness = _badness(entry)
    for row in np.argsort(-badness, kind="stable")[:worst].tolist():
        if badness[row] > 0:
            yield reading.read[row].id, f"worst of {name}"
    for lost in reading.unreadable[:1]:
        yield lost.answer.id, f"first unreadable of {name}"


def _badness(entry: Entry) -> Floats:
    """Return how bad each readable answer is, (n,): 0 for one without a fault."""
    sums = entry.evaluation.sums
    chosen = ("ade_fde", "ade") if "ade_fde" in sums else headline(sums)
    if chosen is None:
        return np.zeros(0)
    metric = plugins.load(metrics, chosen[0], Metric)
    with np.errstate(over="ignore", invalid="ignore"):
        values = np.asarray(metric.figures(sums[chosen[0]])[chosen[1]])
    return np.nan_to_num(1 - values if metric.higher_is_better else values, posinf=np.inf)


def view(scene: Scene, question: Question, runs: Sequence[Entry]) -> View:
    """Read the answers about a scene and draw those of the runs that are pictured.

    Raises:
        AnswerError: The true answer cannot be read.
    """
    true = question.read(scene.sample.answer)
    answers = [_answer(scene.sample, true, question, entry) for entry in runs]
    chosen = headline(question.metrics)
    if not isinstance(true, Trajectory):
        front, lack = _image(replace(scene, lack=""))  # there are no paths to be lacking
        return View(scene, None, front, None, answers, chosen[1] if chosen else "", lack)
    drawn = [a for a, entry in zip(answers, runs, strict=True) if entry.run.pictured]
    paths = _in_ego_frame(scene, question, drawn)
    camera = pictures.front_camera(scene.clip) if scene.clip else None
    front, lack = (pictures.front_jpeg(camera, paths), "") if camera else _image(scene)
    above = pictures.above_png(agents_of(scene), paths)
    return View(scene, paths, front, above, answers, "", lack)


def agents_of(scene: Scene) -> Sequence[Agent]:
    """Return what stands around."""
    return scene.clip.observation.agents if scene.clip else scene.around


def _image(scene: Scene) -> tuple[bytes | None, str]:
    """Return the sample's image as it is, and what is lacking."""
    if scene.image is None:
        return None, scene.lack or "There is no calibrated front image to draw on."
    try:
        return pictures.thumbnail_jpeg(scene.image), scene.lack
    except (OSError, ValueError):
        return None, f"The image {scene.sample.images[0]} is not there or cannot be read."


def wide_picture(views: Sequence[View]) -> bytes | None:
    """Draw the scene with the widest bend in view; None if no scene has an image to draw on."""
    drawn = [(one, one.paths) for one in views if one.paths is not None]
    for one, paths in sorted(drawn, key=lambda pair: -_bend_m(pair[1].truth)):
        if one.scene.clip and (camera := pictures.front_camera(one.scene.clip)) is not None:
            return pictures.wide_png(camera, agents_of(one.scene), paths)
    return None


def _bend_m(path: Trajectory) -> float:
    """Return how far a path swings off the line to its end; 0 if it leaves the usual view."""
    ahead_m, aside_m = path.xy_m[:, 0], path.xy_m[:, 1]
    if not (np.abs(aside_m) <= _VIEW * ahead_m).all():
        return 0.0
    off_m = ahead_m * aside_m[-1] - aside_m * ahead_m[-1]
    return float(np.abs(off_m).max() / max(np.hypot(ahead_m[-1], aside_m[-1]), 1e-9))


def _answer(sample: Sample, true: Any, question: Question, entry: Entry) -> Answer:
    name, position = entry.run.name, entry.position
    text = entry.predicted.get(sample.id)
    if text is None:
        return Answer(name, "", position, fault="no prediction")
    try:
        said = question.read(text)
    except AnswerError as error:
        return Answer(name, text, position, fault=f"unreadable: {error}")
    if not isinstance(said, Trajectory):
        return Answer(name, text, position, score=_score(question, said, true))
    with np.errstate(over="ignore"):
        error_m = np.hypot(*(said.xy_m - true.xy_m).T)
        return Answer(name, text, position, said, "", float(error_m.mean()), float(error_m[-1]))


def _score(question: Question, said: Any, true: Any) -> float | None:
    if (chosen := headline(question.metrics)) is None:
        return None
    return plugins.load(metrics, chosen[0], Metric).compare([said], [true])[chosen[1]]


def _in_ego_frame(scene: Scene, question: Question, answers: Sequence[Answer]) -> Paths:
    """Undo the frame that the planning question is asked in; other questions use the ego's."""
    known = scene.clip.observation.ego_SE2_planning if scene.clip else scene.ego_SE2_planning
    frame = (known if question.task == "planning" else None) or SE2(0.0, np.zeros(2))

    def moved(path: Trajectory) -> Trajectory:
        return Trajectory(path.t_s, frame.transform(np.clip(path.xy_m, -_FAR_M, _FAR_M)))

    return Paths(
        past=moved(_past(scene, question)),
        truth=moved(question.read(scene.sample.answer)),
        predicted={a.run: None if a.path is None else moved(a.path) for a in answers},
    )


def _past(scene: Scene, question: Question) -> Trajectory:
    """Return the past of the clip, or what the prompt tells of it."""
    if scene.clip is not None:
        return question.narrow(scene.clip, STRICT).past
    if told := read_history(scene.sample.prompt):
        return Trajectory(told.t_s, told.xy_m)
    return Trajectory(np.zeros(1), np.zeros((1, 2)))
