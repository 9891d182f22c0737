"""``impromptu ncap run``: NeuroNCAP's evaluation, from starting its programs to the last run."""

import argparse
import signal
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from impromptu.cli import Command
from impromptu.cli._ncap_doctor import add_config, config_of, table
from impromptu.closed_loop import campaign
from impromptu.closed_loop.neuroncap.checks import checks
from impromptu.closed_loop.neuroncap.collecting import Ended
from impromptu.closed_loop.neuroncap.config import Config
from impromptu.closed_loop.neuroncap.lanes import WORK, evaluate, missing
from impromptu.files import alone
from impromptu.progress import track

_SAME = ("served_model_name", "views", "wording", "answers", "actions", "waypoint_frame")
"""What must not change between runs that are scored as one."""


def run(args: argparse.Namespace) -> int:
    """Drive what is missing; return 1 if runs are missing in the end."""
    config = config_of(args)
    if lost := [check for check in checks(config) if check.state == "missing"]:
        print(f"{table(lost)}\n\nnot started: {len(lost)} missing", file=sys.stderr)
        return 2
    campaign.open_folder(config.out, _about(config))
    with alone(config.out / WORK), _ended_by(signal.SIGTERM, signal.SIGHUP):
        wanted = missing(config)
        count = sum(map(len, wanted.values()))
        driven = evaluate(config, wanted) if wanted else iter(())
        ended = list(track(driven, count, "runs", "ncap"))
    return _tell(config, ended)


def _about(config: Config) -> dict[str, Any]:
    """Return who drives, and how: runs of something else do not go into the same folder."""
    about: dict[str, Any] = {"engine": config.engine, "driver": config.driver}
    if config.driver == "openai":
        told = {name: getattr(config, name) for name in (*_SAME, "on_unreadable")}
        about |= {name: None if value is None else str(value) for name, value in told.items()}
    return about | ({"model": str(config.model)} if config.serves_language else {})


@contextmanager
def _ended_by(*signals: signal.Signals) -> Iterator[None]:
    """Have signals end the command as an exception does, so that nothing stays running.

    One that is ignored stays so: nohup has SIGHUP ignored.
    """

    def end(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    heard = [one for one in signals if signal.getsignal(one) is not signal.SIG_IGN]
    before = {one: signal.signal(one, end) for one in heard}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _tell(config: Config, ended: Sequence[Ended]) -> int:
    why = defaultdict[tuple[str, str], list[int]](list)
    for one in ended:
        if one.failure:
            why[one.scenario, one.failure].append(one.run)
    failed = sum(map(len, why.values()))
    asked = len(config.chosen) * config.runs
    print(
        f"{config.out}: {asked} runs asked: {len(ended) - failed} driven, "
        f"{asked - len(ended)} were there, {failed} failed"
    )
    for (scenario, text), numbers in why.items():
        print(f"  {scenario}, run {', '.join(map(str, numbers))}: {text}")
    if failed:
        print("the same command again drives what is missing")
    print(f"score them: impromptu ncap score {config.out} --expect {config.runs}")
    return int(bool(failed))


PART = Command("run NeuroNCAP's evaluation: servers, renderers, engine, all", add_config, run)
