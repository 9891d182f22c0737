"""``impromptu add-actions``: a checkpoint that knows the tokens of a codebook."""

import argparse
from pathlib import Path

from impromptu.action_tokens import load_codebook
from impromptu.cli import Command


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--model_name_or_path", required=True, metavar="MODEL", help="checkpoint folder or hub name"
    )
    add("--actions", type=Path, required=True, metavar="FILE", help="of impromptu fit-actions")
    add("--out", type=Path, required=True, metavar="DIR", help="the checkpoint folder to write")


def _run(args: argparse.Namespace) -> int:
    from impromptu.action_checkpoint import add_actions

    codebook = load_codebook(args.actions)
    rows = add_actions(args.model_name_or_path, codebook, args.out)
    grown = f"{rows} rows more" if rows else "in rows that were to spare"
    print(f"wrote {args.out}: {len(codebook.tokens)} action tokens, {grown}")
    return 0


COMMAND = Command("add action tokens to a checkpoint", _add_arguments, _run)
