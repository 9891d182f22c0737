"""A generated folder -> WebDataset tar shards in the released naming."""

import argparse
import os
import sys
from collections import Counter
from pathlib import Path

from impromptu.cli import Command
from impromptu.cli._parser import require_at_least_1
from impromptu.shards.counts import losses
from impromptu.shards.packing import Result, pack


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    add = parser.add_argument
    text = "the --out folder of scripts/data_qa_generate.sh, or of impromptu split"
    add("folder", type=Path, metavar="DIR", help=text)
    add("--out", type=Path, default=Path("ImpromptuData"), metavar="DIR", help="[%(default)s]")
    add("--shard_mb", type=int, default=500, metavar="MB", help="a shard at most [%(default)s]")
    cores = os.cpu_count() or 1
    add("--workers", type=int, default=cores, metavar="N", help="shards at once [%(default)s]")


def run(args: argparse.Namespace) -> int:
    """Pack; return 1 if nothing came of it."""
    require_at_least_1(args, "shard_mb", "workers")
    result = pack(args.folder, args.out, args.shard_mb * 10**6, args.workers)
    _tell(result, args.out)
    return int(not result.shards)


def _tell(result: Result, out: Path) -> None:
    if result.left_out:
        names = ", ".join(result.left_out)
        print(f"released shards hold q1 to q7; not packed: {names}", file=sys.stderr)
    for log, split, other, its, count in result.shared:
        print(
            f"{log} ({split}) and {other} ({its}) share {count:,} images: what is measured on one "
            "was seen in the other; impromptu split keeps such logs together",
            file=sys.stderr,
        )
    dropped = Counter[str]()
    for splits in result.counts.values():
        for counts in splits.values():
            dropped.update(losses(counts))
    samples = sum(one["samples"] for one in result.shards.values())
    size = sum(one["size"] for one in result.shards.values())
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in dropped.most_common())
    print(
        f"{out}: {samples:,} samples in {len(result.shards):,} shards, {size / 1e9:.2f} GB "
        f"({result.written:,} written now); questions dropped: {reasons or 'none'}; "
        f"every count: {out / 'manifest.json'}"
    )


COMMAND = Command("samples -> WebDataset shards, with sums and a card", add_arguments, run)
