"""``impromptu fit-actions``: choose the action tokens that waypoints are written with."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from impromptu import action_fitting, action_tokens
from impromptu.action_fitting import Paths, read_paths
from impromptu.action_tokens import Codebook, Kind
from impromptu.cli import Command
from impromptu.registry import load_samples

_NAMES = "NAME[,NAME]"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags; the first two are those of ``impromptu infer``."""
    add = parser.add_argument
    add("--dataset", required=True, metavar=_NAMES, help="training samples, of q7 or planning")
    add("--dataset_dir", type=Path, default=Path("data"), metavar="DIR", help="[%(default)s]")
    add("--kind", choices=get_args(Kind), default="uniform", help="[%(default)s]")
    add("--bins", type=int, default=128, metavar="N", help="most tokens an axis [%(default)s]")
    reach = "tokens reach at least this speed [that of the samples]"
    add("--fastest_mps", type=float, default=0.0, metavar="V", help=reach)
    add("--held_out", metavar=_NAMES, help="other samples to measure the error on [none]")
    add("--out", type=Path, default=Path("actions.json"), metavar="FILE", help="[%(default)s]")


def run(args: argparse.Namespace) -> int:
    """Fit, write, and tell how far off waypoints come out."""
    fitted = read_paths(load_samples(args.dataset_dir, args.dataset.split(",")))
    codebook = action_tokens.fit(fitted.steps_m(), args.kind, args.bins, args.fastest_mps)
    origin = {"dataset": args.dataset, "samples": len(fitted.xy_m), "left_out": fitted.left_out}
    action_tokens.save_codebook(args.out, codebook, {"fitted_to": origin})
    print(f"wrote {args.out}: {len(codebook.x_cm)} tokens along x, {len(codebook.y_cm)} along y")
    told = [("fitted to", fitted)]
    if args.held_out:
        samples = load_samples(args.dataset_dir, args.held_out.split(","))
        told.append(("held out", read_paths(samples)))
    for name, paths in told:
        left_out = "".join(f", {count} {reason}" for reason, count in paths.left_out.items())
        print(f"{name}: {len(paths.xy_m)} samples{left_out}")
        if paths.xy_m:
            print("\n".join(_lines(codebook, paths)))
    x_m, y_m = codebook.bound_m
    print(f"no waypoint that is not clipped is further off than {x_m:.3f} m in x, {y_m:.3f} m in y")
    return 0


def _lines(codebook: Codebook, paths: Paths) -> Iterator[str]:
    for title, tracking in (("as written", True), ("were each step taken for itself", False)):
        error = action_fitting.measure(codebook, paths, tracking)
        at = ", ".join(
            f"{time_s:g} s {mean_m:.3f} ({error.max_m[time_s]:.2f})"
            for time_s, mean_m in error.mean_m.items()
        )
        yield f"  {title}, mean (max) error in m at {at}"
    yield f"  clipped: {action_fitting.clipped(codebook, paths)}"


COMMAND = Command("choose the action tokens of waypoints", add_arguments, run)
