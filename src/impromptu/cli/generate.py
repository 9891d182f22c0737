"""Raw driving logs to question-answer data."""

import argparse
import os
from pathlib import Path
from typing import Any, get_args

import yaml

from impromptu import datasets, plugins, questions
from impromptu.cli import Command
from impromptu.generation import Result, generate, present_datasets
from impromptu.manifest import MANIFEST
from impromptu.part import MissingImages, Recipe
from impromptu.preset import PresetName

_KEYS = ("datasets", "split", "questions", "preset", "missing_images", "wording", "mapillary_hz")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    names = plugins.names(datasets)
    parser.add_argument("--data_raw", type=Path, default=Path("data_raw"), metavar="DIR")
    parser.add_argument("--out", type=Path, default=Path("data_qa_results"), metavar="DIR")
    parser.add_argument("--recipe", type=Path, metavar="FILE", help="YAML with defaults for these")
    parser.add_argument(
        "--datasets", nargs="+", choices=names, metavar="NAME", help=f"of {', '.join(names)}"
    )
    parser.add_argument("--split", nargs="+", choices=("train", "val", "test"), metavar="NAME")
    parser.add_argument("--questions", nargs="+", choices=plugins.names(questions), metavar="NAME")
    parser.add_argument("--preset", choices=get_args(PresetName))
    parser.add_argument("--wording", type=Path, metavar="FILE", help="replaces some sentences")
    parser.add_argument("--missing_images", choices=get_args(MissingImages))
    parser.add_argument(
        "--mapillary_hz",
        type=float,
        metavar="HZ",
        help="frames a second of Mapillary SLS, whose files have no time; "
        "without it no trajectory is asked of it, or 2 with --preset released",
    )
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, metavar="N")
    parser.add_argument(
        "--fail_on_error", action="store_true", help="exit 1 if a log or dataset failed"
    )


def run(args: argparse.Namespace) -> int:
    """Generate, and tell what came of it."""
    if args.workers < 1:
        raise ValueError(f"--workers {args.workers}: expected at least 1")
    chosen = _chosen(args)
    if (rate := chosen["mapillary_hz"]) is not None and not 0.1 <= rate <= 100:
        raise ValueError(f"mapillary_hz {rate}: expected 0.1 to 100 frames a second")
    names = chosen["datasets"] or present_datasets(args.data_raw)
    recipe = Recipe(
        questions=tuple(chosen["questions"] or plugins.names(questions)),
        preset=chosen["preset"] or "strict",
        wording=Path(chosen["wording"]) if chosen["wording"] else None,
        missing_images=chosen["missing_images"] or "drop",
        mapillary_hz=rate,
    )
    result = generate(args.data_raw, args.out, names, chosen["split"], recipe, args.workers)
    _tell(result, args.out)
    return int(bool(result.failed) and args.fail_on_error)


def _chosen(args: argparse.Namespace) -> dict[str, Any]:
    """Take each choice from its flag, else from the recipe file."""
    recipe: dict[str, Any] = {}
    if args.recipe:
        recipe = yaml.safe_load(args.recipe.read_text(encoding="utf-8")) or {}
        if unknown := sorted(set(recipe) - set(_KEYS)):
            raise ValueError(f"{args.recipe}: unknown {unknown}; known are {', '.join(_KEYS)}")
    given = {key: getattr(args, key) for key in _KEYS}
    return {key: recipe.get(key) if given[key] is None else given[key] for key in _KEYS}


def _tell(result: Result, out: Path) -> None:
    for path, count in result.files:
        print(f"{count:>9,}  {os.path.relpath(path)}")
    for log, error in result.failed:
        print(f"skipped {log}: {error}")
    dropped = ", ".join(f"{count:,} {reason}" for reason, count in result.dropped.most_common())
    print(
        f"{result.samples:,} samples of {result.clips:,} clips; "
        f"not made: {dropped or 'none'}; failed: {len(result.failed)}; "
        f"every count by reason: {out / MANIFEST}"
    )


COMMAND = Command("raw driving logs -> question-answer data", add_arguments, run)
