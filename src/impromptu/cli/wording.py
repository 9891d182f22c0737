"""Make a wording file from samples that somebody already has."""

import argparse
from pathlib import Path
from typing import Any

import yaml

from impromptu.cli import Command
from impromptu.conversation import Sample
from impromptu.files import atomic_writer, read_json, read_json_lines
from impromptu.mining import Mined, mine

_HEAD = "# Sentences found in {source} by `impromptu wording`; use it with --wording.\n"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    parser.add_argument(
        "--from",
        dest="source",
        type=Path,
        nargs="+",
        required=True,
        metavar="FILE",
        help="ShareGPT samples, JSON or JSON lines, of any mix of tasks",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the wording file")


def run(args: argparse.Namespace) -> int:
    """Write the file and say how well it fits; 1 if any sample does not come out the same."""
    samples = [sample for path in args.source for sample in _samples(path)]
    mined, unknown = mine(samples)
    templates = [item for one in mined for item in one.templates.items()]
    if not templates:
        troubles = "; ".join(one.trouble for one in mined) or "no sample of a known task"
        raise ValueError(f"{', '.join(map(str, args.source))}: no sentence found: {troubles}")
    tree: dict[str, Any] = {}
    for name, template in templates:
        task, _, key = name.partition(".")
        tree.setdefault(task, {})[key] = template
    with atomic_writer(args.out) as file:
        file.write(_HEAD.format(source=", ".join(path.name for path in args.source)))
        yaml.safe_dump(tree, file, allow_unicode=True, sort_keys=False, width=1_000_000)
    for one in mined:
        _tell(one)
    if unknown:
        print(f"{len(unknown)} samples are of no known task, the first is {unknown[0].id}")
    print(f"wrote {args.out}")
    return int(bool(unknown) or any(one.trouble for one in mined))


def _samples(path: Path) -> list[Sample]:
    rows = [row for _, row in read_json_lines(path)] if path.suffix == ".jsonl" else read_json(path)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError(f"{path}: expected a JSON list of ShareGPT samples")
    try:
        return [Sample.from_sharegpt(row, f"sample {number}") for number, row in enumerate(rows)]
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _tell(mined: Mined) -> None:
    print(
        f"{mined.task}: {mined.samples} samples; letter for letter the same: "
        f"{mined.prompts_same} prompts, {mined.answers_same} answers"
    )
    if mined.trouble:
        print(f"  {mined.trouble}")


COMMAND = Command("make a wording file from samples you have", add_arguments, run)
