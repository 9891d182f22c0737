"""``impromptu tiny-model``: a tiny random-weight Qwen2.5-VL to try training with."""

import argparse
from pathlib import Path

from impromptu.cli import Command
from impromptu.cli._parser import seed
from impromptu.files import require_writable


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="the checkpoint folder to write"
    )
    parser.add_argument(
        "--seed", type=seed, default=0, metavar="N", help="the same seed, the same bytes"
    )


def _run(args: argparse.Namespace) -> int:
    from impromptu.tiny_model import build

    require_writable(args.out.parent)
    print(f"wrote {build(args.out, args.seed)}")
    return 0


COMMAND = Command("build a tiny random-weight Qwen2.5-VL checkpoint", _add_arguments, _run)
