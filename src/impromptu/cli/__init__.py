"""The command line: each module here is one command of ``impromptu``."""

import argparse
import errno
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import NoReturn

from impromptu import cli, plugins
from impromptu.cli._parser import Parser


@dataclass(frozen=True, slots=True)
class Command:
    """What ``impromptu <name>`` does.

    Attributes:
        summary: One line for ``--help``.
        add_arguments: Declares its flags.
        run: Does it; returns the exit code.
        not_done: The exit code where it could not be done.
    """

    summary: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]
    not_done: int = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    0: done; what was dropped or skipped is told. 1: done, but nothing came of it, or a loss that
    the command was told to treat as a failure. 2: not done; one line says why. 130: interrupted.
    141: nobody reads on what is printed.
    ``audit`` has codes of its own.
    """
    # Before numpy is imported: our matrices are small, and a second thread only waits, busily.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        return _run(list(sys.argv[1:] if argv is None else argv))
    except KeyboardInterrupt:
        print("interrupted; run the same command again to go on", file=sys.stderr)
        return 130


def _run(argv: list[str]) -> int:
    modules = {name.replace("_", "-"): name for name in plugins.names(cli)}
    if argv and argv[0] in modules.values():
        argv[0] = argv[0].replace("_", "-")
    if not argv or argv[0] not in modules:
        _overview(argv, modules)
    command = plugins.load(cli, modules[argv[0]], Command)
    parser = Parser(command.not_done, prog=f"impromptu {argv[0]}", description=command.summary)
    command.add_arguments(parser)
    parser.check_flags(argv[1:])
    args = parser.parse_args(argv[1:])
    try:
        code = command.run(args)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # whoever reads what is printed, such as head, has enough of it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except (OSError, ValueError, ArithmeticError, LookupError, ModuleNotFoundError) as error:
        text = _text(error, getattr(args, "out", None))
        notes = "".join(f"\n{note}" for note in getattr(error, "__notes__", ()))
        print(f"error: {text}{notes}", file=sys.stderr)
        return command.not_done


def _overview(argv: Sequence[str], modules: Mapping[str, str]) -> NoReturn:
    """Answer what begins with no command: the list of them, the version, or the nearest name."""
    parser = Parser(prog="impromptu", description="Raw driving logs to scored driving models.")
    parser.add_argument("--version", action="version", version=version("impromptu-vla"))
    commands = parser.add_subparsers(required=True, metavar="command")
    for name, module in modules.items():
        commands.add_parser(name, help=plugins.load(cli, module, Command).summary)
    parser.check_flags(argv)
    parser.parse_args(argv)
    parser.error("the command comes first")


def _text(error: Exception, out: object) -> str:
    """Say what went wrong; an operating system's error as path and cause."""
    if isinstance(error, OSError) and error.strerror:
        # A disk that fills up while a file is written does not tell which.
        full = out if error.errno == errno.ENOSPC else None
        if where := error.filename2 or error.filename or full:
            return f"{where}: {error.strerror.lower()}"
    return str(error.args[0] if isinstance(error, KeyError) and error.args else error)
