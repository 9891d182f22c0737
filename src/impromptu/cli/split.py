"""Splits of our own: by log, drawn evenly over categories."""

import argparse
import sys
from pathlib import Path

from impromptu.cli import Command
from impromptu.split_files import SPLIT_FILE
from impromptu.splitting import META_ACTION, Result, shares_of, split


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    add = parser.add_argument
    add("folder", type=Path, metavar="DIR", help="the --out folder of scripts/data_qa_generate.sh")
    add("--out", type=Path, required=True, metavar="DIR", help="the same files, divided anew")
    add("--val", type=float, default=0.1, metavar="SHARE", help="of the clips [%(default)s]")
    add("--test", type=float, default=0.0, metavar="SHARE", help="of the clips [%(default)s]")
    add("--seed", type=int, default=0, metavar="N", help="[%(default)s]")
    text = f"tags of clips, or {META_ACTION}, that each split has alike [category {META_ACTION}]"
    add("--by", nargs="+", default=["category", META_ACTION], metavar="NAME", help=text)


def run(args: argparse.Namespace) -> int:
    """Divide; return 1 if nothing came of it."""
    shares = shares_of(args.val, args.test)
    result = split(args.folder, args.out, shares, args.by, args.seed)
    _tell(result, args.out)
    return int(not result.files)


def _tell(result: Result, out: Path) -> None:
    for name, hint in result.unknown.items():
        print(f"no clip has a tag {name!r}.{hint}", file=sys.stderr)
    for group in result.tied:
        print(f"kept together, one drive under several names: {', '.join(group)}", file=sys.stderr)
    for dataset, splits in result.strata.items():
        total = sum(counts["clips"] for counts in splits.values())
        told = ", ".join(
            f"{name} {counts['clips']:,} clips of {counts['logs']:,} logs "
            f"({counts['clips'] / total:.0%})"
            for name, counts in splits.items()
        )
        print(f"{dataset}: {told}")
    samples = sum(count for _, count in result.files)
    dropped = ", ".join(f"{count:,} {reason}" for reason, count in result.dropped.items())
    print(f"{out}: {samples:,} samples; dropped: {dropped or 'none'}; logs: {out / SPLIT_FILE}")


COMMAND = Command("splits of our own: by log, evenly over categories", add_arguments, run)
