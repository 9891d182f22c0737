"""``impromptu miniature-teacher``: serve a stand-in for a teacher, to try annotate and curate."""

import argparse
import time
from pathlib import Path

from impromptu.chat_server import served
from impromptu.cli import Command
from impromptu.cli._parser import seed
from impromptu.miniature.teacher import MISTAKEN, MODEL, Teacher
from impromptu.miniature.truth import truths
from impromptu.miniature.unusual import Curator, plant


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    add = parser.add_argument
    add("--samples", type=Path, required=True, metavar="DIR", help="generated from miniatures")
    add("--port", type=int, default=8100, metavar="N", help="on 127.0.0.1; 0 is any free one")
    add("--seed", type=seed, default=0, metavar="N", help="of the miniatures, and what goes wrong")
    add("--latency_s", type=float, default=0.0, metavar="S", help="before every answer")


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted."""
    known = truths(args.samples, args.seed)
    curator = Curator(plant(known), MISTAKEN)
    teacher = Teacher(known, args.seed, latency_s=args.latency_s, curator=curator)
    with served(teacher, args.port) as url:
        print(f"model {MODEL} at {url}", flush=True)
        while True:
            time.sleep(3600)


COMMAND = Command(
    "serve a stand-in teacher of miniatures, for annotate and curate", add_arguments, run
)
