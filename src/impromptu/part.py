"""One log's samples: ask every question of every clip, write one part file, count every loss.

A part begins with a line of JSON: the log's counts, and for each sample file that it adds to the
file's key (``<folder>/<stem>_<split>`` without ``.json``), how many samples and how many bytes.
Those bytes follow, file by file, as they will stand in the sample files, and last the table of the
log's clips. It appears under its name only when complete, so a part that exists is a log that is
done.
"""

import json
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from impromptu import datasets, plugins, questions
from impromptu.action_tokens import load_codebook
from impromptu.answer_forms import Answers, Form
from impromptu.chosen_clips import ChosenClips, load_chosen
from impromptu.clip import Clip
from impromptu.clip_rows import clip_row, rows_table
from impromptu.conversation import Sample
from impromptu.counts import LogCounts, Tally
from impromptu.datasets import Dataset, Dropped, Log, LogError, keyframes
from impromptu.extraction import ShownImages
from impromptu.files import atomic_bytes
from impromptu.filters import Filters, Gate
from impromptu.preset import Preset, PresetName, load_preset
from impromptu.questions import Question, Unanswerable, observe
from impromptu.wording import Wording, load_wording

MissingImages = Literal["drop", "keep"]
BETWEEN = ",\n"
"""What stands between two samples of a file."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to make of every log; two equal recipes over equal inputs give equal bytes.

    Attributes:
        mapillary_hz: Frames a second of Mapillary SLS, which has no time; None for not known.
        filters: Whose motion is not asked about; None for the preset's own.
        answers, actions: The form of answers about waypoints; ``actions`` is a codebook's file.
        clips: The list of clips to ask about, as ``impromptu curate`` writes it; None for all.
    """

    questions: tuple[str, ...]
    preset: PresetName = "strict"
    wording: Path | None = None
    missing_images: MissingImages = "drop"
    mapillary_hz: float | None = None
    filters: Filters | None = None
    answers: Answers = "fast"
    actions: Path | None = None
    clips: Path | None = None

    @property
    def frames_hz(self) -> float | None:
        """Frames a second of logs without time; published code took half a second for granted."""
        return self.mapillary_hz or (2.0 if self.preset == "released" else None)


@dataclass(frozen=True, slots=True)
class Unit:
    """One log to be worked on, and where its part goes.

    Attributes:
        base: The folder that image paths are written relative to.
    """

    dataset: str
    log: Log
    recipe: Recipe
    base: Path
    part: Path


def write_part(unit: Unit) -> LogCounts:
    """Work on one log; its part file is there when this returns.

    A log that cannot be read leaves a part that holds nothing but the reason. Adapters raise
    ``LogError``; what else a log's own values may provoke is that log's failure too, not the run's.
    """
    counts, clips = LogCounts(), list[dict[str, Any]]()
    samples = defaultdict[str, list[str]](list)
    try:
        for key, text in rows(unit, counts, clips):
            samples[key].append(text)
        _write(unit.part, counts, samples, clips)
    except (OSError, ValueError, ArithmeticError) as error:
        kind = "" if isinstance(error, LogError | OSError) else f"{unit.log.source}: "
        counts = LogCounts(error=f"{kind}{error}")
        _write(unit.part, counts, {}, [])
    return counts


def _write(
    part: Path,
    counts: LogCounts,
    samples: Mapping[str, Sequence[str]],
    clips: list[dict[str, Any]],
) -> None:
    bodies = {key: BETWEEN.join(texts).encode() for key, texts in samples.items()}
    files = [(key, len(samples[key]), len(body)) for key, body in bodies.items()]
    with atomic_bytes(part) as file:
        file.write(json.dumps({"counts": counts.to_json(), "files": files}).encode() + b"\n")
        file.writelines(bodies.values())
        file.write(rows_table(clips))


def read_counts(part: Path) -> LogCounts:
    """Read the counts of a finished part."""
    with part.open("rb") as file:
        return LogCounts.from_json(json.loads(file.readline())["counts"])


def read_samples(part: Path) -> Iterator[tuple[str, int, bytes]]:
    """Yield (file key, number of samples, their JSON text) of a finished part."""
    with part.open("rb") as file:
        for key, number, size in json.loads(file.readline())["files"]:
            yield key, number, file.read(size)


def read_clips(part: Path) -> bytes:
    """Read the table of a finished part's clips, as ``clip_rows`` made it."""
    with part.open("rb") as file:
        file.seek(sum(size for _, _, size in json.loads(file.readline())["files"]), os.SEEK_CUR)
        return file.read()


def rows(unit: Unit, counts: LogCounts, clips: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Yield (file key, sample as JSON) of one log; count, and add to ``clips``, as it goes."""
    dataset = plugins.load(datasets, unit.dataset, Dataset)
    asker = prepare(unit.recipe)
    asked = [q for q in asker.questions if not q.only or unit.dataset in q.only]
    counts.tallies = {question.task: Tally() for question in asked}
    keys = {q.task: file_key(unit.dataset, q, unit.log.split) for q in asked}
    gate = Gate(asker.filters)
    images = ShownImages(keep=unit.recipe.missing_images == "keep")
    for item in keyframes(dataset, unit.log):
        if isinstance(item, Dropped):
            counts.count_lost(item.reason, item.keyframe)
            continue
        counts.clips += 1
        # The table has every clip: those that follow tell what stands in a kept one's way.
        item = asker.chosen.tagged(item) if asker.chosen else item
        clips.append(clip_row(item))
        if asker.chosen and item.id not in asker.chosen:
            for tally in counts.tallies.values():
                tally.count_dropped("not_in_clips")
            continue
        refusal = gate.refusal(item)
        for question in asked:
            tally = counts.tallies[question.task]
            refused = refusal if question.task in asker.preset.filtered else ""
            for made in _samples(unit, asker, dataset, question, item, refused, images):
                if isinstance(made, str):
                    tally.count_dropped(made)
                else:
                    tally.count_sample(bool(made.fault), made.clipped)
                    yield keys[question.task], made.sample.json_text(asker.preset.marks)
    counts.images_missing, counts.images_unwritten = any(images.faults.values()), images.unwritten


@dataclass(frozen=True, slots=True)
class _Made:
    """A sample; what is wrong with an image of it, empty if nothing; whether it is clipped."""

    sample: Sample
    fault: str
    clipped: bool


@dataclass(frozen=True, slots=True)
class Asker:
    """A recipe's plugins, sentences and list of clips, loaded."""

    questions: Sequence[Question]
    preset: Preset
    wording: Wording
    filters: Filters
    form: Form
    chosen: ChosenClips | None


@lru_cache(maxsize=1)
def prepare(recipe: Recipe) -> Asker:
    """Load what a recipe names.

    Raises:
        KeyError, OSError, ValueError: It names something that is not there or not right.
    """
    preset = load_preset(recipe.preset)
    asked = [plugins.load(questions, name, Question) for name in recipe.questions]
    filters = recipe.filters or preset.filters
    form = Form(recipe.answers, load_codebook(recipe.actions) if recipe.actions else None)
    if preset.name == "released" and form != Form():
        raise ValueError(
            "preset released asks published checkpoints, which know neither slow answers nor "
            "action tokens; take preset strict, or leave out answers and actions"
        )
    chosen = load_chosen(recipe.clips) if recipe.clips else None
    wording = load_wording(recipe.wording, preset)
    return Asker(asked, preset, wording, filters, form, chosen)


def file_key(dataset: str, question: Question, split: str) -> str:
    """Return where samples go, under the output folder, without ``.json``."""
    if question.task == "planning":
        return f"{dataset}_planning_{split}"
    folder = dataset if question.truth else f"{dataset}/unanswered"
    return f"{folder}/{question.task}_{split}"


def _samples(
    unit: Unit,
    asker: Asker,
    dataset: Dataset,
    question: Question,
    clip: Clip,
    refused: str,
    images: ShownImages,
) -> Iterator[_Made | str]:
    """Yield each sample that one question makes of a clip, or the reason why there is none."""
    views = dataset.surround, dataset.forward
    for suffix, seen in observe(question, clip, asker.preset, *views):
        if isinstance(seen, Unanswerable) or refused:
            yield str(seen) if isinstance(seen, Unanswerable) else refused
            continue
        cameras = seen.observation.cameras
        fault = next(filter(None, map(images.fault, cameras)), "")
        if fault and unit.recipe.missing_images == "drop":
            yield fault
            continue
        try:
            answer, clipped = asker.form.answer(question, seen, asker.preset, asker.wording)
        except Unanswerable as reason:
            yield str(reason)
            continue
        sample = Sample(
            f"{clip.id}/{question.task}{suffix}",
            tuple(_relative(camera.image, unit.base) for camera in cameras),
            asker.form.prompt(question, seen.observation, asker.wording),
            answer,
        )
        yield _Made(sample, fault, clipped)


@lru_cache(maxsize=64)  # an image of a clip is in several samples
def _relative(path: Path, base: Path) -> str:
    folder, name = os.path.split(path)
    return f"{_relative_folder(folder, base)}/{name}"


@lru_cache(maxsize=256)
def _relative_folder(folder: str, base: Path) -> str:
    return Path(os.path.relpath(folder, base)).as_posix()
