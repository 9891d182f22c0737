"""``--extract_dir``: where the images inside Waymo's records go, and what if they cannot."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from impromptu import generation, miniature
from impromptu.cli import main
from impromptu.counts import LogCounts
from impromptu.files import read_json
from impromptu.generation import WORK
from impromptu.part import Unit, write_part


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("raw")
    miniature.write(out, datasets=["waymo"], logs=2, duration_s=9.0)
    return out


@pytest.fixture()
def download(raw: Path, tmp_path: Path) -> Path:
    """A ``data_raw`` of this test's own, that links to the records."""
    folder = tmp_path / "data_raw"
    folder.mkdir()
    (folder / "waymo").symlink_to(raw / "waymo")
    return folder


def run(download: Path, out: Path, *flags: str, asks: str = "trajectory") -> int:
    fixed = ("--data_raw", str(download), "--out", str(out), "--questions", asks)
    return main(["generate", *fixed, "--workers", "1", *flags])


def entry(out: Path, split: str = "train") -> Any:
    return read_json(out / "manifest.json")["datasets"]["waymo"][split]


def images_of(out: Path, task: str = "q7", split: str = "train") -> set[Path]:
    """Return every image that the samples of one file name."""
    samples = read_json(out / "waymo" / f"{task}_{split}.json")
    return {(out / image).resolve() for sample in samples for image in sample["images"]}


def files(folder: Path) -> set[Path]:
    return {path.resolve() for path in folder.rglob("*") if path.is_file()}


def test_images_go_beside_the_dataset_or_where_they_are_sent(
    download: Path, tmp_path: Path
) -> None:
    """Only those that a sample shows: of one split, and of presents with a way around them."""
    chosen = tmp_path / "chosen"
    assert run(download, tmp_path / "one", "--split", "train") == 0
    assert files(download / "waymo_extracted") == images_of(tmp_path / "one") != set()
    shutil.rmtree(download / "waymo_extracted")
    assert run(download, tmp_path / "two", "--split", "train", "--extract_dir", str(chosen)) == 0
    assert files(chosen / "waymo_extracted" / "train") == images_of(tmp_path / "two") != set()
    assert not (download / "waymo_extracted").exists()
    assert entry(tmp_path / "one") == entry(tmp_path / "two")
    assert images_of(tmp_path / "one").isdisjoint(images_of(tmp_path / "two"))


def test_a_folder_that_cannot_be_written_fails_the_log(
    download: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (download / "waymo_extracted").write_text("in the way")
    assert run(download, tmp_path / "out") == 1
    failed = entry(tmp_path / "out")["logs_failed"]
    assert len(failed) == entry(tmp_path / "out")["logs"] == 1
    assert all("--extract_dir DIR" in why for why in failed.values())
    assert "--extract_dir DIR" in capsys.readouterr().out


def test_or_its_samples_are_kept_and_it_is_told(
    download: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, out, keep = tmp_path / "whole", tmp_path / "out", ("--missing_images", "keep")
    assert run(download, whole, *keep) == 0
    shutil.rmtree(download / "waymo_extracted")
    (download / "waymo_extracted").write_text("in the way")
    assert run(download, out, *keep) == 0
    text = capsys.readouterr().out
    assert "images missing of 2 logs, as of waymo/" in text
    assert "--extract_dir DIR" in text
    kept, wanted = entry(out), entry(whole)
    assert len(kept["images_unwritten"]) == 1
    assert (
        kept["questions"]["q7"]["samples_with_missing_images"]
        == wanted["questions"]["q7"]["samples"]
        > 0
    )
    assert wanted["images_unwritten"] == {}
    assert images_of(out) == images_of(whole)
    (download / "waymo_extracted").unlink()
    assert run(download, out, *keep) == 0
    assert entry(out) == wanted, "once it can be written, it is"


def test_a_killed_run_goes_on_only_with_the_same_folder(
    download: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The samples name the images, so that half of them would be elsewhere."""
    made = list[str]()

    def killed_at_the_second(unit: Unit) -> LogCounts:
        made.append(unit.log.id)
        if len(made) == 2:
            raise KeyboardInterrupt
        return write_part(unit)

    monkeypatch.setattr(generation, "write_part", killed_at_the_second)
    out, first, second = tmp_path / "out", tmp_path / "first", tmp_path / "second"
    assert run(download, out, "--extract_dir", str(first)) == 130
    assert list((out / WORK / "parts").glob("*.part"))
    assert run(download, out, "--extract_dir", str(second)) == 0
    assert len(made) == 2 + 2
    assert all(path.is_relative_to(second) for path in images_of(out))
    assert images_of(out) | images_of(out, split="val") == files(second)


def test_no_image_is_written_for_what_is_not_asked(download: Path, tmp_path: Path) -> None:
    """Planning samples are asked of nuScenes alone."""
    assert run(download, tmp_path / "out", asks="nuscenes_planning") == 1
    assert not (download / "waymo_extracted").exists()
