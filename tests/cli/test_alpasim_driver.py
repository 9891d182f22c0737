"""The driver as a user starts it, and every command of its guide."""

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
from impromptu.files import read_json_lines

GUIDE = Path(__file__).parents[2] / "neuroncap_evaluation/other_judges.md"
PART = GUIDE.read_text(encoding="utf-8").partition("## AlpaSim")[2]
SERVERS, CALLS = (block.splitlines() for block in re.findall(r"```bash\n(.*?)```", PART, re.DOTALL))
STOP = ["--engine", "stop", "--port"]


@pytest.fixture
def packages() -> None:
    """Go without where the extra is not installed."""
    pytest.importorskip("grpc", reason="needs the alpasim extra: grpcio")
    pytest.importorskip("carla_driver_interface", reason="needs the alpasim extra")
    pytest.importorskip("openai", reason="needs the alpasim extra: openai")


@contextmanager
def _driving(flags: Sequence[str], cwd: Path) -> Iterator[str]:
    """Start a driver; give its address, and end it as Ctrl+C does."""
    command = [sys.executable, "-m", "impromptu", "alpasim-driver", *flags]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=cwd, stdout=pipe, stderr=pipe, text=True) as driver:
        assert driver.stdout is not None
        try:
            yield driver.stdout.readline().split()[0]
        finally:
            driver.send_signal(signal.SIGINT)
            _, told = driver.communicate(timeout=20)
    assert (driver.returncode, told) == (0, "")


@pytest.mark.usefixtures("packages")
@pytest.mark.parametrize("command", SERVERS)
def test_the_guides_commands_run(command: str, tmp_path: Path) -> None:
    name, part, *flags = shlex.split(command)
    assert (name, part) == ("impromptu", "alpasim-driver")
    flags[flags.index("--port") + 1] = "0"
    with _driving(flags, tmp_path) as address:
        assert re.fullmatch(r"127\.0\.0\.1:\d+", address)
        for call in CALLS if "constant_velocity" in command else ():
            tool, *words = shlex.split(call.replace("127.0.0.1:50051", address))
            found = shutil.which(tool, path=str(Path(sys.executable).parent))
            assert found, f"{tool} comes with the extra"
            done = subprocess.run([found, *words], capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            rows = [row for _, row in read_json_lines(tmp_path / "build/alpasim/trace.jsonl")]
            assert [row["status"] for row in rows] == ["rule"] * 20


@pytest.mark.usefixtures("packages")
@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ([], "the engine 'openai' needs --base_url"),
        ([*STOP, "70000"], "--port 70000: "),
        ([*STOP, "0", "--cameras", "FRONT=x"], "expected one of CAM_FRONT"),
        ([*STOP, "0", "--cameras", "CAM_FRONT"], "and AlpaSim's name, got 'CAM_FRONT'"),
        ([*STOP, "0", "--host", "no.such.host.invalid"], "could not be had"),
    ],
)
def test_a_wrong_flag_is_one_line(
    flags: list[str], told: str, capfd: pytest.CaptureFixture[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    try:
        code = main(["alpasim-driver", *flags])
    except SystemExit as end:
        code = int(str(end.code))
    assert code == 2
    error = capfd.readouterr().err
    assert told in error
    assert "Traceback" not in error


@pytest.mark.usefixtures("packages")
def test_a_port_that_is_taken_is_told(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with _driving([*STOP, "0"], tmp_path) as address:
        port = address.rpartition(":")[2]
        assert main(["alpasim-driver", *STOP, port]) == 2
    assert f"--port {port}: could not be had" in capfd.readouterr().err


@pytest.mark.parametrize("package", ["grpc", "carla_driver_interface"])
def test_without_its_packages_it_says_what_to_install(
    package: str, capsys: pytest.CaptureFixture[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, package, None)
    assert main(["alpasim-driver", *STOP, "0"]) == 2
    assert "pip install 'impromptu-vla[alpasim]'" in capsys.readouterr().err
