"""Who drives in a closed loop, as the flags of every simulator's server say."""

import argparse
import sys
from pathlib import Path
from typing import get_args

from impromptu.action_tokens import load_codebook
from impromptu.answer_forms import Answers, Form
from impromptu.closed_loop.driver import Driver, Model, Rule
from impromptu.closed_loop.plans import BASELINES, OnUnreadable
from impromptu.closed_loop.prompting import Frame, Views, asked
from impromptu.engines import Decoding, Settings
from impromptu.engines.openai import connect
from impromptu.preset import STRICT
from impromptu.wording import load_wording

RETRIES = 2
"""Of one request to the model's server, within the time for one step."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags that every simulator's server has."""
    add = parser.add_argument
    rules = ", ".join(BASELINES)
    add(
        "--engine",
        choices=("openai", *BASELINES),
        default="openai",
        help=f"who drives: a model behind a server, or a rule without any ({rules})",
    )
    add("--base_url", metavar="URL", help="the model's server, http://host:port/v1")
    add("--model", metavar="NAME", help="what that server calls the model")
    add("--host", default="127.0.0.1", metavar="HOST", help="another lets others in")
    views = "what the model was trained on: front (planning) or front3 (q7)"
    add("--views", choices=get_args(Views), default="front", help=views)
    add("--wording", type=Path, metavar="FILE", help="sentences of the training, if its own")
    add("--answers", choices=get_args(Answers), default="fast", help="as in training")
    add("--actions", type=Path, metavar="FILE", help="codebook of the training's action tokens")
    frame = "frame of the answers [lidar for front, ego for front3, as in training]"
    add("--waypoint_frame", choices=get_args(Frame), help=frame)
    unreadable = "what to drive when an answer cannot be read"
    add("--on_unreadable", choices=get_args(OnUnreadable), default="fail", help=unreadable)
    add("--trace", type=Path, default=Path("trace.jsonl"), metavar="FILE", help="a line a step")
    plain = Settings()
    for side in ("max", "min"):
        name = f"image_{side}_pixels"
        pixels = getattr(plain, name)
        add(f"--{name}", type=int, default=pixels, metavar="N", help="as in training")
    add("--max_new_tokens", type=int, default=512, metavar="N", help="the longest answer")
    add("--seed", type=int, default=0, metavar="N", help="told to the model's server")
    add("--timeout_s", type=float, default=60.0, metavar="N", help="seconds for one answer")
    key = "environment variable that holds the server's key"
    add("--api_key_env", default=plain.api_key_env, metavar="NAME", help=key)


def driver_of(args: argparse.Namespace) -> Driver:
    """Return who drives.

    Raises:
        ValueError: A flag is missing, or asks for what cannot be.
    """
    if args.engine != "openai":
        _tell_unused(args)
        return Rule(BASELINES[args.engine])
    for flag in ("base_url", "model"):
        if not getattr(args, flag):
            raise ValueError(f"the engine 'openai' needs --{flag}; {', '.join(BASELINES)} do not")
    if min(args.timeout_s, args.max_new_tokens, args.image_min_pixels, args.image_max_pixels) <= 0:
        raise ValueError("--timeout_s, --max_new_tokens and --image_*_pixels: expected above 0")
    form = Form(args.answers, load_codebook(args.actions) if args.actions else None)
    settings = Settings(
        model=args.model,
        base_url=args.base_url,
        image_max_pixels=args.image_max_pixels,
        image_min_pixels=args.image_min_pixels,
        decoding=Decoding(max_new_tokens=args.max_new_tokens, seed=args.seed),
        api_key_env=args.api_key_env,
        timeout_s=args.timeout_s,
    )
    question = asked(args.views, args.waypoint_frame, load_wording(args.wording, STRICT), form)
    return Model(question, connect(settings, RETRIES), settings, args.on_unreadable)


def _tell_unused(args: argparse.Namespace) -> None:
    flags = ("base_url", "model", "wording", "actions", "waypoint_frame")
    if given := ", ".join(f"--{flag}" for flag in flags if getattr(args, flag) is not None):
        print(f"note: no effect on the engine {args.engine!r}: {given}", file=sys.stderr)
