"""An MP4, or a folder of images such as NeuroNCAP's engine leaves, made into a GIF."""

import argparse
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from impromptu.cli import Command
from impromptu.files import require_file_places
from impromptu.moving_pictures import folder_frames, palette_of, video_frames, write_gif


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    add = parser.add_argument
    add("source", type=Path, metavar="SOURCE", help="an MP4, or a folder of JPEG or PNG images")
    add("out", type=Path, metavar="OUT", help="the GIF to write")
    add("--fps", type=float, metavar="HZ", help="images a second [an MP4: 10, a folder: 2]")
    add("--width", type=int, default=960, metavar="PX", help="at most so wide")


def run(args: argparse.Namespace) -> int:
    """Convert."""
    if args.fps is not None and not 0.1 <= args.fps <= 50:
        raise ValueError(f"--fps {args.fps:g}: a GIF shows from 0.1 to 50 images a second")
    if args.width < 1:
        raise ValueError(f"--width {args.width}: expected 1 or more")
    if args.out.suffix.lower() != ".gif":
        raise ValueError(f"{args.out}: expected a name that ends in .gif")
    if not args.source.exists():
        raise FileNotFoundError(f"{args.source}: no such video, nor folder of images")
    require_file_places(args.out)
    hz = args.fps or (2.0 if args.source.is_dir() else 10.0)
    every_ms = round(1000 / hz)
    # Colours are chosen in a first reading; frames are not kept.
    palette = palette_of(_frames(args, hz))
    count = write_gif(args.out, _frames(args, hz), palette, every_ms, max(every_ms, 1000))
    print(f"{args.out}: {count} images at {hz:g} a second, {args.out.stat().st_size:,} bytes")
    return 0


def _frames(args: argparse.Namespace, hz: float) -> Iterator[Image.Image]:
    if args.source.is_dir():
        return folder_frames(args.source, args.width)
    return video_frames(args.source, hz, args.width)


COMMAND = Command("an MP4 or a folder of images as a GIF", add_arguments, run)
