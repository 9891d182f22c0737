"""Score predictions strictly: whole answers, joined by id, every loss counted beside the figure.

The result, as JSON, of one pair of files::

    task, question, gt, pred
    joined_by              "id" or "order"
    preset                 that the true answers were made with, as their file says ("": nothing)
    asked                  samples in the file of true answers
    answered, missing      of those, with and without a prediction
    read, unreadable       of the answered, those that answer the question and those that do not
    unreadable_reasons     reason -> number
    missing_ids            the first few
    unreadable_examples    the first few: id, why
    extra, repeated        predictions nobody asked for; ids predicted again with the same text
    metrics                by name: convention, higher_is_better, headline (the one figure to show),
                           figures (name -> value, null where it is 0 / 0 or larger than a float
                           holds), units (name -> unit), intervals (name -> [low, high]), and sums
                           (column -> total; ``speed:KEEP>STOP`` counts KEEP told as STOP)
    bootstrap              of the intervals: level, clusters (logs), resamples, seed
    policies               trajectories only, by name: convention, samples, filled, and figures by
                           metric
    breakdown              dimension -> group -> samples, and figures by metric
    masks                  keyframes of the split, and those with so much future
    clips                  the clip table that breakdown, masks and collisions are from, or null
    remarks                what was not worked out, and why
    note                   why there are no metrics, or empty

Figures are over the read answers only: one that cannot be read is counted, never averaged.
"""

import gc
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from impromptu import breakdown, metrics, plugins, questions
from impromptu.answer_files import Joined
from impromptu.clip_table import ClipTable
from impromptu.conversation import clip_id, log_of
from impromptu.files import write_json_list
from impromptu.intervals import LEVEL, Interval, clustered
from impromptu.metrics import Metric, Sums, TrueScene
from impromptu.policies import side_by_side
from impromptu.questions import Question
from impromptu.reading import Reading, read_answers
from impromptu.scoring import Truths, true_scenes

TEXT_METRICS = ("bleu", "rouge_l")
_SHOWN = 5
_SHOWN_CHARACTERS = 160


@dataclass(frozen=True, slots=True)
class Options:
    """What to work out beside the figures.

    Attributes:
        clips: Where groups and surroundings are looked up.
        resamples: Bootstrap draws; 0 for no intervals.
        seed: Of the draws.
        text_metrics: Whether free text (q3, q5) is compared word by word.
    """

    clips: ClipTable | None = None
    resamples: int = 1000
    seed: int = 0
    text_metrics: bool = False


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a pair of files came to.

    Attributes:
        sums: By metric, columns with a row for each read answer; none where nothing was read.
        intervals: By metric and figure.
        details: What ``to_json`` holds beside counts and figures.
    """

    joined: Joined
    question: str
    reading: Reading
    sums: Mapping[str, Sums]
    intervals: Mapping[str, Mapping[str, Interval]]
    details: Mapping[str, Any]

    @property
    def figures(self) -> dict[str, dict[str, float | None]]:
        """By metric; empty where nothing could be read."""
        return {name: _metric(name).total(sums) for name, sums in self.sums.items()}

    @property
    def note(self) -> str:
        """Why there is no figure, in words; empty where there are some."""
        if self.sums:
            return ""
        if self.reading.read:
            return "no figure: free text is not compared unless told to, --text_metrics"
        asked, lost = len(self.joined.answers), len(self.reading.missing)
        answered = f"of {asked} samples {asked - lost} were answered"
        return f"no figure: {answered} and no answer could be read"

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object that the module describes."""
        pair, reading = self.joined.pair, self.reading
        return {
            "task": pair.task,
            "question": self.question,
            "gt": str(pair.truth),
            "pred": str(pair.prediction),
            "joined_by": self.joined.joined_by,
            "preset": self.joined.preset,
            "asked": len(self.joined.answers),
            "answered": len(self.joined.answers) - len(reading.missing),
            "missing": len(reading.missing),
            "read": len(reading.read),
            "unreadable": len(reading.unreadable),
            "unreadable_reasons": reading.reasons(),
            "missing_ids": [lost.answer.id for lost in reading.missing[:_SHOWN]],
            "unreadable_examples": [
                {"id": lost.answer.id, "why": lost.why[:_SHOWN_CHARACTERS]}
                for lost in reading.unreadable[:_SHOWN]
            ],
            "extra": len(self.joined.extra),
            "repeated": len(self.joined.repeated),
            "metrics": {
                name: _described(name, figures, self.sums[name], self.intervals.get(name, {}))
                for name, figures in self.figures.items()
            },
            **self.details,
            "note": self.note,
        }


def scored(task: str, text_metrics: bool = False) -> bool:
    """Tell whether a task has metrics; free text (q3, q5) has none unless asked for."""
    return bool(_question(task)[1].metrics) or text_metrics


def evaluate(joined: Joined, options: Options | None = None) -> Evaluation:
    """Read all answers of a pair of files and compare those that can be read.

    Raises:
        ValueError: A true answer cannot be read; the message names file and id.
        ModuleNotFoundError: Text metrics need a package that is not there.
    """
    with _collector_paused():
        return _evaluate(joined, options or Options())


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Keep Python from looking for cycles: answers are many and in none, a fifth of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _evaluate(joined: Joined, options: Options) -> Evaluation:
    name, question = _question(joined.pair.task)
    reading = read_answers(joined, question)
    rows = [(one.id, one.true) for one in reading.read]
    rows += [(one.answer.id, one.true) for one in reading.lost]
    clip_ids = [clip_id(sample_id, question.task) for sample_id, _ in rows]
    truths = _truths(question, [true for _, true in rows], clip_ids, options)
    sums = truths.compare([one.predicted for one in reading.read], range(len(reading.read)))
    known = clip_ids[: len(reading.read)]
    logs = [log_of(clip) for clip in known]
    bounds: Mapping[str, Mapping[str, Interval]] = {}
    if logs and all(logs):
        bounds = clustered(truths.metrics, sums, logs, options.resamples, options.seed)
    details: dict[str, Any] = {
        "bootstrap": {
            "level": LEVEL,
            "clusters": len(set(logs) - {""}),
            "resamples": options.resamples,
            "seed": options.seed,
        },
        "policies": {},
        "clips": options.clips.source if options.clips else None,
        "breakdown": {},
        "masks": {},
        "remarks": list(_remarks(question, sums, logs, known, options)),
    }
    if options.clips is not None:
        details["breakdown"] = breakdown.of_all(truths.metrics, sums, known, options.clips)
        details["masks"] = breakdown.followed(options.clips, question.future_s)
    if question.read_padded is not None:
        details["policies"] = side_by_side(question, reading, truths, sums)
    return Evaluation(joined, name, reading, sums, bounds, details)


def _truths(
    question: Question, answers: Sequence[Any], clip_ids: Sequence[str], options: Options
) -> Truths:
    names = question.metrics or (TEXT_METRICS if options.text_metrics else ())
    chosen = {name: _metric(name) for name in names}
    if options.clips is None:
        chosen = {name: metric for name, metric in chosen.items() if not metric.in_scene}
    scenes: Sequence[TrueScene] = ()
    if options.clips is not None and any(metric.in_scene for metric in chosen.values()):
        scenes = true_scenes(answers, clip_ids, options.clips)
    return Truths(chosen, answers, scenes)


def _remarks(
    question: Question,
    sums: Mapping[str, Sums],
    logs: Sequence[str],
    clip_ids: Sequence[str],
    options: Options,
) -> Iterator[str]:
    """Say what was not worked out, and why."""
    if not sums:
        return
    if options.clips is None:
        lacking = [name for name in question.metrics if _metric(name).in_scene]
        named = f"no {', '.join(lacking)}, no groups" if lacking else "no groups"
        yield f"{named}: no clip table (--clips FILE, or clips/ beside the samples)"
    elif unknown := sum(clip not in options.clips.row_of for clip in clip_ids):
        yield f"{unknown} of {len(clip_ids)} samples are about clips that the clip table lacks"
    if not all(logs):
        yield "no intervals: sample ids do not name the logs they are from"
    elif options.resamples and len(set(logs)) < 2:
        yield "no intervals: all samples are from one log"


def write_per_sample(path: Path, evaluation: Evaluation) -> None:
    """Write a JSON list: of each sample its id, and its own figures or why it has none."""
    write_json_list(path, _per_sample(evaluation))


def _per_sample(evaluation: Evaluation) -> Iterator[dict[str, Any]]:
    """Yield each sample's own figures, those left out that are 0 / 0 of it alone."""
    with np.errstate(over="ignore", invalid="ignore"):
        figures = {
            metric: {
                name: np.asarray(column) for name, column in _metric(metric).figures(s).items()
            }
            for metric, s in evaluation.sums.items()
        }
    for row, one in enumerate(evaluation.reading.read):
        yield {"id": one.id} | {
            metric: {name: float(c[row]) for name, c in columns.items() if np.isfinite(c[row])}
            for metric, columns in figures.items()
        }
    for lost in evaluation.reading.unreadable:
        yield {"id": lost.answer.id, "unreadable": lost.why[:_SHOWN_CHARACTERS]}
    for lost in evaluation.reading.missing:
        yield {"id": lost.answer.id, "missing": True}


def _described(
    name: str,
    figures: Mapping[str, float | None],
    sums: Sums,
    bounds: Mapping[str, Interval],
) -> dict[str, Any]:
    metric = _metric(name)
    with np.errstate(over="ignore", invalid="ignore"):
        totals = {column: float(values.sum()) for column, values in sums.items()}
    return {
        "convention": metric.convention,
        "higher_is_better": metric.higher_is_better,
        "headline": metric.headline,
        "figures": dict(figures),
        "units": {figure: metric.unit_of(figure) for figure in figures},
        "intervals": {figure: list(ends) for figure, ends in bounds.items()},
        "sums": {column: v if math.isfinite(v) else None for column, v in totals.items()},
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
