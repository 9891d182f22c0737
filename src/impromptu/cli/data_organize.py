"""Released shards -> question files, the first of three steps to training files."""

import argparse
import os
import sys
from collections import Counter
from pathlib import Path

from impromptu.cli import Command
from impromptu.cli._parser import require_at_least_1
from impromptu.shards import SPLITS
from impromptu.shards.counts import losses
from impromptu.shards.organizing import Result, organize


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    add = parser.add_argument
    add(
        "--data_root", type=Path, default=Path("ImpromptuData"), metavar="DIR", help="[%(default)s]"
    )
    add("--split", choices=SPLITS, required=True, help="which one")
    text = "folder for <split>/<dataset>/q1.json ... q7.json [%(default)s]"
    add("--out", type=Path, default=Path("data"), metavar="DIR", help=text)
    cores = os.cpu_count() or 1
    add("--workers", type=int, default=cores, metavar="N", help="shards at once [%(default)s]")


def run(args: argparse.Namespace) -> int:
    """Organize; return 1 if no question came of it."""
    require_at_least_1(args, "workers")
    result = organize(args.data_root, args.out, args.split, args.workers)
    _tell_left_out(result)
    dropped, written = Counter[str](), 0
    for dataset, counts in result.counts.items():
        dropped.update(losses(counts))
        told = ", ".join(f"{task} {counter['written']:,}" for task, counter in counts.items())
        written += sum(counter["written"] for counter in counts.values())
        print(f"{args.out / args.split / dataset}: {told}")
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in dropped.most_common())
    images = f"; {result.images_written:,} images written" if result.images_written else ""
    print(
        f"{written:,} questions of {result.samples:,} samples in {len(result.found.shards):,} "
        f"shards; dropped: {reasons or 'none'}{images}; every count: "
        f"{args.out / args.split / 'manifest.json'}"
    )
    return int(not written)


def _tell_left_out(result: Result) -> None:
    for path in result.found.unclear:
        print(f"left out, the name tells of several splits: {path}", file=sys.stderr)
    for path in result.found.unpacked:
        print(f"left out, its folder is there: {path}", file=sys.stderr)
    for why in result.damaged.values():
        print(f"read in part: {why}", file=sys.stderr)
    if result.members:
        told = ", ".join(f"{count:,} {reason}" for reason, count in result.members.most_common())
        print(f"members of tar files passed over: {told}", file=sys.stderr)


COMMAND = Command("released shards -> question files", add_arguments, run)
