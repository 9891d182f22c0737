"""Have a model mark free-text answers against the true ones."""

import argparse
import os
from contextlib import contextmanager
from pathlib import Path

from impromptu.answer_files import join
from impromptu.answer_pairs import Pair, task_of
from impromptu.cli import Command
from impromptu.cli._parser import seed
from impromptu.files import require_file_places, write_json
from impromptu.judging import BEST, Judge, endpoint, judge

_TASKS = ("q3", "q5")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    parser.add_argument("--gt", type=Path, required=True, metavar="FILE", help="true answers")
    parser.add_argument("--pred", type=Path, required=True, metavar="FILE", help="predictions")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the marks, JSON")
    parser.add_argument(
        "--base_url",
        required=True,
        metavar="URL",
        help="OpenAI-compatible endpoint, http://host:port/v1",
    )
    parser.add_argument("--model", required=True, metavar="NAME", help="as the endpoint calls it")
    parser.add_argument(
        "--api_key_env",
        default="OPENAI_API_KEY",
        metavar="NAME",
        help="environment variable with the key; a local server needs none",
    )
    parser.add_argument("--repeats", type=int, default=3, metavar="N", help="marks an answer")
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="of the first mark")
    parser.add_argument("--concurrency", type=int, default=4, metavar="N", help="requests at once")
    parser.add_argument(
        "--task", choices=_TASKS, help="of files whose names do not tell [their names]"
    )


def run(args: argparse.Namespace) -> int:
    """Mark, save, show; return 1 where an answer has no mark."""
    task = args.task or task_of(args.gt)
    if task not in _TASKS:
        raise ValueError(f"{args.gt}: {task} is scored by `impromptu evaluate`; a judge marks text")
    for flag in ("repeats", "concurrency"):
        if (value := getattr(args, flag)) < 1:
            raise ValueError(f"--{flag} {value}: expected at least 1")
    by = Judge(args.model, args.base_url, args.seed, args.repeats, concurrency=args.concurrency)
    require_file_places(args.out)
    joined = join(Pair(task, args.gt, args.pred))
    with contextmanager(endpoint)(by, os.environ.get(args.api_key_env, "none")) as ask:
        result = judge(joined, by, ask)
    write_json(args.out, result)
    print(
        f"{task}: {result['asked']} asked, {result['answered']} answered, {result['marked']} marked"
    )
    for fault, count in result["marks_lost"].items():
        print(f"  {count} marks lost: {fault}")
    figures = result["figures"]
    if figures["mark"] is not None:
        print(f"  mark {figures['mark']:.2f} of {BEST}, by {by.model}")
    if figures["same_mark_rate"] is not None:
        print(
            f"  the judge gave the same mark again in {figures['same_mark_rate']:.0%} of pairs, "
            f"off by {figures['mark_difference']:.2f} on average"
        )
    print(f"marks: {args.out}")
    return int(result["marked"] < result["asked"])


COMMAND = Command(
    summary="have a judge model mark free-text answers (q3, q5)",
    add_arguments=add_arguments,
    run=run,
)
