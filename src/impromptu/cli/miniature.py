"""``impromptu miniature``: write small made-up datasets in the formats of real ones."""

import argparse
from pathlib import Path

from impromptu import miniature
from impromptu.cli import Command
from impromptu.cli._parser import seed


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folders go here")
    parser.add_argument(
        "--datasets",
        nargs="+",
        default=miniature.DATASETS,
        choices=miniature.DATASETS,
        metavar="NAME",
        help=f"which ones, of {', '.join(miniature.DATASETS)} [all]",
    )
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="another street")
    parser.add_argument("--logs", type=int, default=4, metavar="N", help="drives a dataset")
    parser.add_argument("--duration_s", type=float, default=20.0, metavar="S", help="of a drive")


def _run(args: argparse.Namespace) -> int:
    folders = miniature.write(
        args.out,
        datasets=args.datasets,
        seed=args.seed,
        logs=args.logs,
        duration_s=args.duration_s,
    )
    for folder in folders:
        print(folder)
    return 0


COMMAND = Command("small made-up datasets, in the formats of real ones", _add_arguments, _run)
