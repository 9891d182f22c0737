"""``impromptu fetch``: bring published data or weights to where the other commands look."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from impromptu.cli import Command
from impromptu.fetching import File, Listing, fetch, listing
from impromptu.files import require_writable
from impromptu.plugins import did_you_mean
from impromptu.releases import RELEASES, Release

_SHOWN = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    width = max(len(one.name) for one in RELEASES)
    parser.epilog = "names:\n" + "\n".join(
        f"  {one.name:<{width}}  {one.about} -> {one.folder}" for one in RELEASES
    )
    parser.add_argument("names", nargs="+", metavar="NAME", help="what to fetch; see below")
    parser.add_argument(
        "--out", type=Path, default=Path(), metavar="DIR", help="folders start here"
    )
    parser.add_argument("--revision", default="main", metavar="REV", help="branch, tag or commit")
    parser.add_argument(
        "--include",
        nargs="+",
        default=[],
        metavar="GLOB",
        help="only files that match [of weights: what loading takes; of the dataset: all]",
    )
    parser.add_argument("--dry_run", action="store_true", help="only tell files and sizes")


def run(args: argparse.Namespace) -> int:
    """Fetch one after the other; return 1 if a file did not come."""
    releases = [_release(name) for name in args.names]
    if not args.dry_run:
        require_writable(args.out)
    failed = False
    for release in releases:
        found = listing(release, args.revision, args.include)
        folder = args.out / release.folder
        print(f"{release.name}: {_total(found.wanted)} of {release.repo} at {found.commit[:12]}")
        _tell_others(found)
        if args.dry_run:
            for file in found.wanted:
                print(f"  {file.path}  {_size(file.size)}")
            continue
        outcome = fetch(release, found, folder)
        print(f"{folder}: {outcome.fetched} files came, {outcome.had} were there already")
        for path, why in outcome.failed.items():
            print(f"{path}: {why}", file=sys.stderr)
        failed |= bool(outcome.failed)
    return int(failed)


def _release(name: str) -> Release:
    by_name = {one.name: one for one in RELEASES}
    if name not in by_name:
        hint = did_you_mean(name, by_name)
        raise KeyError(
            f"nothing published is called {name!r}; there are {', '.join(by_name)}.{hint}"
        )
    return by_name[name]


def _tell_others(found: Listing) -> None:
    if found.others:
        named = ", ".join(file.path for file in found.others[:_SHOWN])
        more = ", ..." if len(found.others) > _SHOWN else ""
        print(f"  left out: {_total(found.others)} ({named}{more}); --include takes others")


def _total(files: Sequence[File]) -> str:
    return f"{len(files)} files, {_size(sum(file.size for file in files))}"


def _size(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e8 else f"{count / 1e6:.2f} MB"


COMMAND = Command("bring published data or weights here, resumed and checked", add_arguments, run)
