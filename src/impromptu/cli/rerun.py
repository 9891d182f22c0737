"""One clip as a recording for the Rerun viewer."""

import argparse
import tempfile
from pathlib import Path

from impromptu.cli import Command
from impromptu.clip_lookup import ClipReader
from impromptu.explorer.sources import run_files
from impromptu.files import require_file_places
from impromptu.rerun_export import export, predictions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    add = parser.add_argument
    add("clip_id", metavar="CLIP_ID", help="<dataset>/<log>/<keyframe>, as sample ids begin")
    add("--data_raw", type=Path, default=Path("data_raw"), metavar="DIR", help="holds the datasets")
    add("--out", type=Path, required=True, metavar="FILE.rrd", help="the recording")
    more = "answers whose paths to draw: .jsonl files, or folders of them [none]"
    add("--predictions", type=Path, nargs="+", default=[], metavar="PATH", help=more)


def run(args: argparse.Namespace) -> int:
    """Read the clip again from its log, and write it."""
    require_file_places(args.out)
    runs = run_files(args.predictions)
    with tempfile.TemporaryDirectory() as scratch:
        clip = ClipReader(args.data_raw, Path(scratch)).read(args.clip_id)
    predicted = predictions(clip, runs)
    export(clip, predicted, args.out)
    told = f", {len(predicted)} predicted paths" if runs else ""
    print(f"{args.out}: {clip.id}{told}; open it with: rerun {args.out}")
    return 0


COMMAND = Command("one clip as a recording for the Rerun viewer", add_arguments, run)
