"""What ``impromptu check`` tells of datasets that are whole, spoilt or absent."""

import shutil
from pathlib import Path

import pytest

from impromptu import miniature
from impromptu.cli import main


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    miniature.write(folder, datasets=("kitti", "nuscenes"), logs=2, duration_s=3.0)
    return folder


@pytest.fixture
def data_raw(whole: Path, tmp_path: Path) -> Path:
    shutil.copytree(whole, tmp_path / "raw")
    return tmp_path / "raw"


def test_whole_datasets_are_described(data_raw: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "kitti", "nuscenes", "--data_raw", str(data_raw)]) == 0
    told = capsys.readouterr().out
    for text in ("KITTI tracking", "cvlibs.net", "CC BY-NC-SA 3.0", "15 GB", "1 of 1 images"):
        assert text in told
    assert "6 of 6 images" in told
    assert "missing" not in told


def test_annotations_are_looked_for_behind_the_first_keyframe(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    miniature.write(tmp_path, datasets=("argoverse2",), logs=1, duration_s=3.0)
    assert main(["check", "argoverse2", "--data_raw", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert " agents" in told and "no annotation" not in told


def test_what_is_absent_is_listed_with_where_to_get_it(
    data_raw: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "--data_raw", str(data_raw)]) == 1
    told = capsys.readouterr().out
    described, _, missing = told.partition("\nmissing:\n")
    assert "waymo.com/open" in described
    assert "vehicle_pose/<segment>.parquet" in described
    assert {line.split(":")[0].strip() for line in missing.splitlines()} == {
        *("argoverse2", "idd", "mapillary_sls", "navsim", "once", "waymo")
    }


def test_images_that_are_gone_are_counted_and_one_is_named(
    data_raw: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(data_raw / "nuscenes/samples")
    assert main(["check", "nuscenes", "--data_raw", str(data_raw)]) == 1
    told = capsys.readouterr().out
    assert "0 of 6 images" in told
    assert "6 images, such as" in told
    assert ".jpg: missing_image" in told


def test_a_log_that_cannot_be_read_is_named(
    data_raw: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    oxts = next((data_raw / "kitti/data_tracking_oxts/training/oxts").glob("*.txt"))
    oxts.write_text("1 2 3\n")
    assert main(["check", "kitti", "--data_raw", str(data_raw)]) == 1
    assert f"{oxts.name}:1: " in capsys.readouterr().out


def test_an_unknown_name_is_answered_with_the_known(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "kity"]) == 2
    assert "'kity'" in (told := capsys.readouterr().err)
    assert "kitti" in told
