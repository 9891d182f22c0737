"""Answers to q7 about navsim's frames -> the file that navsim's evaluation reads."""

import argparse
import sys
from pathlib import Path

from impromptu.cli import Command
from impromptu.closed_loop import navsim_pickle
from impromptu.closed_loop.navsim_submission import POLICIES, collect, wanted_tokens
from impromptu.files import atomic_bytes, require_file_places, write_json

_SHOWN = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    add = parser.add_argument
    add("--gt", type=Path, required=True, metavar="FILE", help="true answers to q7, of navsim")
    add("--pred", type=Path, required=True, metavar="FILE", help="predictions")
    add("--out", type=Path, required=True, metavar="FILE", help="submission.pkl")
    tokens = "frames to submit: a scene filter of navsim (YAML), or a token a line [all]"
    add("--tokens", type=Path, metavar="FILE", help=tokens)
    unreadable = "what to submit for an answer that cannot be read, or is missing"
    add("--on_unreadable", choices=POLICIES, default=POLICIES[0], help=unreadable)
    add("--team_name", default="", metavar="TEXT", help="navsim's leaderboard asks [empty]")
    add("--authors", nargs="+", default=[], metavar="TEXT", help="likewise")
    for name in ("email", "institution", "country"):
        add(f"--{name}", default="", metavar="TEXT", help="likewise [empty]")


def run(args: argparse.Namespace) -> int:
    """Write both files; return 1 where a token is missing, for then navsim gives no result."""
    counts_path = args.out.with_name(f"{args.out.stem}.json")
    if counts_path == args.out:
        raise ValueError(f"--out {args.out}: that name is the counts'; name the pickle .pkl")
    inputs = {path.resolve() for path in (args.gt, args.pred, args.tokens) if path}
    for path in (args.out, counts_path):
        if path.resolve() in inputs:
            raise ValueError(f"--out {args.out}: {path} is read from; name another")
    require_file_places(args.out, counts_path)
    wanted = wanted_tokens(args.tokens) if args.tokens else None
    made = collect(args.gt, args.pred, args.on_unreadable, wanted)
    about = {
        "team_name": args.team_name,
        "authors": args.authors,
        "email": args.email,
        "institution": args.institution,
        "country / region": args.country,
    }
    with atomic_bytes(args.out) as file:
        file.write(navsim_pickle.dumps(about, made.poses))
    counts = made.counts()
    files = {name: str(getattr(args, name)) for name in ("gt", "pred")}
    write_json(counts_path, {**files, "on_unreadable": args.on_unreadable, **counts})
    for why in ("filled", "left_out"):
        for reason, count in counts[why].items():
            print(f"{why}: {count:,} ({reason})", file=sys.stderr)
    if made.not_asked:
        some = ", ".join(made.not_asked[:_SHOWN])
        print(f"no sample: {len(made.not_asked):,} tokens, first {some}", file=sys.stderr)
    if made.unwanted:
        print(f"not wanted: {made.unwanted:,} samples of other frames", file=sys.stderr)
    print(f"{args.out}: {len(made.poses):,} of {counts['asked']:,} asked; counts: {counts_path}")
    return int(not made.complete)


COMMAND = Command("answers to q7 -> a submission to navsim", add_arguments, run)
