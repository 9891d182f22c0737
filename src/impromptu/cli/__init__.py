"""The command line: each module here is one command of ``impromptu``."""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version

from impromptu import cli, plugins


@dataclass(frozen=True, slots=True)
class Command:
    """What ``impromptu <name>`` does.

    Attributes:
        summary: One line for ``--help``.
        add_arguments: Declares its flags.
        run: Does it; returns the exit code.
    """

    summary: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    0: done; what was dropped or skipped is told. 1: done, but nothing came of it, or a loss that
    the command was told to treat as a failure. 2: not done; one line says why.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    modules = {name.replace("_", "-"): name for name in plugins.names(cli)}
    if argv and argv[0] in modules.values():
        argv[0] = argv[0].replace("_", "-")
    parser = argparse.ArgumentParser(
        prog="impromptu", description="Raw driving logs to scored driving models."
    )
    parser.add_argument("--version", action="version", version=version("impromptu-vla"))
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name in modules if not argv or argv[0] not in modules else [argv[0]]:
        command = plugins.load(cli, modules[name], Command)
        one = subparsers.add_parser(name, help=command.summary, description=command.summary)
        command.add_arguments(one)
        one.set_defaults(run=command.run)
    args = parser.parse_args(argv)
    try:
        return int(args.run(args))
    except (OSError, ValueError, ArithmeticError, LookupError, ModuleNotFoundError) as error:
        text = _text(error)
        notes = "".join(f"\n{note}" for note in getattr(error, "__notes__", ()))
        print(f"error: {text}{notes}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; run the same command again to go on", file=sys.stderr)
        return 130


def _text(error: Exception) -> str:
    """Say what went wrong; an operating system's error as path and cause."""
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename2 or error.filename}: {error.strerror.lower()}"
    return str(error.args[0] if isinstance(error, KeyError) and error.args else error)
