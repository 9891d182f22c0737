"""Question files as training wants them, the second of three steps to training files."""

import argparse
import os
import sys
from collections import Counter
from pathlib import Path
from typing import get_args

from impromptu.cli import Command
from impromptu.cli._parser import require_at_least_1
from impromptu.shards import SPLITS
from impromptu.shards.counts import losses
from impromptu.shards.formatting import Invalid, format_split


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    add = parser.add_argument
    add("--data_root", type=Path, default=Path("data"), metavar="DIR", help="[%(default)s]")
    add("--split", choices=SPLITS, required=True, help="which one")
    text = "answers that their question cannot be answered with [%(default)s]"
    add("--invalid", choices=get_args(Invalid), default="keep", help=text)
    cores = os.cpu_count() or 1
    add("--workers", type=int, default=cores, metavar="N", help="files at once [%(default)s]")


def run(args: argparse.Namespace) -> int:
    """Format; return 1 if no record is left."""
    require_at_least_1(args, "workers")
    result = format_split(args.data_root, args.split, args.invalid, args.workers)
    for path in result.missing:
        print(f"missing: {path}", file=sys.stderr)
    every = [counts for tasks in result.counts.values() for counts in tasks.values()]
    written = sum(counts["written"] for counts in every)
    dropped = sum((losses(tasks) for tasks in result.counts.values()), Counter[str]())
    wrong = sum(faults.total() for tasks in result.invalid.values() for faults in tasks.values())
    kept = "dropped" if args.invalid == "drop" else "kept"
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in dropped.most_common())
    print(
        f"{written:,} records in {len(every)} files; {result.tagged.total():,} answers got their "
        f"tags; {wrong:,} do not answer their question ({kept}); dropped: {reasons or 'none'}; "
        f"every count: {args.data_root / args.split / 'manifest.json'}"
    )
    return int(not written)


COMMAND = Command("question files as training wants them", add_arguments, run)
