"""The whole pipeline on miniature datasets, ending in a report."""

import argparse
import os
import sys
import time
from pathlib import Path

from impromptu.cli import Command
from impromptu.files import require_writable
from impromptu.pipeline import demo


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    parser.add_argument(
        "--data_raw",
        type=Path,
        default=Path("build/miniature"),
        metavar="DIR",
        help="drives are drawn here",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("build/demo"), metavar="DIR", help="all the rest goes here"
    )
    parser.add_argument(
        "--train",
        type=Path,
        metavar="YAML",
        help="train a tiny model too, by this LLaMA-Factory file; needs the train extra [none]",
    )
    cores = os.cpu_count() or 1
    parser.add_argument("--workers", type=int, default=cores, metavar="N", help="logs at once")


def run(args: argparse.Namespace) -> int:
    """Run it and tell where the report is."""
    if args.workers < 1:
        raise ValueError(f"--workers {args.workers}: expected at least 1")
    if args.train and not args.train.is_file():
        raise FileNotFoundError(f"{args.train}: no such file; --train expects a YAML of train/")
    require_writable(args.data_raw, args.out)
    # Threads of a model that wait by spinning slow each other down tenfold on a busy machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    began_s = time.monotonic()

    def say(what: str) -> None:
        print(f"[{time.monotonic() - began_s:4.0f} s] {what}", file=sys.stderr)

    report = demo(args.data_raw, args.out, args.train, args.workers, say)
    print(f"report: {report}")
    return 0


COMMAND = Command("the whole pipeline on miniature datasets", add_arguments, run)
