"""How a command line is read: a typing error is answered with what was meant, defaults are told."""

import argparse
import os
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from impromptu.plugins import did_you_mean

_CHOICE = re.compile(r"invalid choice: '(.*?)' \(choose from (.*)\)$", re.DOTALL)


def seed(word: str) -> int:
    """Read a seed that every generator of random numbers takes."""
    if not word.isascii() or not word.isdigit() or int(word) >= 1 << 32:
        raise argparse.ArgumentTypeError(f"expected a whole number from 0 to 2^32 - 1, got {word}")
    return int(word)


def require_key(variable: str | None) -> None:
    """Raise a ``ValueError`` where ``--api_key_env`` names a variable that is not set."""
    if variable is not None and not os.environ.get(variable):
        raise ValueError(f"--api_key_env {variable}: no such environment variable is set")


def require_at_least_1(args: argparse.Namespace, *flags: str) -> None:
    """Raise a ``ValueError`` for a flag that is given and smaller."""
    for flag in flags:
        if (value := getattr(args, flag)) is not None and value < 1:
            raise ValueError(f"--{flag} {value}: expected at least 1")


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Ends the help of each flag that takes a value with its default in brackets."""

    def _get_help_string(self, action: argparse.Action) -> str:
        text = (action.help or "").replace("[%(default)s]", "").strip()
        told = text.endswith("]") or action.required or action.nargs == 0
        if told or not action.option_strings:
            return text
        return f"{text} [{'none' if action.default in (None, []) else '%(default)s'}]".strip()


class Parser(argparse.ArgumentParser):
    """Reads one command's flags.

    Attributes:
        not_done: The exit code for flags that cannot be read.
    """

    def __init__(self, not_done: int = 2, **more: Any) -> None:
        super().__init__(formatter_class=_Formatter, **more)
        self.not_done = not_done

    def check_flags(self, words: Sequence[str]) -> None:
        """Refuse a flag that there is not, before one that is wanting is asked for."""
        for action in self._actions:
            if words and words[0] in (action.choices or ()) and action.nargs == argparse.PARSER:
                part: Parser = action.choices[words[0]]  # type: ignore[index]
                part.check_flags(words[1:])
                return
        known = [*self._option_string_actions]
        for word in words[: words.index("--") if "--" in words else None]:
            flag = word.partition("=")[0]
            if flag.startswith("--") and not any(one.startswith(flag) for one in known):
                self.error(f"unrecognized arguments: {flag}.{did_you_mean(flag, known)}")

    def error(self, message: str) -> NoReturn:
        """End with one line that says what is wrong with the flags."""
        if found := _CHOICE.search(message):
            message += "." + did_you_mean(found[1], re.findall(r"[\w-]+", found[2]))
        self.exit(self.not_done, f"error: {message}\nall flags: {self.prog} --help\n")
