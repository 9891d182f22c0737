"""Generation over the in-memory drives: counts, files, resuming, refusal."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from impromptu import generation, miniature, part, plugins, questions
from impromptu.files import read_json
from impromptu.generation import WORK, Result, generate, present_datasets
from impromptu.manifest import MANIFEST
from impromptu.part import LogCounts, Recipe, Unit
from impromptu.registry import REGISTRY

RECIPE = Recipe(("meta_action", "trajectory", "scene_description"), missing_images="keep")


def _generate(out: Path, recipe: Recipe = RECIPE, **options: Any) -> Result:
    raw = out.parent / "raw"
    options = {"splits": None, "workers": 1} | options
    return generate(raw, out, ["synthetic"], recipe=recipe, **options)


def _bytes(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_counts_can_be_derived_by_hand(tmp_path: Path) -> None:
    """24 keyframes at 2 Hz: the first 3 lack 1.5 s of past, the last 10 lack 5 s of future."""
    result = _generate(tmp_path / "out")
    manifest = read_json(tmp_path / "out" / MANIFEST)
    train, test = (manifest["datasets"]["synthetic"][split] for split in ("train", "test"))
    assert (train["logs"], train["clips"], test["clips"]) == (2, 48, 24)
    q7 = {"asked": 48, "samples": 22, "dropped": {"future_under_5s": 20, "past_under_1.5s": 6}}
    assert train["questions"]["q7"] == q7
    assert result.clips == 72
    for split in (train, test):
        for tally in split["questions"].values():
            assert tally["asked"] == tally["samples"] + sum(tally["dropped"].values())


def test_files_are_those_of_the_registry_and_the_manifest(tmp_path: Path) -> None:
    result = _generate(tmp_path / "out")
    registry = read_json(tmp_path / "out" / REGISTRY)
    assert sorted(registry) == [
        f"synthetic_{task}_{split}" for task in ("q6", "q7") for split in ("test", "train")
    ]
    for path, count in result.files:
        samples = read_json(path)
        assert len(samples) == count > 0
        assert len({sample["id"] for sample in samples}) == count
    unanswered = read_json(tmp_path / "out/synthetic/unanswered/q5_train.json")
    assert {sample["messages"][1]["content"] for sample in unanswered} == {""}
    assert not (tmp_path / "out" / WORK).exists()


def test_image_paths_start_at_the_output_folder(tmp_path: Path) -> None:
    _generate(tmp_path / "out")
    (sample, *_) = read_json(tmp_path / "out/synthetic/q7_test.json")
    assert sample["images"] == ["../raw/synthetic/braking/03.png"]


def test_two_workers_write_the_same_bytes(tmp_path: Path) -> None:
    _generate(tmp_path / "one")
    _generate(tmp_path / "two", workers=2)
    assert _bytes(tmp_path / "one") == _bytes(tmp_path / "two")


def test_a_killed_run_ends_with_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _generate(tmp_path / "whole")
    made: list[str] = []

    def killed_at_the_second(unit: Unit) -> LogCounts:
        made.append(unit.log.id)
        if len(made) == 2:
            raise KeyboardInterrupt
        return part.write_part(unit)

    monkeypatch.setattr(generation, "write_part", killed_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        _generate(tmp_path / "killed")
    _generate(tmp_path / "killed")
    assert _bytes(tmp_path / "whole") == _bytes(tmp_path / "killed")
    assert len(made) == len(set(made)) + 1 == 4, "only the unfinished log is made again"


def test_a_folder_of_another_recipe_is_refused(tmp_path: Path) -> None:
    _generate(tmp_path / "out")
    before = _bytes(tmp_path / "out")
    with pytest.raises(ValueError, match="another recipe"):
        _generate(tmp_path / "out", Recipe(("trajectory",), preset="released"))
    assert _bytes(tmp_path / "out") == before


def test_a_killed_run_binds_the_folder_to_its_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(unit: Unit) -> LogCounts:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(generation, "write_part", killed)
        _generate(tmp_path / "out")
    with pytest.raises(ValueError, match="another recipe"):
        _generate(tmp_path / "out", Recipe(("trajectory",), preset="released"))


def test_a_second_split_joins_the_first(tmp_path: Path) -> None:
    _generate(tmp_path / "all")
    _generate(tmp_path / "out", splits=["train"])
    _generate(tmp_path / "out", splits=["test"])
    assert _bytes(tmp_path / "out") == _bytes(tmp_path / "all")


def test_absent_images_drop_samples_and_are_counted(tmp_path: Path) -> None:
    _generate(tmp_path / "out", Recipe(("trajectory",)), splits=["test"])
    entry = read_json(tmp_path / "out" / MANIFEST)["datasets"]["synthetic"]["test"]
    assert entry["questions"]["q7"]["dropped"]["missing_image"] == 11
    assert entry["files"] == {}


def test_a_file_that_is_no_image_is_dropped(tmp_path: Path) -> None:
    image = tmp_path / "raw/synthetic/braking/03.png"
    image.parent.mkdir(parents=True)
    image.write_text("not a picture")
    _generate(tmp_path / "out", Recipe(("trajectory",)), splits=["test"])
    entry = read_json(tmp_path / "out" / MANIFEST)["datasets"]["synthetic"]["test"]
    assert entry["questions"]["q7"]["dropped"]["not_an_image"] == 1


def test_released_records_say_so(tmp_path: Path) -> None:
    _generate(tmp_path / "out", Recipe(("trajectory",), "released", missing_images="keep"))
    text = (tmp_path / "out/synthetic/q7_train.json").read_text()
    assert {sample["preset"] for sample in json.loads(text)} == {"released"}
    assert read_json(tmp_path / "out" / MANIFEST)["recipe"]["preset"] == "released"


def test_an_empty_folder_is_answered_with_where_to_download(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nuscenes.org.*\n(.*\n)*.*impromptu miniature"):
        present_datasets(tmp_path)


def test_a_folder_with_our_readme_alone_holds_no_dataset(tmp_path: Path) -> None:
    for name in ("waymo", "kitti"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "README.md").touch()
    (tmp_path / "kitti" / "data").touch()
    assert present_datasets(tmp_path) == ["kitti"]


def test_a_dataset_that_cannot_be_read_does_not_stop_the_others(tmp_path: Path) -> None:
    out, recipe = tmp_path / "out", RECIPE
    result = generate(tmp_path, out, ["kitti", "synthetic"], None, recipe, workers=1)
    assert [name for name, _ in result.failed] == ["kitti"]
    assert list(read_json(out / MANIFEST)["datasets_failed"]) == ["kitti"]
    with pytest.raises(FileNotFoundError, match="Download it"):
        generate(tmp_path, tmp_path / "other", ["kitti"], None, recipe, workers=1)


@pytest.mark.slow
def test_a_run_killed_outright_goes_on_and_leaves_no_worker(tmp_path: Path) -> None:
    raw, whole, killed = tmp_path / "raw", tmp_path / "whole", tmp_path / "killed"
    miniature.write(raw, datasets=("nuscenes",), logs=12, images=False)
    recipe = Recipe(tuple(plugins.names(questions)))
    generate(raw, whole, ["nuscenes"], None, recipe, workers=2)
    command = [sys.executable, "-m", "impromptu", "generate", "--workers", "2"]
    command += ["--data_raw", str(raw), "--out", str(killed)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    parts = killed / WORK / "parts"
    while len(list(parts.glob("*.part"))) < 3:
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.05)
    process.kill()
    process.wait()
    finished = {path.name: path.stat().st_mtime_ns for path in parts.glob("*.part")}
    assert 3 <= len(finished) < 12
    generate(raw, killed, ["nuscenes"], None, recipe, workers=2)
    assert _bytes(whole) == _bytes(killed)
