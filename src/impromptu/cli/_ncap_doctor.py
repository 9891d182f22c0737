"""``impromptu ncap doctor``: what an evaluation needs, and what of it is missing."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from impromptu.cli import Command
from impromptu.closed_loop.neuroncap.checks import Check, checks
from impromptu.closed_loop.neuroncap.config import Config, read_config


def add_config(parser: argparse.ArgumentParser) -> None:
    """Declare the flags that name an evaluation."""
    add = parser.add_argument
    text = "what is evaluated, and where all is; such as neuroncap_evaluation/config.yaml"
    add("--config", type=Path, required=True, metavar="FILE", help=text)
    text = "replaces a value of the file; a path starts from the present folder"
    add("--set", nargs="+", action="extend", default=[], metavar="key=value", help=text)


def config_of(args: argparse.Namespace) -> Config:
    """Return what the flags name."""
    return read_config(args.config, args.set)


def table(found: Sequence[Check]) -> str:
    """Return a line for each thing, and below it what to do."""
    width = max(len(check.what) for check in found)
    lines = []
    for check in found:
        lines.append(f"{check.state:7}  {check.what:{width}}  {check.found}")
        lines += [" " * (11 + width) + f"-> {check.remedy}"] * bool(check.remedy)
    return "\n".join(lines)


def run(args: argparse.Namespace) -> int:
    """Look and tell; return 1 if something is missing."""
    config = config_of(args)
    found = list(checks(config))
    print(table(found))
    lost = sum(check.state == "missing" for check in found)
    print(f"\n{lost} missing" if lost else "\nnothing is missing")
    return int(bool(lost))


PART = Command("tell what a NeuroNCAP evaluation needs and what is missing", add_config, run)
