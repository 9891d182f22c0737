"""The nuScenes planning samples as two files at the repository's root."""

import argparse
import os
import shutil
import tempfile
from pathlib import Path

from impromptu.cli import Command
from impromptu.files import require_writable
from impromptu.generation import generate
from impromptu.part import Recipe

FILES = {"train": "nuscenes_train.json", "val": "nuscenes_test.json"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    add = parser.add_argument
    add("--data_raw", type=Path, default=Path("data_raw"), metavar="DIR", help="holds nuscenes/")
    add("--root", type=Path, default=Path(), metavar="DIR", help="where the files go")
    absent = "samples whose images are not there"
    add("--missing_images", choices=("drop", "keep"), default="drop", help=absent)
    add("--workers", type=int, default=os.cpu_count() or 1, metavar="N", help="logs at once")


def run(args: argparse.Namespace) -> int:
    """Write both files; image paths are relative to ``data/``, where the registry is."""
    if args.workers < 1:
        raise ValueError(f"--workers {args.workers}: expected at least 1")
    require_writable(args.root)
    recipe = Recipe(("nuscenes_planning",), missing_images=args.missing_images)
    with tempfile.TemporaryDirectory(dir=args.root, prefix=".nuscenes_json.") as work:
        result = generate(
            args.data_raw,
            Path(work),
            ["nuscenes"],
            list(FILES),
            recipe,
            args.workers,
            base=args.root / "data",
        )
        for split, name in FILES.items():
            made = Path(work) / f"nuscenes_planning_{split}.json"
            if not made.exists():
                raise ValueError(f"{args.data_raw}: no planning sample of split {split} came out")
            shutil.move(made, args.root / name)
    for log, error in result.failed:
        print(f"skipped {log}: {error}")
    counts = ", ".join(f"{number:,} in {path.name}" for path, number in result.files)
    dropped = ", ".join(f"{number:,} {reason}" for reason, number in result.dropped.most_common())
    print(f"{counts}, now {' and '.join(FILES.values())}; not made: {dropped or 'none'}")
    return 0


COMMAND = Command("nuscenes_train.json and nuscenes_test.json", add_arguments, run)
