"""A guard ends what it runs, and all that came of it, when its input ends."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from impromptu.closed_loop.neuroncap import guard


def _guarded(*command: str) -> "subprocess.Popen[bytes]":
    words = [sys.executable, "-IS", guard.__file__, *command]
    return subprocess.Popen(words, stdin=subprocess.PIPE, stderr=subprocess.PIPE)


def _until(true: Callable[[], bool]) -> bool:
    until_s = time.monotonic() + 10
    while not true() and time.monotonic() < until_s:
        time.sleep(0.02)
    return true()


def _gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.parametrize(("command", "code"), [("exit 3", 3), ("kill -9 $$", 137), ("true", 0)])
def test_a_programs_exit_code_is_its_own(command: str, code: int) -> None:
    with _guarded("sh", "-c", command) as made:
        assert made.wait(10) == code


def test_a_program_that_is_not_there_is_told() -> None:
    with _guarded("./no-such-program") as made:
        _, said = made.communicate(timeout=10)
    assert made.returncode == 127
    assert said == b"./no-such-program: cannot be started: No such file or directory\n"


@pytest.mark.parametrize("stubborn", ["", "trap '' TERM; "], ids=["willing", "stubborn"])
def test_with_its_input_ends_whatever_it_started(stubborn: str, tmp_path: Path) -> None:
    """Children's children too, and what does not listen to SIGTERM."""
    pids = tmp_path / "pids"
    inner = f"sh -c '{stubborn.replace(chr(39), chr(34))}echo $$ >> {pids}; sleep 60; sleep 60'"
    code = "import sys; sys.path.insert(0, sys.argv[1]); import guard; guard.GRACE_S = 0.2; "
    code += "sys.exit(guard.main(sys.argv[2:]))"
    place = str(Path(guard.__file__).parent)
    command = f"{stubborn}echo $$ >> {pids}; {inner} & {inner}"
    words = [sys.executable, "-IS", "-c", code, place, "sh", "-c", command]
    with subprocess.Popen(words, stdin=subprocess.PIPE) as made:
        assert _until(lambda: pids.exists() and len(pids.read_text().split()) == 3)
        assert made.stdin is not None
        made.stdin.close()
        made.wait(10)
    assert _until(lambda: all(_gone(int(pid)) for pid in pids.read_text().split()))


def test_what_a_program_leaves_behind_is_ended_with_it(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    with _guarded("sh", "-c", f"sleep 60 & echo $! > {pid}; exit 5") as made:
        assert made.wait(10) == 5
    assert _until(lambda: _gone(int(pid.read_text())))
