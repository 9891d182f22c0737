"""Raw driving logs to question-answer data."""

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_args

from impromptu import backends, datasets, plugins, questions
from impromptu.answer_forms import Answers
from impromptu.chosen_clips import load_chosen
from impromptu.cli import Command
from impromptu.files import read_json, read_yaml_mapping, require_writable
from impromptu.filters import Filters
from impromptu.generation import Result, generate
from impromptu.manifest import MANIFEST
from impromptu.part import MissingImages, Recipe
from impromptu.plugins import did_you_mean
from impromptu.preset import PresetName, load_preset
from impromptu.questions import Question

_ALLOWED: dict[str, Sequence[str]] = {
    "datasets": plugins.names(datasets),
    "split": ("train", "val", "test"),
    "questions": plugins.names(questions),
    "preset": get_args(PresetName),
    "missing_images": get_args(MissingImages),
    "wording": (),
    "mapillary_hz": (),
    "filters": (),
    "answers": get_args(Answers),
    "actions": (),
    "clips": (),
}
_FILES = "wording", "actions", "clips"
_LIMITS = tuple(limit.name for limit in fields(Filters))
_LISTS = ("datasets", "split", "questions")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    add = parser.add_argument
    add("--data_raw", type=Path, default=Path("data_raw"), metavar="DIR", help="holds the datasets")
    add(
        "--out",
        type=Path,
        default=Path("data_qa_results"),
        metavar="DIR",
        help="all is written here",
    )
    add("--recipe", type=Path, metavar="FILE", help="YAML that sets the flags below [none]")
    told = {"datasets": "all present", "split": "all with poses"}
    for name, default in told.items():
        known = _ALLOWED[name]
        text = f"of {', '.join(known)} [{default}]"
        add(f"--{name}", nargs="+", choices=known, metavar="NAME", help=text)
    asks = f"of {', '.join(f'{task} ({name})' for task, name in _tasks().items())} [all]"
    add("--questions", nargs="+", type=_question, metavar="NAME", help=asks)
    leaks = "released leaks, as published [strict]"
    add("--preset", choices=_ALLOWED["preset"], help=leaks)
    absent = "samples whose images are not there [drop]"
    add("--missing_images", choices=_ALLOWED["missing_images"], help=absent)
    rate = "frames a second of Mapillary SLS, whose files have no time; without it no trajectory"
    add("--mapillary_hz", type=float, metavar="HZ", help=f"{rate} is asked of it [released: 2]")
    add("--wording", metavar="FILE", help="replaces some sentences [none]")
    waypoints = "waypoints of q7 and planning: alone, or after the reasons for them [fast]"
    add("--answers", choices=_ALLOWED["answers"], help=waypoints)
    tokens = "codebook of impromptu fit-actions: waypoints as action tokens [as numbers]"
    add("--actions", metavar="FILE", help=tokens)
    add("--clips", metavar="FILE", help="only these clips, as `impromptu curate` lists them [all]")
    cores = os.cpu_count() or 1
    add("--workers", type=int, default=cores, metavar="N", help="logs at once")
    places = "where: on this machine, or on the Ray cluster that RAY_ADDRESS names"
    more = "(its nodes must share the folders; without one, a Ray of this machine)"
    add(
        "--backend",
        choices=plugins.names(backends),
        default="processes",
        help=f"{places} {more}",
    )
    inside = "where images are written that Waymo keeps inside its records: DIR/waymo_extracted"
    add("--extract_dir", type=Path, metavar="DIR", help=f"{inside} [that of --data_raw]")
    add("--fail_on_error", action="store_true", help="exit 1 if a log or dataset failed")


def run(args: argparse.Namespace) -> int:
    """Generate, and tell what came of it."""
    if args.workers < 1:
        raise ValueError(f"--workers {args.workers}: expected at least 1")
    chosen = _chosen(args)
    if (rate := chosen["mapillary_hz"]) is not None and not 0.1 <= rate <= 100:
        raise ValueError(f"mapillary_hz {rate}: expected 0.1 to 100 frames a second")
    recipe = Recipe(
        questions=tuple(chosen["questions"] or plugins.names(questions)),
        preset=chosen["preset"] or "strict",
        wording=Path(chosen["wording"]).resolve() if chosen["wording"] else None,
        missing_images=chosen["missing_images"] or "drop",
        mapillary_hz=rate,
        filters=_filters(args.recipe, chosen),
        answers=chosen["answers"] or "fast",
        actions=Path(chosen["actions"]).resolve() if chosen["actions"] else None,
        clips=Path(chosen["clips"]).resolve() if chosen["clips"] else None,
    )
    if args.extract_dir and not any(args.extract_dir.glob("*_extracted")):
        require_writable(args.extract_dir)
    result = generate(
        args.data_raw,
        args.out,
        chosen["datasets"],
        chosen["split"],
        recipe,
        args.workers,
        extract_dir=args.extract_dir,
        backend=args.backend,
    )
    _tell(result, args.out)
    if recipe.clips:
        _tell_chosen(recipe.clips, args.out)
    if not result.samples:
        print(f"nothing was made: see impromptu check --data_raw {args.data_raw}")
    return int(not result.samples or (bool(result.failed) and args.fail_on_error))


def _tasks() -> dict[str, str]:
    """Return the names of questions by task: ``q6`` is ``meta_action``."""
    known = {plugins.load(questions, n, Question).task: n for n in plugins.names(questions)}
    return dict(sorted(known.items(), key=lambda item: (not item[0].startswith("q"), item)))


def _question(word: str) -> str:
    """Take a question's task or name for its name."""
    if (name := _tasks().get(word, word)) in _ALLOWED["questions"]:
        return name
    known = [word for pair in _tasks().items() for word in pair]
    hint = did_you_mean(word, known)
    raise argparse.ArgumentTypeError(f"no question {word!r}; there are {', '.join(known)}.{hint}")


def _chosen(args: argparse.Namespace) -> dict[str, Any]:
    """Take each choice from its flag, else from the recipe file."""
    recipe = read_yaml_mapping(args.recipe) if args.recipe else {}
    if isinstance(asked := recipe.get("questions"), list):
        recipe["questions"] = [_tasks().get(one, one) for one in map(str, asked)]
    for key, value in recipe.items():
        if key not in _ALLOWED:
            hint = did_you_mean(str(key), list(_ALLOWED))
            known = ", ".join(_ALLOWED)
            raise ValueError(f"{args.recipe}: unknown {key!r}; known are {known}.{hint}")
        _check(args.recipe, key, value)
    given = {key: getattr(args, key, None) for key in _ALLOWED}
    return {key: recipe.get(key) if given[key] is None else given[key] for key in _ALLOWED}


def _filters(path: Path, chosen: Mapping[str, Any]) -> Filters:
    """Return the preset's limits, with those in their place that the recipe file names."""
    own = load_preset(chosen["preset"] or "strict").filters
    try:
        return replace(own, **(chosen["filters"] or {}))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _check(path: Path, key: str, value: Any) -> None:
    """Refuse a value of a recipe that its flag would refuse."""
    values = value if key in _LISTS else [value]
    if key == "mapillary_hz" and isinstance(value, int | float) and not isinstance(value, bool):
        return
    if key == "filters" and isinstance(value, dict) and set(value) <= set(_LIMITS):
        return
    if value is None or (
        isinstance(values, list)
        and all(isinstance(one, str) for one in values)
        and (key in _FILES or set(values) <= set(_ALLOWED[key]))
    ):
        return
    free = dict.fromkeys(_FILES, "a file's path") | {"mapillary_hz": "a number"}
    free["filters"] = f"a mapping of some of {', '.join(_LIMITS)}"
    expected = free.get(key) or f"of {', '.join(_ALLOWED[key])}"
    kind = "a list " if key in _LISTS else ""
    odd = [one for one in values if one not in _ALLOWED[key]] if isinstance(values, list) else []
    hint = "".join(did_you_mean(str(one), [*_ALLOWED[key], *_tasks()]) for one in odd[:1])
    raise ValueError(f"{path}: {key}: expected {kind}{expected}, got {value!r:.80}.{hint}")


def _tell(result: Result, out: Path) -> None:
    for path, count in result.files:
        print(f"{count:>9,}  {os.path.relpath(path)}")
    for log, error in result.failed:
        print(f"skipped {log}: {error}")
    if result.unwritten:
        log, error = result.unwritten[0]
        print(f"images missing of {len(result.unwritten)} logs, as of {log}: {error}")
    if result.clipped:
        print(f"{result.clipped:,} answers clipped: they move faster than any action token tells")
    unanswered = sum(count for path, count in result.files if path.parent.name == "unanswered")
    dropped = ", ".join(f"{count:,} {reason}" for reason, count in result.dropped.most_common())
    print(
        f"{result.samples - unanswered:,} samples and {unanswered:,} prompts that wait for a "
        f"teacher, of {result.clips:,} clips; not made: {dropped or 'none'}; "
        f"failed: {len(result.failed)}; every count by reason: {out / MANIFEST}"
    )


def _tell_chosen(listed: Path, out: Path) -> None:
    """Say how many clips of the list the logs have."""
    splits = [one for of in read_json(out / MANIFEST)["datasets"].values() for one in of.values()]
    asked = [(one["clips"], *one["questions"].values()) for one in splits if one["questions"]]
    found = sum(clips - first["dropped"].get("not_in_clips", 0) for clips, first, *_ in asked)
    print(f"{found:,} of the {len(load_chosen(listed).tags):,} clips in {listed} were found")


COMMAND = Command("raw driving logs -> question-answer data", add_arguments, run)
