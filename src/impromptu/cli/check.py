"""What of the raw datasets is here, what is missing, and where to get it."""

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby, islice
from pathlib import Path

from impromptu import datasets, plugins
from impromptu.cli import Command
from impromptu.clip import Clip
from impromptu.datasets import Dataset, Log
from impromptu.image_files import image_fault
from impromptu.plugins import did_you_mean

_ANY_HZ = 2.0
"""For a look at logs without time, whatever their rate is."""


_LOOKED_AT = 10
"""Keyframes of a log: its first ones may lie before its first annotation."""

_OPTIONAL = ("py123d",)
"""Not missed by those who do not have it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    names = ", ".join(_known())
    text = f"of {names} [all of them]"
    add = parser.add_argument
    add("dataset", nargs="*", metavar="dataset", help=text)
    add("--data_raw", type=Path, default=Path("data_raw"), metavar="DIR", help="holds the datasets")


def run(args: argparse.Namespace) -> int:
    """Describe each dataset; return 1, with a list, if anything is missing of those asked for."""
    known = _known()
    if not args.data_raw.is_dir():
        raise FileNotFoundError(f"{args.data_raw}: no such folder; --data_raw holds the datasets")
    everything = [
        name
        for name, dataset in known.items()
        if name not in _OPTIONAL or (args.data_raw / dataset.home).exists()
    ]
    chosen = args.dataset or everything
    if unknown := [name for name in chosen if name not in known]:
        hint = did_you_mean(unknown[0], list(known))
        raise ValueError(f"unknown dataset {unknown[0]!r}; known are {', '.join(known)}.{hint}")
    missing = [
        f"{name}: {what}"
        for name in chosen
        for what in _check(name, known[name], args.data_raw / known[name].home)
    ]
    if missing:
        print("missing:", *missing, sep="\n  ")
    return int(bool(missing))


def _known() -> dict[str, Dataset]:
    loaded = {name: plugins.load(datasets, name, Dataset) for name in plugins.names(datasets)}
    return {name: dataset for name, dataset in loaded.items() if dataset.home}


def _check(name: str, dataset: Dataset, root: Path) -> list[str]:
    """Tell about one dataset; return what is missing."""
    print(
        f"{name}: {dataset.title}\n  source:  {dataset.url}\n  licence: {dataset.licence}\n"
        f"  size:    {dataset.size}\n  tree:"
    )
    print(*(f"    {root}/{line}" for line in dataset.tree.splitlines()), sep="\n")
    try:
        with tempfile.TemporaryDirectory() as scratch:
            return _look(dataset, dataset.logs(root.absolute(), Path(scratch)), root)
    except (OSError, ValueError) as error:
        fault = str(error).partition(f"; expected {dataset.title} as\n")[0]
        print(f"  here:    not usable: {fault}")
        return [fault]


def _look(dataset: Dataset, logs: Sequence[Log], root: Path) -> list[str]:
    """Read the beginning of one log of each split; return what is missing there."""
    missing = list[str]()
    print(f"  here:    {root}: {len(logs)} logs")
    for split, group in groupby(sorted(logs, key=lambda log: log.split), lambda log: log.split):
        of_split = list(group)
        told, lacking = _early_clip(dataset, replace(of_split[0], frames_hz=_ANY_HZ))
        print(f"    {split}: {len(of_split)} logs; in {of_split[0].id}: {told}")
        missing += [f"{split}, {of_split[0].id}: {what}" for what in lacking]
    return missing


def _early_clip(dataset: Dataset, log: Log) -> tuple[str, list[str]]:
    """Say what the first clip with annotations holds, else the first, and what it lacks."""
    try:
        found = (item for item in dataset.clips(log) if isinstance(item, Clip))
        early = list(islice(found, _LOOKED_AT))
    except (OSError, ValueError) as error:
        return "not readable", [str(error)]
    if not early:
        return "no clip", ["no clip"] if log.split in dataset.splits else []
    seen = next((clip for clip in early if clip.observation.annotated), early[0]).observation
    faults = [f"{c.image}: {fault}" for c in seen.cameras if (fault := image_fault(c.image))]
    agents = (
        f"{len(seen.agents)} agents"
        if seen.annotated
        else (f"no annotation in its first {len(early)} keyframes")
    )
    told = f"{len(seen.cameras) - len(faults)} of {len(seen.cameras)} images, {agents}"
    return told, [f"{len(faults)} images, such as {faults[0]}"] if faults else []


COMMAND = Command("what is in data_raw, what is missing, where to get it", add_arguments, run)
