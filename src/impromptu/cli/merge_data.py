"""All datasets' question files -> one file for training, the last of three steps to it."""

import argparse
import os
import sys
from pathlib import Path

from impromptu.cli import Command
from impromptu.cli._parser import require_at_least_1
from impromptu.registry import REGISTRY
from impromptu.shards import SPLITS
from impromptu.shards.merging import merge


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    add = parser.add_argument
    add("--data_root", type=Path, default=Path("data"), metavar="DIR", help="[%(default)s]")
    add("--split", choices=SPLITS, required=True, help="which one")
    text = "folder in it for the files [%(default)s]"
    add("--output_dir", default="jsons", metavar="NAME", help=text)
    cores = os.cpu_count() or 1
    add("--workers", type=int, default=cores, metavar="N", help="files at once [%(default)s]")


def run(args: argparse.Namespace) -> int:
    """Merge; return 1 if nothing came of it, or if another split shows the same images."""
    require_at_least_1(args, "workers")
    result = merge(args.data_root, args.split, args.output_dir, args.workers)
    for path in result.missing:
        print(f"missing: {path}", file=sys.stderr)
    for other, (count, some) in result.shared.items():
        print(
            f"{count:,} images of {args.split} are in {other} too, such as {some[0]}: what is "
            f"measured on one was seen in the other",
            file=sys.stderr,
        )
    written = sum(counts["written"] for counts in result.counts.values())
    told = ", ".join(f"{task} {counts['written']:,}" for task, counts in result.counts.items())
    print(
        f"{result.folder / args.split}.json: {written:,} records ({told}), registered in "
        f"{args.data_root / REGISTRY} as {result.names[0]} and, by question, {result.names[1]} "
        f"... {result.names[-1]}; {result.renamed:,} got ids that are unique"
    )
    return int(not written or bool(result.shared))


COMMAND = Command("question files -> one registered file for training", add_arguments, run)
