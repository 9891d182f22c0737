"""The server as a user starts it, and every command of its guide."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from impromptu.cli import main

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "neuroncap_evaluation/evaluation.md").read_text(encoding="utf-8")
PART = GUIDE[GUIDE.index("## The model server") :]
SERVERS, CALLS = (block.splitlines() for block in re.findall(r"```bash\n(.*?)```", PART, re.DOTALL))


@contextmanager
def _serving(command: Sequence[str], cwd: Path) -> Iterator[str]:
    """Start a server; give its address, and end it as Ctrl+C does."""
    pytest.importorskip("fastapi", reason="needs the closed_loop extra: fastapi")
    pytest.importorskip("openai", reason="needs the closed_loop extra: openai")
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=cwd, stdout=pipe, stderr=pipe, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().split()[0]
        finally:
            server.send_signal(signal.SIGINT)
            _, told = server.communicate(timeout=20)
    assert (server.returncode, told) == (0, "")


@pytest.mark.parametrize("command", SERVERS)
def test_the_guides_commands_run(command: str, tmp_path: Path) -> None:
    python, door, *flags = shlex.split(command)
    assert python == "python"
    words = [sys.executable, str(ROOT / door), *flags]
    words[words.index("--port") + 1] = "0"
    with _serving(words, tmp_path) as address:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", address)
        if shutil.which("curl") is None:
            pytest.skip("needs curl")
        for call in CALLS:
            asked = shlex.split(call.replace("http://127.0.0.1:9000", address))
            done = subprocess.run([*asked, "--fail"], capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            assert done.stdout.startswith("{")
    assert (tmp_path / "build/ncap/trace.jsonl").is_file()


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ([], "the engine 'openai' needs --base_url"),
        (["--base_url", "http://x/v1"], "needs --model"),
        (["--engine", "walk"], "invalid choice"),
        (["--base_url", "u", "--model", "m", "--timeout_s", "0"], "expected above 0"),
        (["--base_url", "u", "--model", "m", "--wording", "gone.yaml"], "gone.yaml"),
        (["--engine", "stop", "--port", "70000"], "--port 70000: "),
        (["--engine", "stop", "--trace", os.devnull + "/x"], "cannot be written to"),
    ],
)
def test_a_wrong_flag_is_one_line(
    flags: list[str], told: str, capsys: pytest.CaptureFixture[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    pytest.importorskip("openai", reason="needs the closed_loop extra: openai")
    pytest.importorskip("fastapi", reason="needs the closed_loop extra: fastapi")
    monkeypatch.chdir(tmp_path)
    try:
        code = main(["ncap-server", *flags])
    except SystemExit as end:
        code = int(str(end.code))
    assert code == 2
    error = capsys.readouterr().err
    assert told in error
    assert "Traceback" not in error


def test_a_port_that_is_taken_is_told(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("fastapi", reason="needs the closed_loop extra: fastapi")
    monkeypatch.chdir(tmp_path)
    door = str(ROOT / "neuroncap_evaluation/inference/server.py")
    with _serving([sys.executable, door, "--engine", "stop", "--port", "0"], tmp_path) as address:
        port = address.rpartition(":")[2]
        assert main(["ncap-server", "--engine", "stop", "--port", port]) == 2
    assert f"--port {port}: address already in use" in capsys.readouterr().err


@pytest.mark.parametrize("package", ["fastapi", "openai"])
def test_without_its_packages_it_says_what_to_install(
    package: str, capsys: pytest.CaptureFixture[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    pytest.importorskip("openai", reason="needs the closed_loop extra: openai")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, package, None)
    assert main(["ncap-server", "--base_url", "http://x/v1", "--model", "m", "--port", "0"]) == 2
    extra = {"fastapi": "closed_loop", "openai": "openai"}[package]
    assert f"pip install 'impromptu-vla[{extra}]'" in capsys.readouterr().err
