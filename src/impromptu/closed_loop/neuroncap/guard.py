"""Runs one program, and ends it with all that it started as soon as standard input ends.

Whoever starts this holds the other end of its standard input. Closing it ends the program; so
does the death of its holder, even by ``kill -9``. It is run as a file, by a bare Python.
"""

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress

GRACE_S = 10.0
"""Between asking a program to end and ending it."""


def main(command: list[str]) -> int:
    """Run a command; return its exit code, 128 + n where signal n ended it."""
    try:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)  # noqa: S603
    except OSError as error:
        sys.stderr.write(f"{command[0]}: cannot be started: {error.strerror}\n")
        return 127
    threading.Thread(target=_end_with_input, args=(child.pid,), daemon=True).start()
    code = child.wait()
    _send(child.pid, signal.SIGKILL)  # what it left behind
    return code if code >= 0 else 128 - code


def _end_with_input(group: int) -> None:
    while os.read(0, 1):
        pass
    _send(group, signal.SIGTERM)
    threading.Event().wait(GRACE_S)
    _send(group, signal.SIGKILL)


def _send(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
