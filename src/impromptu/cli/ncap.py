"""The closed loop: drive scenarios, and score what came of it."""

import argparse

from impromptu.cli import Command, _ncap_doctor, _ncap_run, _ncap_score, _ncap_sim, _ncap_video

_PARTS = {
    "doctor": _ncap_doctor.PART,
    "run": _ncap_run.PART,
    "score": _ncap_score.PART,
    "sim": _ncap_sim.PART,
    "video": _ncap_video.PART,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the parts, each with its flags."""
    parts = parser.add_subparsers(required=True, metavar="part", dest="part")
    for name, part in _PARTS.items():
        part.add_arguments(parts.add_parser(name, help=part.summary, description=part.summary))


def run(args: argparse.Namespace) -> int:
    """Do one part."""
    return _PARTS[args.part].run(args)


COMMAND = Command(
    "the closed loop: drive scenarios (run, sim), score and film them", add_arguments, run
)
