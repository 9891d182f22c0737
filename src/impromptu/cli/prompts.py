"""Write the page that shows every prompt."""

import argparse
from pathlib import Path

from impromptu.cli import Command
from impromptu.files import atomic_writer
from impromptu.preset import STRICT
from impromptu.prompts_page import page
from impromptu.wording import load_wording


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    parser.add_argument(
        "--out", type=Path, default=Path("prompts.md"), metavar="FILE", help="the page"
    )
    parser.add_argument(
        "--wording", type=Path, metavar="FILE", help="replaces some sentences [none]"
    )


def run(args: argparse.Namespace) -> int:
    """Write it."""
    with atomic_writer(args.out) as file:
        file.write(page(load_wording(args.wording, STRICT)))
    print(f"wrote {args.out}")
    return 0


COMMAND = Command("write the page of all prompts", add_arguments, run)
