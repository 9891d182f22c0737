"""Which runs of a few models can be shown side by side, and the page that shows them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from impromptu.closed_loop import outcomes, recorded
from impromptu.closed_loop.film import MOST_MODELS
from impromptu.closed_loop.outcomes import VRef
from impromptu.closed_loop.scenarios import CATEGORIES
from impromptu.closed_loop.scores import Outcome
from impromptu.closed_loop.takes import Take, taken
from impromptu.files import atomic_writer, read_json
from impromptu.plugins import did_you_mean
from impromptu.report.page import environment

PAGE = "index.html"


@dataclass(frozen=True, slots=True, eq=False)
class Shelf:
    """One model's runs.

    Attributes:
        finished: By (scenario, run), its folder and what came of it.
        unfinished: By (scenario, run), why it cannot be shown.
        saw: What its driver was shown.
        simulated: Whether the runs are the mini-simulator's.
    """

    name: str
    finished: Mapping[tuple[str, int], tuple[Path, Outcome]]
    unfinished: Mapping[tuple[str, int], str]
    saw: str
    simulated: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """A scenario that was asked for: which run is shown, or why none is."""

    scenario: str
    run: int | None
    why: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A film on the page: whose runs, its size, and the file names of it and of its last frame."""

    takes: Sequence[Take]
    size_px: tuple[int, int]
    moving: str
    still: str


def shelves(folders: Sequence[Path], v_ref: VRef) -> list[Shelf]:
    """Read which runs there are.

    Raises:
        OSError: A folder is not there, or holds no run.
        ValueError: They do not go together, or a run's file cannot be read.
    """
    if len(folders) > MOST_MODELS:
        raise ValueError(f"at most {MOST_MODELS} folders of runs fit side by side")
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise ValueError("the same folder of runs twice; a model is shown once")
    names = [folder.resolve().name for folder in folders]
    if len(set(names)) < len(names):
        names = [str(folder) for folder in folders]
    made = [_shelf(*one, v_ref) for one in zip(names, folders, strict=True)]
    if len({shelf.simulated for shelf in made}) > 1:
        raise ValueError(
            "runs of the mini-simulator and of NeuroNCAP's engine: their scenes have nothing in "
            "common but names; show them apart"
        )
    return made


def _shelf(name: str, folder: Path, v_ref: VRef) -> Shelf:
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder of runs")
    found, failed = outcomes.read(folder, v_ref)
    where = {(scenario, run): path for scenario, run, path in recorded.folders(folder)}
    return Shelf(
        name,
        {(one.scenario, one.run): (where[one.scenario, one.run], one) for one in found},
        {(one.scenario, one.run): one.why for one in failed},
        _saw(folder),
        outcomes.simulated(folder),
    )


def _saw(folder: Path) -> str:
    path = folder / "campaign.json"
    about = read_json(path) if path.is_file() else {}
    if "driver" in about:
        return "a rule, which looks at no picture"
    told = {"blank": "was sent black pictures", None: ""}
    pictures = about.get("pictures")
    return told.get(pictures, f"was sent pictures of {pictures}")


def choices(models: Sequence[Shelf], words: Sequence[str], run: int | None) -> list[Choice]:
    """Return a choice for every scenario asked for: the run told, or the first that all have.

    Raises:
        ValueError: A word is no category and no scenario of any model.
    """
    known = sorted(
        {name for model in models for name, _ in (*model.finished, *model.unfinished)},
        key=lambda name: (CATEGORIES.index(name.partition("-")[0]), name),
    )
    for word in words:
        if word not in ("all", *CATEGORIES, *known):
            hint = did_you_mean(word, [*CATEGORIES, *known])
            raise ValueError(f"no run of {word!r}; there are runs of {', '.join(known)}.{hint}")
    asked = [
        name for name in known if "all" in words or name in words or name.partition("-")[0] in words
    ]
    return [_choice(models, name, run) for name in asked]


def _choice(models: Sequence[Shelf], scenario: str, run: int | None) -> Choice:
    runs = [{one for name, one in model.finished if name == scenario} for model in models]
    common = set.intersection(*runs)
    if run is None and common:
        return Choice(scenario, min(common))
    if run in common:
        return Choice(scenario, run)
    lacking = [
        model.name + _reason(model, scenario, run)
        for model, there in zip(models, runs, strict=True)
        if (run not in there if run is not None else not there)
    ]
    which = f"run {run}" if run is not None else "run"
    if not lacking:
        return Choice(scenario, None, "no run that all have finished")
    return Choice(scenario, None, f"no finished {which} of {', '.join(lacking)}")


def _reason(model: Shelf, scenario: str, run: int | None) -> str:
    whys = [
        why
        for (name, one), why in model.unfinished.items()
        if name == scenario and run in (None, one)
    ]
    return f" ({whys[0]:.200})" if whys else ""


def take_together(models: Sequence[Shelf], choice: Choice) -> list[Take] | str:
    """Read the runs of a choice; or say why they do not belong side by side.

    Raises:
        OSError, ValueError: A file is missing or cannot be read; the message names it.
    """
    if choice.run is None:
        return choice.why
    key = choice.scenario, choice.run
    takes = [taken(model.name, *model.finished[key]) for model in models]
    other = [take.model for take in takes[1:] if not _same_scene(takes[0], take)]
    if other:
        return (
            f"run {choice.run}: the actors of {takes[0].model} and {', '.join(other)} differ, "
            "so these are not the same scene"
        )
    return takes


def _same_scene(one: Take, other: Take) -> bool:
    """Tell whether actors are at the same times in the same places."""
    return len(one.run.actors) == len(other.run.actors) and all(
        np.array_equal(a.stamps_us, b.stamps_us) and np.allclose(a.pose, b.pose, atol=1e-3)
        for a, b in zip(one.run.actors, other.run.actors, strict=True)
    )


def by_category(shown: Sequence[Shown]) -> Iterator[tuple[str, list[Shown]]]:
    """Yield each category that there is, and its films."""
    for category in CATEGORIES:
        if films := [one for one in shown if one.takes[0].outcome.category == category]:
            yield category, films


def write_page(
    out: Path, models: Sequence[Shelf], shown: Sequence[Shown], left_out: Mapping[str, str]
) -> Path:
    """Write the page beside the films; it names them by relative paths."""
    template = environment().get_template("gallery.html.jinja")
    page = template.render(
        models=models, categories=list(by_category(shown)), left_out=left_out, shown=shown
    )
    with atomic_writer(out / PAGE) as file:
        file.write(page)
    return out / PAGE
