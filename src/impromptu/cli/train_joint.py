"""``impromptu train-joint``: LLaMA-Factory's training, with waypoints in its loss."""

import argparse
from pathlib import Path

from impromptu.cli import Command


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("yaml", type=Path, metavar="TRAIN.yaml", help="as for llamafactory-cli train")
    told = "in place of the YAML's; joint_loss_weight=W adds W times the mean distance in m [0]"
    add("overrides", nargs="*", default=[], metavar="key=value", help=told)


def _run(args: argparse.Namespace) -> int:
    from impromptu.joint_training import train

    for override in args.overrides:
        if "=" not in override:
            raise ValueError(f"{override!r}: expected key=value")
    train(args.yaml, args.overrides)
    return 0


COMMAND = Command("train an action-token model with waypoints in its loss", _add_arguments, _run)
