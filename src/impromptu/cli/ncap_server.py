"""``impromptu ncap-server``: answer NeuroNCAP's engine, with a model's plans or by a rule."""

import argparse
import socket
from contextlib import suppress

from impromptu.cli import Command, _driver
from impromptu.closed_loop.server import Server
from impromptu.closed_loop.trace import Trace
from impromptu.closed_loop.web import app


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    _driver.add_arguments(parser)
    listen = "where to listen; 0: a free one"
    parser.add_argument("--port", type=int, default=9000, metavar="P", help=listen)


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted."""
    web = app(Server(_driver.driver_of(args), Trace(args.trace)))
    import uvicorn

    with _listening(args.host, args.port) as listener, suppress(KeyboardInterrupt):
        address = f"http://{args.host}:{listener.getsockname()[1]}"
        print(f"{address} {args.engine}, trace in {args.trace}; Ctrl+C ends it", flush=True)
        config = uvicorn.Config(web, log_level="warning", limit_concurrency=64)
        uvicorn.Server(config).run(sockets=[listener])
    return 0


def _listening(host: str, port: int) -> socket.socket:
    """Take the port.

    Raises:
        ValueError: It could not be had; the message says why.
    """
    if not 0 <= port < 1 << 16:
        raise ValueError(f"--port {port}: expected 0 to 65535; 0 takes a free one")
    try:
        return socket.create_server((host, port), backlog=64)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise ValueError(
            f"--host {host} --port {port}: {why}; --port 0 takes a free one"
        ) from error


COMMAND = Command("answer NeuroNCAP's engine with a model's plans", add_arguments, run)
