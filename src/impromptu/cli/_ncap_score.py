"""``impromptu ncap score``: score and collision rate of runs, beside published rows."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from impromptu.cli import Command
from impromptu.cli._parser import seed
from impromptu.closed_loop import table
from impromptu.closed_loop.table import Model
from impromptu.files import atomic_writer, require_file_places, write_json

_FORMS = (".md", ".csv", ".json")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    add = parser.add_argument
    add("runs", nargs="+", type=Path, metavar="RUNS", help="a folder of runs for each model")
    add("--out", nargs="+", type=Path, default=[], metavar="FILE", help="table.md, .csv or .json")
    add("--v_ref", choices=tuple(table.V_REFS), default="fixed", help="reference speed")
    add("--expect", type=int, metavar="N", help="runs of each scenario [the most that one has]")
    add("--resamples", type=int, default=1000, metavar="N", help="bootstrap draws; 0: no intervals")
    add("--seed", type=seed, default=0, metavar="N", help="of the draws")


def run(args: argparse.Namespace) -> int:
    """Score, save, show; return 1 where runs are missing."""
    if args.resamples < 0 or (args.expect is not None and args.expect < 1):
        raise ValueError("--resamples: expected 0 or more; --expect: expected 1 or more")
    for path in args.out:
        if path.suffix not in _FORMS:
            raise ValueError(f"--out {path}: expected a name that ends in {', '.join(_FORMS)}")
    require_file_places(*args.out)
    models = [
        table.scored(path, args.v_ref, args.expect, args.resamples, args.seed) for path in args.runs
    ]
    for path in args.out:
        _save(path, models, args)
    print(table.to_markdown(models, args.v_ref, scenarios=False), end="")
    print(*(f"wrote {path}" for path in args.out), sep="\n", end="\n" if args.out else "")
    return int(any(model.missing for model in models))


def _save(path: Path, models: Sequence[Model], args: argparse.Namespace) -> None:
    if path.suffix == ".json":
        write_json(path, table.to_json(models, args.v_ref, args.resamples, args.seed))
        return
    text = table.to_csv(models) if path.suffix == ".csv" else table.to_markdown(models, args.v_ref)
    with atomic_writer(path) as file:
        file.write(text)


PART = Command("score runs, and set them beside published ones", add_arguments, run)
