"""Programs that an evaluation starts: each with a log, watched, and ended with all it started."""

import os
import shlex
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from impromptu.closed_loop.client import Address
from impromptu.closed_loop.neuroncap import guard
from impromptu.closed_loop.neuroncap.programs import Program
from impromptu.files import writing_to

POLL_S = 0.2
_REPLY_S = 5.0
_TAIL = 8


class ChildError(OSError):
    """A program ended that should not have, or does not get on; the message has its last words."""


class Stopped(Exception):  # noqa: N818 - not a fault
    """The evaluation is to end."""


@dataclass(frozen=True, slots=True)
class Child:
    """A program that was started.

    Attributes:
        name: What it is, for people.
        log: What it writes to its output.
        process: Its guard.
    """

    name: str
    log: Path
    process: "subprocess.Popen[bytes]"

    @property
    def ended(self) -> bool:
        """It runs no more."""
        return self.process.poll() is not None

    def error(self, what: str) -> ChildError:
        """Return an error that says what is wrong with it, and how its log ends."""
        with self.log.open(encoding="utf-8", errors="replace") as file:
            tail = "".join(f"\n    {line.rstrip()}" for line in deque(file, _TAIL))
        return ChildError(f"the {self.name} {what}; {self.log} ends:{tail}")

    def require(self) -> None:
        """Raise ``ChildError`` if it runs no more."""
        if (code := self.process.poll()) is not None:
            raise self.error(f"ended with exit code {code}")


@contextmanager
def started(program: Program, logs: Path) -> Iterator[Child]:
    """Start a program, and end it at the end.

    Args:
        program: What to start.
        logs: Folder; what it says is added to a file of its name.
    """
    log = logs / f"{program.name.replace(' ', '_')}.log"
    with writing_to(logs):
        logs.mkdir(parents=True, exist_ok=True)
        output = log.open("ab")
    with output:
        output.write(f"$ {shlex.join(program.command)}\n".encode())
        output.flush()
        process = subprocess.Popen(  # noqa: S603 - the user's own commands
            [sys.executable, "-IS", guard.__file__, *program.command],
            cwd=program.cwd,
            env={**os.environ, **program.env},
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield Child(program.name, log, process)
    finally:
        process.communicate()  # closes its input, which ends the program, and waits for it


def wait_alive(
    child: Child,
    port: int,
    path: str,
    timeout_s: float,
    watch: Callable[[], None] = lambda: None,
) -> bytes:
    """Wait until a program answers with 200, and return the answer.

    Args:
        child: The program.
        port: Where it listens, on this machine.
        path: What it is asked for.
        timeout_s: It has so long.
        watch: Called again and again; raises where waiting makes no sense.

    Raises:
        ChildError: It ended or did not answer in time.
    """
    address, until_s = Address(f"http://127.0.0.1:{port}", _REPLY_S), time.monotonic() + timeout_s
    while time.monotonic() < until_s:
        child.require()
        watch()
        try:
            status, body = address.call("GET", path)
        except OSError:
            status, body = 0, b""
        if status == 200:
            return body
        time.sleep(POLL_S)
    raise child.error(f"does not answer at {address.url}{path} after {timeout_s:g} s")


def watcher(children: Sequence[Child], stop: Event) -> Callable[[], None]:
    """Return what raises if the evaluation is to end, or one of the programs did."""

    def watch() -> None:
        if stop.is_set():
            raise Stopped
        for child in children:
            child.require()

    return watch
