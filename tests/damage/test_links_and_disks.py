"""Links in circles, what is no file, code in a pickle, and disks that are full or read-only."""

import errno
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from impromptu import miniature
from impromptu.cli import main
from impromptu.files import read_json


@pytest.fixture
def raw(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two KITTI sequences."""
    kept = tmp_path_factory.getbasetemp() / "two_sequences"
    miniature.write(kept, datasets=["kitti"], logs=2, duration_s=4.0, images=False)
    shutil.copytree(kept, tmp_path / "raw")
    return tmp_path / "raw"


def generate(raw: Path, out: Path, name: str = "kitti") -> int:
    options = ["--datasets", name, "--workers", "1", "--missing_images", "keep"]
    return main(["generate", "--data_raw", str(raw), "--out", str(out), *options])


def content(out: Path) -> dict[str, bytes]:
    return {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*") if p.is_file()}


@pytest.mark.parametrize("place", ["raw", "raw/kitti", "raw/kitti/data_tracking_oxts", "out"])
def test_a_folder_that_is_a_link_in_a_circle_is_one_clear_line(
    raw: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    path = tmp_path / place
    if path.exists():
        shutil.rmtree(path)
    path.symlink_to(path)
    assert main(["check", "kitti", "--data_raw", str(raw)]) == {"raw": 2, "out": 0}.get(place, 1)
    assert generate(raw, tmp_path / "out") == 2
    first, *more = capsys.readouterr().err.splitlines()
    assert first.startswith(f"error: {tmp_path}")
    assert not more or more[-1].startswith("Download it from")


def test_a_link_back_up_is_not_followed_for_ever(raw: Path, tmp_path: Path) -> None:
    generate(raw, tmp_path / "one")
    (raw / "kitti" / "again").symlink_to(raw)
    (raw / "kitti/data_tracking_oxts/training/oxts/again").symlink_to(raw)
    generate(raw, tmp_path / "two")
    assert content(tmp_path / "one") == content(tmp_path / "two")


@pytest.mark.parametrize("kind", ["oxts", "label_2"])
@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.symlink_to("nowhere"),
        lambda path: path.symlink_to(path.name),
        Path.mkdir,
        os.mkfifo,
    ],
)
def test_what_is_no_file_fails_its_log_alone(
    raw: Path, tmp_path: Path, kind: str, make: Callable[[Path], object]
) -> None:
    generate(raw, tmp_path / "whole")
    (path,) = raw.glob(f"kitti/data_tracking_{kind}/training/*/0000.txt")
    path.unlink()
    make(path)
    assert generate(raw, tmp_path / "out") == 0
    whole, splits = (
        read_json(tmp_path / out / "manifest.json")["datasets"]["kitti"] for out in ("whole", "out")
    )
    (why,) = splits["train"]["logs_failed"].values()
    assert why.startswith(f"{path}: expected a file, but it is")
    assert splits["test"] == whole["test"]


def test_a_pickle_that_would_run_something_fails_its_log_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.system, (f"touch {tmp_path}/sprung",)

    miniature.write(tmp_path, datasets=["navsim"], logs=2, duration_s=4.0, images=False)
    (path,) = (tmp_path / "navsim/navsim_logs/trainval").iterdir()
    frames = pickle.loads(path.read_bytes())  # noqa: S301 - our own
    frames[0]["anns"]["gt_names"] = Trap()
    path.write_bytes(pickle.dumps(frames))
    assert generate(tmp_path, tmp_path / "out", "navsim") == 0
    told = capsys.readouterr().out
    assert f"skipped navsim/{path.stem}: {path}: refused, for it would run posix.system" in told
    assert "navsim/q1_test.json" in told
    assert not (tmp_path / "sprung").exists()


def test_one_segment_in_two_splits_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    miniature.write(tmp_path, datasets=["waymo"], logs=2, duration_s=2.0, images=False)
    (path,) = (tmp_path / "waymo/training").iterdir()
    shutil.copy(path, tmp_path / "waymo/validation")
    assert generate(tmp_path, tmp_path / "out", "waymo") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{path} and {tmp_path}/waymo/validation/{path.name} are one log" in line


def read_only(*args: object, **options: object) -> None:
    raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(args[0]))


def test_a_read_only_disk_is_one_clear_line(
    raw: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "mkdir", read_only)
    assert generate(raw, tmp_path / "out") == 2
    told = "cannot be written to (read-only file system); name a place where you may write"
    assert capsys.readouterr().err == f"error: {tmp_path}/out: {told}\n"


def test_a_disk_that_fills_up_at_merging_is_told_and_the_next_run_goes_on(
    raw: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    generate(raw, tmp_path / "whole")
    capsys.readouterr()
    out, sync = tmp_path / "out", os.fsync

    def full(handle: int) -> None:
        name = os.readlink(f"/proc/self/fd/{handle}")
        if "/kitti/" in name.removeprefix(str(out)):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(handle)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        assert generate(raw, out) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith(f"error: {out}/kitti/")
    assert line.endswith(".json: no space left on device")
    assert not list(out.glob("kitti/*.json")), "no half file under a file's name"
    parts = {path: path.stat().st_mtime_ns for path in (out / ".work/parts").glob("*.part")}
    assert len(parts) == 2, "the finished logs stay"
    generate(raw, out)
    assert content(out) == content(tmp_path / "whole")
