"""Mapillary SLS: a folder of numbered links for each sub-scene, to look at it in order."""

import argparse
import os
from collections import Counter
from pathlib import Path

from impromptu.cli import Command
from impromptu.datasets import LogError, not_found
from impromptu.datasets._mapillary_scenes import Scene, folders, read_scenes
from impromptu.datasets.mapillary_sls import DATASET


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    parser.add_argument(
        "--data_raw", type=Path, default=Path("data_raw"), metavar="DIR", help="holds the datasets"
    )


def run(args: argparse.Namespace) -> int:
    """Link the images of every sub-scene; return 1 if a folder could not be read.

    Links are ``<city>/<subset>/simages/<sequence>-<first frame number>/000.jpg`` and so on; the
    number of an image that is missing is left out. The test split is not cut: it has no positions.
    """
    root = args.data_raw / DATASET.home
    if not (posed := folders(root, "train_val")):
        raise not_found(DATASET, root, "no train_val/<city>/query or database is here")
    failed = 0
    for folder in posed:
        try:
            scenes = read_scenes(folder)
        except LogError as error:
            print(f"skipped {folder}: {error}")
            failed += 1
            continue
        done = Counter(word for scene in scenes.values() for word in _link(folder, scene))
        counts = ", ".join(f"{done[word]:,} {word}" for word in ("linked", "already", "missing"))
        print(f"{folder}: {len(scenes):,} sub-scenes; images: {counts}")
    return int(failed > 0)


def _link(folder: Path, scene: Scene) -> list[str]:
    """Link one sub-scene's images; say of each whether it was linked, already, or is missing."""
    keys = [key for key, placed in zip(scene.keys, scene.placed, strict=True) if placed]
    place, digits = folder / "simages" / scene.name, max(3, len(str(len(keys) - 1)))
    words = []
    for number, key in enumerate(keys):
        if not (folder / "images" / f"{key}.jpg").is_file():
            words.append("missing")
            continue
        words.append(_link_one(place / f"{number:0{digits}d}.jpg", f"../../images/{key}.jpg"))
    return words


def _link_one(link: Path, target: str) -> str:
    link.parent.mkdir(parents=True, exist_ok=True)
    try:
        link.symlink_to(target)
    except FileExistsError:
        if link.is_symlink() and os.readlink(link) == target:
            return "already"
        raise FileExistsError(
            f"{link}: expected nothing here, or a link to {target}; the images were cut another "
            f"way: remove {link.parents[1]} and run this again"
        ) from None
    return "linked"


COMMAND = Command("Mapillary SLS: links to the images of each sub-scene", add_arguments, run)
