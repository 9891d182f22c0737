"""``impromptu train-ego-mlp``: the baseline network that sees the numbers and no image."""

import argparse
from pathlib import Path

from impromptu.cli import Command
from impromptu.cli._parser import seed
from impromptu.files import require_writable
from impromptu.registry import load_samples


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags; the first two are those of ``impromptu infer``."""
    add = parser.add_argument
    add("--dataset", required=True, metavar="NAME[,NAME]", help="names in dataset_info.json")
    add("--dataset_dir", type=Path, default=Path("data"), metavar="DIR", help="where that is")
    add("--out", type=Path, required=True, metavar="DIR", help="the folder to write")
    add("--seed", type=seed, default=0, metavar="N", help="the same seed, the same bytes")
    add("--steps", type=int, default=1_000, metavar="N", help="batches to learn from")


def run(args: argparse.Namespace) -> int:
    """Train it and tell what it learnt from."""
    from impromptu.ego_training import train

    if args.steps < 1:
        raise ValueError(f"--steps {args.steps}: expected at least 1")
    samples = load_samples(args.dataset_dir, args.dataset.split(","))
    require_writable(args.out)
    done = train(samples, args.out, args.seed, args.steps)
    left_out = "".join(f", {count} {reason}" for reason, count in done.left_out.items())
    print(f"wrote {args.out}: learnt from {done.used} of {len(samples)} samples{left_out}")
    print(f"mean error on those very samples: {done.error_m:.3f} m")
    return 0


COMMAND = Command("train the ego-status baseline, in seconds on a CPU", add_arguments, run)
