"""``impromptu alpasim-driver``: drive in AlpaSim, with a model's plans or by a rule."""

import argparse
import asyncio
from contextlib import suppress

from impromptu.cli import Command, _driver
from impromptu.closed_loop.alpasim import CAMERAS, listen
from impromptu.closed_loop.server import Server
from impromptu.closed_loop.trace import Trace


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    _driver.add_arguments(parser)
    add = parser.add_argument
    add("--port", type=int, default=50051, metavar="P", help="where to listen; 0: a free one")
    usual = ", ".join(f"{ours}={theirs}" for ours, theirs in CAMERAS.items())
    text = f"AlpaSim's names of the cameras to look at [{usual}]"
    add("--cameras", nargs="+", type=_camera, default=[], metavar="OURS=ITS", help=text)


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted."""
    if not 0 <= args.port < 1 << 16:
        raise ValueError(f"--port {args.port}: expected 0 to 65535; 0 takes a free one")
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(args, Server(_driver.driver_of(args), Trace(args.trace))))
    return 0


async def _serve(args: argparse.Namespace, server: Server) -> None:
    site, port = await listen(server, CAMERAS | dict(args.cameras), args.host, args.port)
    try:
        address = f"{args.host}:{port}"
        print(f"{address} {args.engine}, trace in {args.trace}; Ctrl+C ends it", flush=True)
        await site.wait_for_termination()
    finally:
        await site.stop(None)


def _camera(word: str) -> tuple[str, str]:
    ours, _, theirs = word.partition("=")
    if ours not in CAMERAS or not theirs:
        raise argparse.ArgumentTypeError(
            f"expected one of {', '.join(CAMERAS)}, '=' and AlpaSim's name, got {word!r}"
        )
    return ours, theirs


COMMAND = Command("drive in AlpaSim with a model's plans", add_arguments, run)
