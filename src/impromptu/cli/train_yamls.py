"""Write the YAML of every training run."""

import argparse
from pathlib import Path

from impromptu.cli import Command
from impromptu.files import atomic_writer
from impromptu.training_matrix import yamls


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    parser.add_argument(
        "--out", type=Path, default=Path(), metavar="DIR", help="the repository root"
    )


def run(args: argparse.Namespace) -> int:
    """Write them."""
    files = yamls()
    for path, text in files.items():
        with atomic_writer(args.out / path) as file:
            file.write(text)
    print(f"wrote {len(files)} files under {args.out / 'train'}")
    return 0


COMMAND = Command("write the YAML of every training run", add_arguments, run)
