"""The whole command against stand-ins that speak the real protocol: what fails, what is kept."""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.closed_loop.neuroncap.conftest import ROOT, SCENARIOS, Place

from impromptu.cli import main
from impromptu.cli._ncap_run import _ended_by

GUIDE = (ROOT / "neuroncap_evaluation/evaluation.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^impromptu ncap (?:doctor|run) .*", GUIDE, re.MULTILINE)
ALL = sorted(f"{scenario}/run_{run}" for scenario in SCENARIOS for run in range(3))


def _run(place: Place, *words: str) -> int:
    """Run the guide's command with another file."""
    (command,) = (line for line in COMMANDS if line.startswith("impromptu ncap run") and
                  line.endswith("config.yaml"))  # fmt: skip
    (at,) = (number for number, word in enumerate(shlex.split(command)) if word == "--config")
    return main([*shlex.split(command)[1:at], *place.words, *words])


def _at(run: str) -> tuple[float, float]:
    """Where a run of the stand-in begins."""
    scenario, _, number = run.partition("/run_")
    return 1000.0 * int(scenario[-4:]), 10.0 * int(number)


def test_runs_in_parallel_lanes_are_driven_once_each_with_its_own_trace(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    place.go_wrong("side-0103", {"pause_s": 0.02})
    assert _run(place) == 0
    assert "9 runs asked: 9 driven, 0 were there, 0 failed" in capsys.readouterr().out
    assert place.finished() == ALL
    for run in ALL:
        x_m, y_m = _at(run)
        assert [(row["x_m"], row["y_m"]) for row in place.trace(run)] == [
            (x_m + 2.5 * step, y_m) for step in range(4)
        ]
        assert {row["status"] for row in place.trace(run)} == {"rule"}
    assert place.left_over() == []
    assert not (place.out / ".attempts").exists()
    assert main(["ncap", "score", str(place.out), "--expect", "3"]) == 1
    assert "| out | 9 of 60 | 0.0 % of 36 |" in capsys.readouterr().out, "17 scenarios not asked"
    assert _run(place) == 0
    assert "9 runs asked: 0 driven, 9 were there, 0 failed" in capsys.readouterr().out
    assert len(place.pids()) == 6, "nothing is started where nothing is missing"
    assert _run(place, "--set", "driver=stop") == 2
    assert "asked for are runs of" in capsys.readouterr().err, "one folder, one driver"


def test_a_run_that_fails_is_noted_and_those_behind_it_are_driven(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    place.change(scenarios=["side-0110"])
    place.go_wrong("side-0110", {"0": "elsewhere", "1": "raise"})
    assert _run(place) == 1
    told = capsys.readouterr().out
    assert "3 runs asked: 1 driven, 0 were there, 2 failed" in told
    assert "side-0110, run 0: the model server's trace and the engine's poses differ" in told
    assert "side-0110, run 1: the engine: ValueError: the step cannot be taken" in told
    assert place.finished() == ["side-0110/run_2"]
    assert (place.out / "side-0110/run_1/failure.json").is_file()
    assert [row["y_m"] for row in place.trace("side-0110/run_2")] == [20.0] * 4
    main(["ncap", "score", str(place.out), "--expect", "3"])
    assert "2 of them failed" in capsys.readouterr().out
    place.go_wrong("side-0110", {})
    assert _run(place) == 0
    assert "3 runs asked: 2 driven, 1 were there, 0 failed" in capsys.readouterr().out
    assert [row["y_m"] for row in place.trace("side-0110/run_1")] == [10.0] * 4


def test_an_engine_that_dies_loses_no_run_that_ended(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    place.change(scenarios=["side-0110", "side-0103"])
    place.go_wrong("side-0110", {"1": "die once"})
    place.go_wrong("side-0103", {"0": "die"})
    assert _run(place) == 1
    told = capsys.readouterr().out
    assert "6 runs asked: 3 driven, 0 were there, 3 failed" in told
    log = place.out / "logs/side-0103/engine.log"
    assert f"run 0, 1, 2: the engine ended with exit code 7; {log}" in told
    assert "    out of luck" in told
    assert place.finished() == [f"side-0110/run_{run}" for run in range(3)]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("die", "the renderer ended with exit code 1"),
        pytest.param(
            "sleep",
            "the renderer does not answer at http://127.0.0.1:{port}/alive after 5 s",
            marks=pytest.mark.slow,
        ),
        ("die when asked", "the renderer ended with exit code 9"),
    ],
)
def test_a_renderer_that_fails_takes_only_its_own_scenario_along(
    wrong: str, told: str, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    limit = {"start_timeout_s": 5, "parallel": 1} if wrong == "sleep" else {}
    place.change(scenarios=["side-0110", "side-0103"], runs=2, **limit)
    place.renderer("0110", wrong)
    assert _run(place) == 1
    told = told.format(port=place.first_port + 1)
    assert f"side-0110, run 0, 1: {told}" in capsys.readouterr().out
    assert place.finished() == ["side-0103/run_0", "side-0103/run_1"]
    assert place.left_over() == []


def test_an_engine_that_hangs_is_ended(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.change(step_timeout_s=2, scenarios=["side-0110"])
    place.go_wrong("side-0110", {"1": "hang"})
    assert _run(place) == 1
    assert "run 1, 2: the engine has got no step further in 2 s" in capsys.readouterr().out
    assert place.finished() == ["side-0110/run_0"]
    assert place.left_over() == []


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGKILL,
        pytest.param(signal.SIGINT, marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, marks=pytest.mark.slow),
    ],
)
def test_whoever_ends_it_nothing_stays_and_the_next_one_goes_on(
    number: signal.Signals, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    place.change(scenarios=["side-0110", "side-0103"])
    place.go_wrong("side-0110", {"pause_s": 0.1})
    place.go_wrong("side-0103", {"pause_s": 0.1})
    words = [sys.executable, "-m", "impromptu", "ncap", "run", *place.words]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as runner:
        until_s = time.monotonic() + 20
        while not place.finished() and time.monotonic() < until_s:
            time.sleep(0.05)
        runner.send_signal(number)
        runner.communicate(timeout=20)
    codes = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}
    assert runner.returncode == codes[number]
    assert len(place.pids()) >= 2
    assert place.left_over(within_s=10) == []
    there = place.finished()
    assert 0 < len(there) < 6
    assert _run(place) == 0
    told = f"6 runs asked: {6 - len(there)} driven, {len(there)} were there, 0 failed"
    assert told in capsys.readouterr().out
    assert len(place.finished()) == 6


def test_a_signal_that_is_ignored_stays_so() -> None:
    """As nohup has it for the end of the terminal."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with _ended_by(signal.SIGHUP, signal.SIGUSR1):
            os.kill(os.getpid(), signal.SIGHUP)
            with pytest.raises(SystemExit, match=str(128 + signal.SIGUSR1)):
                os.kill(os.getpid(), signal.SIGUSR1)
        assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)


def test_nothing_is_started_where_something_is_missing(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", place.first_port + 2)):
        assert _run(place) == 2
    told = capsys.readouterr().err
    assert f"missing  ports  {place.first_port + 2} in use" in told
    assert "--set first_port=NUMBER" in told
    assert not place.out.exists() and not place.pids()


def test_a_language_model_drives(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.change(driver="openai", scenarios=["side-0110"], runs=2)
    assert _run(place) == 0
    trace = place.trace("side-0110/run_1")
    assert {row["status"] for row in trace} == {"read"}
    assert all(row["answer"].startswith("<PLANNING>") for row in trace)
    assert place.left_over() == []
    (place.folder / "language").write_text("I cannot drive.")
    assert _run(place, "--set", f"out={place.folder / 'other'}") == 1
    assert "run 0, 1: the engine: KeyError: 'trajectory'" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("die", "the language model's server ended with exit code 1"),
        pytest.param(
            "die when asked",
            "the language model's server ended with exit code 9",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_language_models_server_that_dies_ends_it(
    wrong: str, told: str, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    place.change(driver="openai", scenarios=["side-0110"], runs=2, step_timeout_s=60)
    (place.folder / "language").write_text(wrong)
    assert _run(place) in (1, 2)
    output = capsys.readouterr()
    assert told in output.out + output.err
    assert place.finished() == []
    assert place.left_over() == []


def test_the_guides_commands_run(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the repository's folder: the doctor, and the simulator in the engine's place."""
    monkeypatch.chdir(ROOT)
    doctor, _, tried = [shlex.split(line)[1:] for line in COMMANDS]
    assert main(doctor) in (0, 1), "whatever there is on this machine"
    assert "nuScenes tables" in capsys.readouterr().out
    more = [
        f"out={place.out}",
        f"first_port={place.first_port}",
        "scenarios=[side-0103, side-0921]",
    ]
    assert main([*tried, *more]) == 0
    assert "4 runs asked: 4 driven" in capsys.readouterr().out
    direct = place.folder / "direct"
    words = ["--scenarios", "side-0103", "side-0921", "--runs", "2", "--out", str(direct)]
    assert main(["ncap", "sim", "--driver", "constant_velocity", *words]) == 0
    for run in place.finished():
        there, here = (
            json.loads((one / run / "metrics.json").read_text()) for one in (direct, place.out)
        )
        assert here == pytest.approx(there, abs=1e-6)


def test_the_door_runs_the_command_with_its_own_file(tmp_path: Path) -> None:
    door = tmp_path / "neuroncap_evaluation/run.sh"
    door.parent.mkdir()
    door.write_bytes((ROOT / "neuroncap_evaluation/run.sh").read_bytes())
    (tmp_path / "bin").mkdir()
    found = tmp_path / "bin/impromptu"
    found.write_text('#!/bin/sh\necho "$@"\n')
    found.chmod(0o755)
    path = {**os.environ, "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    words = ["bash", str(door), "--set", "runs=5"]
    done = subprocess.run(words, capture_output=True, text=True, env=path, check=True)
    assert done.stdout == f"ncap run --config {door.parent}/config.yaml --set runs=5\n"
