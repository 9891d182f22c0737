"""What of the raw datasets is here, what is missing, and where to get it."""

import argparse
import tempfile
from collections import Counter
from pathlib import Path

from impromptu import datasets, plugins
from impromptu.cli import Command
from impromptu.datasets import Dataset


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    names = plugins.names(datasets)
    parser.add_argument("dataset", nargs="*", metavar="dataset", help=f"of {', '.join(names)}")
    parser.add_argument("--data_raw", type=Path, default=Path("data_raw"), metavar="DIR")


def run(args: argparse.Namespace) -> int:
    """Describe each dataset; return 1 if one that was asked for is not usable.

    Without names, all are described, and one usable dataset is enough.
    """
    asked = args.dataset or plugins.names(datasets)
    usable = [_check(name, args.data_raw) for name in asked]
    return int(not (all(usable) if args.dataset else any(usable)))


def _check(name: str, data_raw: Path) -> bool:
    dataset = plugins.load(datasets, name, Dataset)
    if not dataset.home:
        return False
    print(f"{name}: {dataset.title}\n  source:  {dataset.url}\n  licence: {dataset.licence}")
    root = data_raw / dataset.home
    try:
        with tempfile.TemporaryDirectory() as scratch:
            logs = dataset.logs(root.absolute(), Path(scratch))
    except (OSError, ValueError) as error:
        tree = "\n".join(f"    {root}/{line}" for line in dataset.tree.strip().splitlines())
        print(f"  here:    not usable: {error}\n  expected:\n{tree}")
        return False
    by_split = Counter(log.split for log in logs)
    splits = ", ".join(f"{number} {split}" for split, number in by_split.items()) or "no"
    print(f"  here:    {root}: {splits} logs")
    return bool(logs)


COMMAND = Command("what is in data_raw, what is missing, where to get it", add_arguments, run)
