"""``impromptu ncap sim``: drive the twenty scenarios without a GPU."""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

from impromptu.cli import Command
from impromptu.cli._parser import require_at_least_1
from impromptu.closed_loop import campaign, client, scenarios
from impromptu.closed_loop.camera import SIZES_PX, Cameras
from impromptu.closed_loop.campaign import Ended, Job
from impromptu.closed_loop.drivers import DRIVERS
from impromptu.progress import track


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    add = parser.add_argument
    add("--out", type=Path, required=True, metavar="RUNS", help="folder of runs; goes on in it")
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument(
        "--server", metavar="URL", help="a model server, such as http://127.0.0.1:8000"
    )
    who.add_argument("--driver", choices=tuple(DRIVERS), help="a planner without a model")
    add(
        "--scenarios",
        nargs="+",
        default=["all"],
        metavar="NAME",
        help="or a category [all]",
    )
    add("--runs", type=int, default=5, metavar="N", help="of each scenario; a run is its own seed")
    add("--render", action="store_true", help="draw what the server's cameras see, else blank")
    add("--size", choices=tuple(SIZES_PX), default="1600x900", help="of the drawn pictures")
    add("--workers", type=int, default=4, metavar="N", help="runs driven at once by a server")
    add("--timeout_s", type=float, default=60.0, metavar="S", help="for each reply of a server")


def run(args: argparse.Namespace) -> int:
    """Drive; return 1 if a run failed."""
    require_at_least_1(args, "runs", "workers")
    if not args.timeout_s > 0:
        raise ValueError(f"--timeout_s {args.timeout_s:g}: expected more than 0")
    if args.driver and args.render:
        raise ValueError("--render goes with --server; a --driver looks at no picture")
    chosen = scenarios.chosen(args.scenarios, scenarios.load())
    if args.driver:
        drive = _by_driver
        about = {"driver": args.driver}
    else:
        drive = _by_server
        about = {"server": args.server, "pictures": args.size if args.render else "blank"}
        client.views(client.Address(args.server, args.timeout_s))
    campaign.open_folder(args.out, about)
    jobs = campaign.waiting(args.out, chosen, args.runs)
    began_s = time.monotonic()
    ended = list(track(drive(args, jobs), len(jobs), "runs", "sim"))
    return _tell(args, ended, len(chosen) * args.runs, time.monotonic() - began_s)


def _by_driver(args: argparse.Namespace, jobs: list[Job]) -> Iterator[Ended]:
    return campaign.in_process(jobs, args.out, args.driver, DRIVERS[args.driver])


def _by_server(args: argparse.Namespace, jobs: list[Job]) -> Iterator[Ended]:
    address = client.Address(args.server, args.timeout_s)
    views = client.views(address) if args.render else []
    served = client.Served(address, Cameras(SIZES_PX[args.size]), views)
    return campaign.in_parallel(jobs, args.out, args.server, served, args.workers)


def _tell(args: argparse.Namespace, ended: list[Ended], asked: int, took_s: float) -> int:
    steps = sum(one.steps for one in ended)
    failed = campaign.told(ended)
    print(
        f"{args.out}: {asked} runs asked: {len(ended) - failed.total()} driven, "
        f"{asked - len(ended)} were there, {failed.total()} failed; "
        f"{steps} half seconds in {took_s:.1f} s"
    )
    for why, count in failed.most_common(5):
        print(f"  {count} x {why}")
    print(f"score them: impromptu ncap score {args.out}")
    return int(bool(failed))


PART = Command("drive the twenty scenarios in the mini-simulator", add_arguments, run)
