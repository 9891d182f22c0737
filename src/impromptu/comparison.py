"""Takes prediction files as the runs of a report: scored afresh, with baselines beside them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from impromptu import clip_table, engines, plugins
from impromptu.answer_files import Joined, join
from impromptu.answer_pairs import clip_table_beside, pairs_of
from impromptu.clip import Clip
from impromptu.clip_lookup import ClipReader
from impromptu.clip_table import ClipTable
from impromptu.contestants import CONTESTANTS, Contestant, lacking, training_name
from impromptu.conversation import Sample, clip_id
from impromptu.engines import Engine
from impromptu.evaluation import Evaluation, Options, evaluate
from impromptu.files import read_json
from impromptu.registry import REGISTRY
from impromptu.report import Run, SampleFile, Scene

Say = Callable[[str], None]
_DRAWN = 3
"""Models in pictures; with the first baseline they have the four colours there are."""
_ENGINES = {one.engine: one for one in CONTESTANTS}


@dataclass(frozen=True, slots=True)
class Given:
    """A run as a user names it: predictions in a file, or in a folder of files."""

    name: str
    path: Path


@dataclass(frozen=True, slots=True)
class Scoring:
    """How every run is scored.

    Attributes:
        truth: True answers: a file of samples, or a folder of them.
        task: Of two files whose names do not tell.
        clips: Clip table of all of them; None for the one beside each.
        resamples, seed: Of the intervals.
        text_metrics: Whether free text is compared word by word.
    """

    truth: Path
    task: str | None = None
    clips: Path | None = None
    resamples: int = 1000
    seed: int = 0
    text_metrics: bool = False

    def evaluate(self, joined: Joined) -> Evaluation:
        """Score one pair of files."""
        path = self.clips or clip_table_beside(joined.pair.truth)
        clips = read_clips(path) if path else None
        return evaluate(joined, Options(clips, self.resamples, self.seed, self.text_metrics))


@dataclass(frozen=True, slots=True)
class Sources:
    """Where pictures come from.

    Attributes:
        media_dir: Where images' paths begin; None for the folder of the samples' registry.
        data_raw: Raw logs, for calibrations; None for none.
        clips: As in ``Scoring``.
    """

    media_dir: Path | None = None
    data_raw: Path | None = None
    clips: Path | None = None


@cache
def read_clips(path: Path) -> ClipTable:
    """Read a clip table once."""
    return clip_table.read(path)


def given(words: Sequence[str]) -> list[Given]:
    """Read ``PATH`` and ``NAME=PATH``; a path without a name is called after itself.

    Raises:
        ValueError: Two runs have one name, or one has none.
    """
    found = [_given(word) for word in words]
    for place, one in enumerate(found):
        if one.name in [other.name for other in found[:place]]:
            raise ValueError(f"two runs are called {one.name!r}; give each its name: NAME=PATH")
    return found


def _given(word: str) -> Given:
    cuts = [place for place, sign in enumerate(word) if sign == "="]
    if not cuts or Path(word).exists():
        resolved = Path(word).resolve()
        return Given(resolved.stem if resolved.is_file() else resolved.name, Path(word))
    # A name may hold the sign itself: the path is what is there.
    cut = next((place for place in cuts if place and Path(word[place + 1 :]).exists()), cuts[0])
    name, path = word[:cut].strip(), word[cut + 1 :]
    if not name or not path:
        raise ValueError(f"{word!r}: expected a path or NAME=PATH")
    return Given(name, Path(path))


def score(runs: Sequence[Given], scoring: Scoring, say: Say) -> tuple[list[Run], list[str]]:
    """Score runs; return them, those in pictures first, and what a reader must know.

    Raises:
        FileNotFoundError, ValueError: A run cannot be read or paired with true answers.
    """
    scored, notes = list[Run](), list[str]()
    for one in runs:
        say(f"scoring {one.name}")
        pairs, unpredicted = pairs_of(scoring.truth, one.path, scoring.task)
        evaluations = [scoring.evaluate(join(pair)) for pair in pairs]
        scored.append(_described(one, pairs[0].prediction, evaluations))
        if held_out := [path.name for path in unpredicted if "train" not in path.stem]:
            notes.append(f"{one.name}: no predictions for {', '.join(held_out)}")
    models = [run for run in scored if run.role == "model"]
    for run in models[_DRAWN:]:
        notes.append(f"{run.name} is in the tables and in no picture: there are four colours")
    hidden = [replace(run, pictured=False) for run in models[_DRAWN:]]
    return [*models[:_DRAWN], *(run for run in scored if run.role != "model"), *hidden], notes


def _described(one: Given, prediction: Path, evaluations: Sequence[Evaluation]) -> Run:
    """Tell a run's role and what it is from the settings that ``infer`` left beside it."""
    settings = _settings(prediction)
    engine = str(settings.get("engine", ""))
    if known := _ENGINES.get(engine):
        return Run(one.name, known.about, evaluations, known.role, known.pictured)
    model = Path(str(settings.get("model") or "")).name
    about = f"Engine {engine}{f', model {model}' if model else ''}." if engine else ""
    return Run(one.name, about or f"Predictions of {one.path.name}.", evaluations)


def _settings(prediction: Path) -> Mapping[str, Any]:
    path = prediction.with_name(f"{prediction.name}.settings")
    try:
        told = read_json(path) if path.is_file() else {}
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def with_baselines(
    runs: Sequence[Run], scoring: Scoring, fitted: bool, say: Say
) -> tuple[list[Run], list[str]]:
    """Add the baselines that can answer the same samples and are not among the runs.

    Args:
        runs: As ``score`` returns them.
        scoring: As for them.
        fitted: Also those that are fitted to training samples, where those are registered beside
            the true answers.
        say: Told what begins.

    Returns:
        All runs, those in pictures first, and what a reader must know.
    """
    by_truth = {one.joined.pair.truth: one.joined for run in runs for one in run.evaluations}
    given, added, notes = list(runs), list[Run](), list[str]()
    taken = {run.name for run in runs if run.role != "baseline"}
    for one in CONTESTANTS:
        if one.role != "baseline" or (one.fit and not fitted):
            continue
        if one.name in taken:
            notes.append(f"the baseline {one.name} is left out: a run has its name")
            continue
        place = next((k for k, run in enumerate(given) if one.about == run.about), None)
        own = [] if place is None else list(given[place].evaluations)
        scored = {evaluation.joined.pair.truth for evaluation in own}
        asked = [
            joined
            for truth, joined in by_truth.items()
            if joined.pair.task in one.tasks and truth not in scored
        ]
        if asked and (why := lacking(one)):
            notes.append(why)
            continue
        own += _evaluations(one, asked, scoring, notes, say)
        if place is not None:
            given[place] = replace(given[place], evaluations=own)
        elif own:
            added.append(Run(one.name, one.about, own, one.role, one.pictured))
    both = [*given, *added]
    drawn = [run for run in both if run.pictured]
    return [*drawn, *(run for run in both if not run.pictured)], notes


def _evaluations(
    one: Contestant, asked: Sequence[Joined], scoring: Scoring, notes: list[str], say: Say
) -> Iterator[Evaluation]:
    engine = plugins.load(engines, one.engine, Engine)
    for joined in asked:
        if one.fit and _training(joined.pair.truth) is None:
            continue
        say(f"{one.name} answers {joined.pair.truth.name}")
        try:
            answers = _answers(one, engine, joined)
        except (OSError, ValueError) as error:
            notes.append(f"{one.name} is left out of {joined.pair.truth.name}: {error}")
            continue
        yield scoring.evaluate(answers)


def _answers(one: Contestant, engine: Engine, joined: Joined) -> Joined:
    """Return what a baseline answers, joined to the same true answers."""
    with TemporaryDirectory() as scratch:
        settings = one.settings
        if one.fit and (beside := _training(joined.pair.truth)):
            settings = replace(settings, model=str(one.fit(*beside, Path(scratch))))
        answer = engine.open(settings)
        said = answer([each.unseen(joined.pair.task) for each in joined.answers])
    pair = replace(joined.pair, prediction=Path(one.name))
    answers = tuple(
        replace(each, predicted=completion.text, fault="")
        for each, (_, completion) in zip(joined.answers, said, strict=True)
    )
    return replace(joined, pair=pair, joined_by="id", answers=answers, extra=(), repeated=())


def _training(truth: Path) -> tuple[Path, str] | None:
    """Return the registry's folder and the name in it of a file's training samples, if any."""
    folder = _registered_in(truth)
    if folder is None:
        return None
    entries = read_json(folder / REGISTRY)
    places = {name: (folder / one["file_name"]).resolve() for name, one in entries.items()}
    for name, place in places.items():
        training = training_name(name)
        if place == truth.resolve() and training != name and training in places:
            return (folder, training) if places[training].is_file() else None
    return None


def _registered_in(truth: Path) -> Path | None:
    """Return the folder of the registry beside a file of samples, or one above."""
    folders = truth.absolute().parents[:2]
    return next((folder for folder in folders if (folder / REGISTRY).is_file()), None)


def scenes_of(
    file: SampleFile, chosen: Sequence[tuple[Sample, str]], sources: Sources
) -> list[Scene]:
    """Return samples to look at with what can be found of their clips.

    Without raw logs an image has no calibration; what stands around is then the clip table's.
    """
    media_dir = sources.media_dir or _registered_in(file.path) or file.path.parent
    table_path = sources.clips or clip_table_beside(file.path)
    with TemporaryDirectory() as scratch:
        reader = ClipReader(sources.data_raw, Path(scratch)) if sources.data_raw else None
        return [
            _scene(sample, why, file.task, media_dir, table_path, reader) for sample, why in chosen
        ]


def _scene(
    sample: Sample,
    why: str,
    task: str,
    media_dir: Path,
    table_path: Path | None,
    reader: ClipReader | None,
) -> Scene:
    name, lack = clip_id(sample.id, task), "No paths on the image: there is no --data_raw."
    clip: Clip | None = None
    if reader:
        try:
            clip, lack = reader.read(name), ""
        except (OSError, ValueError, LookupError):
            lack = "No paths on the image: its clip cannot be read from --data_raw."
    image = media_dir / sample.images[0] if sample.images else None
    if clip or table_path is None:
        return Scene(sample, clip, why, image, lack=lack)
    table = read_clips(table_path)
    if (row := table.row_of.get(name)) is None:
        return Scene(sample, None, why, image, lack=lack)
    return Scene(sample, None, why, image, table.agents(row), table.ego_SE2_planning(row), lack)
