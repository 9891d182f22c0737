"""Units on a Ray of this machine: what comes out, what goes wrong, and whom it listens to."""

import re
import subprocess
import sys
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from impromptu import miniature, plugins, questions
from impromptu.backends import ray as ray_backend
from impromptu.cli import main
from impromptu.counts import LogCounts
from impromptu.datasets import Log
from impromptu.generation import WORK, generate
from impromptu.part import Recipe, Unit, write_part

needs_ray = pytest.mark.skipif(
    not find_spec("ray"), reason="needs the ray extra: pip install 'impromptu-vla[ray]'"
)
DATASETS = ["kitti", "mapillary_sls", "nuscenes", "waymo"]
RECIPE = Recipe(tuple(plugins.names(questions)), missing_images="keep", mapillary_hz=2.0)


@pytest.fixture(autouse=True)
def a_ray_of_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the cluster of whoever runs the tests."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)


def bytes_of(folder: Path) -> Mapping[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def unit(folder: Path) -> Unit:
    log = Log("straight", "train", folder, folder)
    return Unit("synthetic", log, RECIPE, folder, folder / "one.part")


@needs_ray
@pytest.mark.slow
def test_where_the_work_is_done_decides_no_byte(tmp_path: Path) -> None:
    """One of the logs cannot be read, and has the same error."""
    raw, extracted = tmp_path / "raw", tmp_path / "extracted"
    miniature.write(raw, datasets=DATASETS, logs=1, duration_s=9.0, images=False)
    next(raw.glob("waymo/training/*.tfrecord")).write_bytes(b"not a record")
    done = generate(raw, tmp_path / "processes", DATASETS, None, RECIPE, 2, extract_dir=extracted)
    words = [sys.executable, "-m", "impromptu", "generate", "--backend", "ray", "--workers", "2"]
    words += ["--data_raw", str(raw), "--out", str(tmp_path / "ray"), "--datasets", *DATASETS]
    words += ["--extract_dir", str(extracted), "--missing_images", "keep", "--mapillary_hz", "2"]
    subprocess.run(words, check=True, capture_output=True)  # where nobody imported Ray before
    assert bytes_of(tmp_path / "ray") == bytes_of(tmp_path / "processes")
    assert done.failed and done.clips


DIES = """
import os, pathlib, sys
from impromptu.backends import ray as backend
from impromptu.datasets import Log
from impromptu.part import Recipe, Unit, write_part

folder = pathlib.Path(sys.argv[1])
backend.work_on = lambda work, unit, asked_by: os._exit(1)
log = Log("straight", "train", folder, folder)
try:
    unit = Unit("synthetic", log, Recipe(()), folder, folder / "one.part")
    list(backend.BACKEND.run(write_part, [unit], 1))
except OSError as error:
    print("told:", error)
"""


@needs_ray
@pytest.mark.slow
def test_a_worker_that_dies_is_one_error(tmp_path: Path) -> None:
    words = [sys.executable, "-c", DIES, str(tmp_path)]
    told = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    assert re.search(r"told: a Ray worker failed \(.*run the same command again", told)


def test_a_ray_that_was_imported_before_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would listen to other machines."""
    monkeypatch.setitem(sys.modules, "ray", ModuleType("ray"))
    with pytest.raises(OSError, match="imported before it could be told"):
        list(ray_backend.BACKEND.run(write_part, [unit(tmp_path)], 1))


def test_a_part_that_is_not_here_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = SimpleNamespace(
        init=lambda address, **options: None,
        cluster_resources=dict,
        remote=lambda **options: lambda work_on: SimpleNamespace(remote=lambda *asked: asked[1]),
        wait=lambda running: (running, []),
        get=lambda ended: LogCounts(),
        exceptions=SimpleNamespace(RayError=OSError),
        shutdown=lambda: None,
    )
    monkeypatch.setitem(sys.modules, "ray", elsewhere)
    with pytest.raises(OSError, match=r"one\.part: .* every node of the cluster shares"):
        list(ray_backend.BACKEND.run(write_part, [unit(tmp_path)], 1))


@needs_ray
@pytest.mark.slow
def test_a_killed_run_goes_on_and_leaves_nothing_running(tmp_path: Path) -> None:
    raw, whole, killed = tmp_path / "raw", tmp_path / "whole", tmp_path / "killed"
    miniature.write(raw, datasets=["nuscenes"], logs=12, images=False)
    command = [sys.executable, "-m", "impromptu", "generate", "--missing_images", "keep"]
    command += ["--backend", "ray", "--workers", "2", "--data_raw", str(raw), "--out"]
    subprocess.run([*command, str(whole)], check=True, capture_output=True)
    process = subprocess.Popen([*command, str(killed)], stderr=subprocess.DEVNULL)
    parts = killed / WORK / "parts"
    while len(list(parts.glob("*.part"))) < 3:
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.05)
    process.kill()
    process.wait()
    until_s = time.monotonic() + 30
    while any(f"_{process.pid}/" in server for server in _servers()):
        assert time.monotonic() < until_s, "its Ray still runs"
        time.sleep(0.2)
    finished = {path.name: path.stat().st_mtime_ns for path in parts.glob("*.part")}
    assert 3 <= len(finished) < 12
    subprocess.run([*command, str(killed)], check=True, capture_output=True)
    assert bytes_of(whole) == bytes_of(killed)


def _servers() -> list[str]:
    """List the command lines of Ray's servers; they name a session, and so the driver."""
    asked = ["ps", "-eo", "args"]
    lines = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.splitlines()
    return [line for line in lines if "/raylet " in line or "/gcs_server " in line]


@needs_ray
@pytest.mark.slow
def test_nobody_else_can_reach_it() -> None:
    code = (
        "from impromptu.backends.ray import _connect; ray = _connect(1);"
        "print(ray.get_runtime_context().gcs_address)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.startswith("127.0.0.1:")
    assert done.stderr == ""


def test_without_ray_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    flags = ["--datasets", "synthetic", "--out", str(tmp_path), "--backend", "ray"]
    assert main(["generate", *flags]) == 2
    assert "pip install 'impromptu-vla[ray]'" in capsys.readouterr().err


def test_a_cluster_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def init(address: str, **options: object) -> None:
        raise ConnectionError(f"no answer from {address}")

    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(init=init))
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.7:6379")
    with pytest.raises(OSError, match=r"RAY_ADDRESS=10\.0\.0\.7:6379: no answer.*RAY_AUTH_MODE"):
        ray_backend._connect(1)


def test_a_node_with_other_code_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="install the same version on every node"):
        ray_backend.work_on(write_part, unit(tmp_path), "another fingerprint")
    assert not list(tmp_path.iterdir())
