from pathlib import Path

import pytest

from impromptu import miniature
from impromptu.cli import main
from impromptu.files import read_json
from impromptu.registry import load_samples

ROOT = Path(__file__).parents[2]


def test_the_files_at_the_root_are_those_of_the_miniature(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    miniature.write(Path("build/miniature"), datasets=("nuscenes",), images=False)
    assert main(["nuscenes-json", "--data_raw", "build/miniature", "--workers", "1"]) == 0
    for name in ("nuscenes_train.json", "nuscenes_test.json"):
        assert (tmp_path / name).read_bytes() == (ROOT / name).read_bytes(), "make nuscenes-json"
    (sample, *_) = read_json(tmp_path / "nuscenes_test.json")
    assert (tmp_path / sample["images"][0].removeprefix("../")).is_file()


def test_both_are_registered() -> None:
    train, test = (load_samples(ROOT / "data", [f"nuscenes_{part}"]) for part in ("train", "test"))
    assert train
    assert test
    logs = [{sample.id.split("/")[1] for sample in samples} for samples in (train, test)]
    assert not set.intersection(*logs), "no scene is in both"
