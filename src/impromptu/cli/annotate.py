"""``impromptu annotate``: have a teacher model answer what no log tells (q3, q4, q5)."""

import argparse
import sys
from math import inf
from pathlib import Path

from impromptu.annotation import FOLDER, Annotated, Teacher, annotate
from impromptu.annotation.prompts import TASKS
from impromptu.annotation.writing import AGREEMENT
from impromptu.asking import Outcome, Spending
from impromptu.cli import Command
from impromptu.cli._parser import require_at_least_1, require_key, seed
from impromptu.engines import Decoding, Settings
from impromptu.engines.openai import RETRIES

_SEVERAL_AT = 0.7
"""Temperature at which a prompt is asked several times, unless told."""
_AT_LEAST_1 = "concurrency", "budget_tokens", "repeats", "max_new_tokens", "image_max_pixels"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    add, of, plain = parser.add_argument, Settings(), Decoding()
    add("--samples", type=Path, required=True, metavar="DIR", help="what generation wrote")
    add("--base_url", required=True, metavar="URL", help="the server, http://host:port/v1")
    add("--model", required=True, metavar="NAME", help="what the server calls its model")
    add(
        "--api_key_env",
        metavar="NAME",
        help=f"environment variable that holds the server's key [{of.api_key_env}, if it is set]",
    )
    add("--datasets", nargs="+", default=[], metavar="NAME", help="of these alone [all]")
    add("--questions", nargs="+", default=[*TASKS], choices=TASKS, help=f"[{' '.join(TASKS)}]")
    add("--concurrency", type=int, default=of.concurrency, metavar="N", help="asked at once")
    add("--max_retries", type=int, default=RETRIES, metavar="N", help="of one request")
    add("--timeout_s", type=float, default=of.timeout_s, metavar="S", help="for one answer")
    add("--budget_tokens", type=int, metavar="N", help="ask no more when so many are used [none]")
    for way in ("in", "out"):
        what = f"of a million tokens {way}, to tell the cost"
        add(f"--price_{way}", type=float, default=0.0, metavar="X", help=what)
    add("--repeats", type=int, default=1, metavar="K", help="times each prompt is asked")
    add(
        "--temperature",
        type=float,
        metavar="X",
        help=f"0 is greedy [{plain.temperature:g}; {_SEVERAL_AT} where --repeats is over 1]",
    )
    add("--max_new_tokens", type=int, default=plain.max_new_tokens, metavar="N", help="an answer's")
    add("--seed", type=seed, default=plain.seed, metavar="N", help="of sampling")
    add(
        "--image_max_pixels",
        type=int,
        default=of.image_max_pixels,
        metavar="N",
        help="image budget, as in training",
    )
    add(
        "--teacher",
        default="",
        metavar="NAME",
        help=f"its folder in DIR/{FOLDER} [from the model's name]",
    )


def run(args: argparse.Namespace) -> int:
    """Ask, write, tell; return 1 where a prompt is left without an answer."""
    _refuse(args)
    spending = Spending(args.budget_tokens, args.price_in, args.price_out)
    result = annotate(args.samples, _teacher(args), spending, args.datasets, args.questions)
    _tell(result.outcome)
    print(_summary(result))
    for whom, tasks in result.written.figures().items():
        for task, figures in tasks.items():
            told = ", ".join(f"{name} {_number(value)}" for name, value in figures.items())
            print(f"  {task}, agreement with {whom}: {told}")
    place = args.samples / FOLDER / _teacher(args).folder
    print(f"replies: {place}; agreement: {place / AGREEMENT}")
    return int(bool(result.written.dropped))


def _refuse(args: argparse.Namespace) -> None:
    """Raise a ``ValueError`` for a value that cannot be."""
    require_at_least_1(args, *_AT_LEAST_1)
    for flag in ("max_retries", "price_in", "price_out"):
        if (value := getattr(args, flag)) < 0:
            raise ValueError(f"--{flag} {value}: expected 0 or more")
    if args.timeout_s <= 0:
        raise ValueError(f"--timeout_s {args.timeout_s:g}: expected more than 0")
    if args.teacher and (Path(args.teacher).name != args.teacher or args.teacher.startswith(".")):
        raise ValueError(f"--teacher {args.teacher}: expected the name of a folder")
    require_key(args.api_key_env)
    if args.temperature is not None and not 0 <= args.temperature < inf:
        raise ValueError(f"--temperature {args.temperature:g}: expected 0 or more")
    if args.repeats > 1 and args.temperature == 0:
        raise ValueError(
            f"--repeats {args.repeats} at --temperature 0: greedy answers would all be the same; "
            "expected more than 0"
        )


def _teacher(args: argparse.Namespace) -> Teacher:
    temperature = args.temperature
    if temperature is None:
        temperature = _SEVERAL_AT if args.repeats > 1 else 0.0
    decoding = Decoding(temperature, max_new_tokens=args.max_new_tokens, seed=args.seed)
    settings = Settings(
        model=args.model,
        base_url=args.base_url,
        api_key_env=args.api_key_env or Settings().api_key_env,
        concurrency=args.concurrency,
        timeout_s=args.timeout_s,
        image_max_pixels=args.image_max_pixels,
        decoding=decoding,
    )
    return Teacher(settings, args.teacher, args.repeats, args.max_retries)


def _tell(outcome: Outcome) -> None:
    """Print what was rejected, where it is in the way of no output."""
    for reason, count in outcome.rejected.most_common():
        print(f"{count} {reason}, the first: {outcome.problems[reason]}", file=sys.stderr)
    if outcome.elsewhere:
        told = f"{outcome.elsewhere} requests are being asked by another run"
        print(told, file=sys.stderr)
    if outcome.unasked:
        print(f"{outcome.unasked} requests were not asked: the budget is used up", file=sys.stderr)


def _summary(result: Annotated) -> str:
    written, outcome = result.written, result.outcome
    why = ", ".join(f"{count:,} {reason}" for reason, count in sorted(written.dropped.items()))
    return (
        f"{sum(written.samples.values()):,} samples; without an answer: {why or 'none'}. "
        f"This run: {outcome.accepted:,} answers, {outcome}; {outcome.known:,} were there already"
    )


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)


COMMAND = Command("have a teacher model answer q3, q4 and q5, resumably", add_arguments, run)
