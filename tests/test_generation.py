"""Generation over the in-memory drives: counts, files, resuming, refusal."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from PIL import Image

from impromptu import clip_table, datasets, generation, miniature, part, plugins, questions
from impromptu.clip import Clip
from impromptu.counts import LogCounts
from impromptu.datasets import Dataset, Dropped, Log
from impromptu.files import alone, read_json
from impromptu.filters import Filters
from impromptu.generation import WORK, Result, generate, present_datasets
from impromptu.manifest import MANIFEST
from impromptu.part import Recipe, Unit
from impromptu.registry import REGISTRY

LOAD = plugins.load
RECIPE = Recipe(("meta_action", "trajectory", "scene_description"), missing_images="keep")


def _generate(out: Path, recipe: Recipe = RECIPE, **options: Any) -> Result:
    raw = out.parent / "raw"
    options = {"splits": None, "workers": 1} | options
    return generate(raw, out, ["synthetic"], recipe=recipe, **options)


def _write_image(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4)).save(path)


def _bytes(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_counts_can_be_derived_by_hand(tmp_path: Path) -> None:
    """24 keyframes at 2 Hz: the first 3 lack 1.5 s of past, the last 10 lack 5 s of future."""
    result = _generate(tmp_path / "out")
    manifest = read_json(tmp_path / "out" / MANIFEST)
    train, test = (manifest["datasets"]["synthetic"][split] for split in ("train", "test"))
    assert (train["logs"], train["clips"], test["clips"]) == (2, 48, 24)
    assert train["questions"]["q7"] == {
        "asked": 48,
        "samples": 22,
        "samples_with_missing_images": 22,
        "answers_clipped": 0,
        "dropped": {"future_under_5s": 20, "past_under_1.5s": 6},
    }
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


def test_every_clip_is_in_the_table_of_its_split(tmp_path: Path) -> None:
    _generate(tmp_path / "out")
    table = clip_table.read(tmp_path / "out/clips/synthetic_train.parquet")
    assert len(table.ids) == 48
    samples = read_json(tmp_path / "out/synthetic/q7_train.json")
    assert {sample["id"].rpartition("/")[0] for sample in samples} <= set(table.ids)
    assert sorted(path.name for path in (tmp_path / "out/clips").iterdir()) == [
        "synthetic_test.parquet",
        "synthetic_train.parquet",
    ]


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
    for log in ("straight", "left_arc", "braking"):
        for index in range(24):
            _write_image(tmp_path / f"raw/synthetic/{log}/{index:02d}.png")
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


def test_two_runs_do_not_write_one_folder_at_once(tmp_path: Path) -> None:
    with alone(tmp_path / "out" / WORK):
        with pytest.raises(ValueError, match="another run is writing"):
            _generate(tmp_path / "out")
    _generate(tmp_path / "out")


def test_a_refused_wording_does_not_bind_the_folder(tmp_path: Path) -> None:
    wording = tmp_path / "words.yaml"
    wording.write_text("q99: {prompt: hi}")
    with pytest.raises(ValueError, match="q99"):
        _generate(tmp_path / "out", Recipe(("trajectory",), wording=wording))
    _generate(tmp_path / "out")


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


def test_files_that_are_no_whole_image_are_dropped(tmp_path: Path) -> None:
    folder = tmp_path / "raw/synthetic/braking"
    for index in (3, 4, 5):
        _write_image(folder / f"{index:02d}.png")
    (folder / "04.png").write_bytes((folder / "03.png").read_bytes()[:-20])
    (folder / "05.png").write_text("not a picture")
    _generate(tmp_path / "out", Recipe(("trajectory",)), splits=["test"])
    q7 = read_json(tmp_path / "out" / MANIFEST)["datasets"]["synthetic"]["test"]["questions"]["q7"]
    assert q7["samples"] == 1
    assert (q7["dropped"]["truncated_image"], q7["dropped"]["not_an_image"]) == (1, 1)


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / "out/synthetic/mine_train.json"
    mine.parent.mkdir(parents=True)
    mine.write_text("[]")
    _generate(tmp_path / "out")
    _generate(tmp_path / "out")
    assert mine.read_text() == "[]"
    registry = tmp_path / "other" / REGISTRY
    registry.parent.mkdir()
    registry.write_text("{}")
    with pytest.raises(ValueError, match="did not write"):
        _generate(tmp_path / "other")
    assert registry.read_text() == "{}"


def test_a_fault_that_no_adapter_foresaw_fails_its_log_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synthetic = plugins.load(datasets, "synthetic", Dataset)

    def clips(log: Log) -> Iterator[Clip | Dropped]:
        if log.id == "braking":
            raise OverflowError("too large")
        return synthetic.clips(log)

    def load(package: ModuleType, name: str, kind: type) -> object:
        plugin: object = LOAD(package, name, kind)
        return replace(plugin, clips=clips) if isinstance(plugin, Dataset) else plugin

    monkeypatch.setattr(plugins, "load", load)
    result = _generate(tmp_path / "out")
    assert result.failed == [("synthetic/braking", "braking: too large")]
    assert result.clips == 48


def test_filtered_motion_is_counted_for_each_question_about_it(tmp_path: Path) -> None:
    """With a limit that nobody meets, q6 and q7 have no sample left; q5 asks about one image."""
    _generate(tmp_path / "out", replace(RECIPE, filters=Filters(jump_mps=0.0)))
    manifest = read_json(tmp_path / "out" / MANIFEST)
    assert manifest["recipe"]["filters"]["jump_mps"] == 0.0
    asked = manifest["datasets"]["synthetic"]["train"]["questions"]
    assert asked["q7"]["dropped"] == {
        "future_under_5s": 20,
        "past_under_1.5s": 6,
        "jump": 22,
    }
    assert asked["q6"]["samples"] == 0
    assert asked["q5"]["samples"] == asked["q5"]["asked"] == 48


def test_a_folder_of_other_filters_is_refused(tmp_path: Path) -> None:
    _generate(tmp_path / "out")
    with pytest.raises(ValueError, match="another recipe"):
        _generate(tmp_path / "out", replace(RECIPE, filters=Filters()))


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


@pytest.mark.parametrize(
    ("recipe", "rate_hz"),
    [
        (Recipe((), "strict"), None),
        (Recipe((), "released"), 2.0),
        (Recipe((), "released", mapillary_hz=4.0), 4.0),
    ],
)
def test_only_the_published_recipe_takes_a_rate_for_granted(
    recipe: Recipe, rate_hz: float | None
) -> None:
    assert recipe.frames_hz == rate_hz


def test_without_a_rate_mapillary_is_asked_about_images_alone(tmp_path: Path) -> None:
    """19 + 18 frames, four of them unusable; an image of each sequence is missing."""
    miniature.write(
        tmp_path / "raw", datasets=["mapillary_sls"], logs=1, duration_s=9.0, images=False
    )
    asked = ("trajectory", "scene_description")
    found = {}
    for rate_hz in None, 2.0:
        out = tmp_path / f"out_{rate_hz}"
        recipe = Recipe(asked, mapillary_hz=rate_hz)
        generate(tmp_path / "raw", out, ["mapillary_sls"], None, recipe, 1)
        manifest = read_json(out / MANIFEST)
        assert manifest["recipe"]["mapillary_hz"] == rate_hz
        found[rate_hz] = manifest["datasets"]["mapillary_sls"]["train"]
    assert found[None]["clips"] == found[2.0]["clips"] == 33
    assert found[None]["questions"]["q7"]["dropped"] == {"past_under_1.5s": 33}
    assert found[None]["questions"]["q5"]["samples"] == 31
    assert found[2.0]["questions"]["q7"]["samples"] > 0
    assert found[None]["keyframes_dropped"] == {
        "not_forward": 1,
        "not_in_postprocessed": 1,
        "not_in_raw": 1,
        "panorama": 1,
    }
