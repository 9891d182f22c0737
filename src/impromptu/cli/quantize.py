"""``impromptu quantize``: a checkpoint with 4-bit weights, for deployment."""

import argparse
import sys
from pathlib import Path

from impromptu.cli import Command
from impromptu.engines import Settings
from impromptu.quantization import choose, quantize
from impromptu.registry import load_samples


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags; those of samples and images are the flags of ``impromptu infer``."""
    add, defaults = parser.add_argument, Settings()
    add("--model_name_or_path", required=True, metavar="DIR", help="a trained checkpoint, merged")
    add(
        "--dataset",
        required=True,
        metavar="NAME[,NAME]",
        help="training samples to calibrate on: names in dataset_info.json",
    )
    add("--dataset_dir", type=Path, default=Path("data"), metavar="DIR", help="[%(default)s]")
    add("--media_dir", type=Path, metavar="DIR", help="images start here [dataset_dir]")
    add("--out", type=Path, required=True, metavar="DIR", help="the folder to write")
    add("--samples", type=int, default=256, metavar="N", help="drawn from them [%(default)s]")
    add("--seed", type=int, default=0, metavar="N", help="of the draw [%(default)s]")
    for flag in ("image_max_pixels", "image_min_pixels", "cutoff_len"):
        value = getattr(defaults, flag)
        add(f"--{flag}", type=int, default=value, metavar="N", help=f"as in training [{value}]")


def run(args: argparse.Namespace) -> int:
    """Quantize, and tell what it came to; return 1 if a sample could not be calibrated on."""
    if args.samples < 1:
        raise ValueError(f"--samples {args.samples}: expected at least 1")
    settings = Settings(
        model=args.model_name_or_path,
        media_dir=args.media_dir or args.dataset_dir,
        image_max_pixels=args.image_max_pixels,
        image_min_pixels=args.image_min_pixels,
        cutoff_len=args.cutoff_len,
    )
    samples = load_samples(args.dataset_dir, args.dataset.split(","))
    chosen = choose(samples, args.samples, args.seed)
    done = quantize(settings, chosen, args.out)
    for name, why in done.refused.items():
        print(f"not calibrated on {name}: {why}", file=sys.stderr)
    print(
        f"wrote {args.out}: {done.layers} layers in 4 bits, calibrated on "
        f"{len(chosen) - len(done.refused)} of {len(samples)} samples; weights "
        f"{done.bytes_before / 1e6:.1f} MB, now {done.bytes_after / 1e6:.1f} MB"
    )
    return int(bool(done.refused))


COMMAND = Command("4-bit weights (AWQ) of a trained checkpoint", add_arguments, run)
