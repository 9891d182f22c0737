import gc
import hashlib
import json
import shutil
import tarfile
import warnings
from pathlib import Path
from typing import Any

import pytest
import yaml

from impromptu import miniature, questions
from impromptu.files import write_json_list
from impromptu.generation import generate
from impromptu.part import Recipe
from impromptu.plugins import names
from impromptu.shards import packing
from impromptu.shards.organizing import organize
from impromptu.shards.packing import pack

webdataset = pytest.importorskip("webdataset", reason="needs the shards extra: webdataset")

SMALL = 1_500_000


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Samples of two miniatures, and answers of a teacher to one question."""
    root = tmp_path_factory.mktemp("packing")
    miniature.write(root / "raw", datasets=("nuscenes", "kitti"))
    recipe = Recipe(tuple(names(questions)))
    generate(root / "raw", root / "samples", ("nuscenes", "kitti"), None, recipe, 1)
    prompts = json.loads((root / "samples/kitti/unanswered/q4_train.json").read_text())
    for row in prompts:
        row["messages"][1]["content"] = "Green"
    write_json_list(root / "samples/kitti/q4_train.json", reversed(prompts))
    registry = json.loads((root / "samples/dataset_info.json").read_text())
    registry["kitti_q4_train"] = registry["kitti_q7_train"] | {"file_name": "kitti/q4_train.json"}
    (root / "samples/dataset_info.json").write_text(json.dumps(registry))
    return root / "samples"


@pytest.fixture(scope="module")
def packed(generated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("packed") / "ImpromptuData"
    pack(generated, out, SMALL, 1)
    return out


def told(folder: Path, file: Path) -> dict[str, Any]:
    """Samples by id, each image as its bytes."""
    rows = json.loads(file.read_text(encoding="utf-8"))
    found = {
        row["id"]: row | {"images": [(folder / image).read_bytes() for image in row["images"]]}
        for row in rows
    }
    assert len(found) == len(rows)
    return found


@pytest.mark.parametrize("split", ["train", "val"])
def test_nothing_is_lost_on_the_way_there_and_back(
    split: str, generated: Path, packed: Path, tmp_path: Path
) -> None:
    out = tmp_path / "data"
    organize(packed, out, split, 1)
    compared = 0
    for file in sorted((out / split).glob("*/q*.json")):
        mine = generated / file.parent.name / f"{file.stem}_{split}.json"
        compared += len(back := told(out, file))
        assert back == (told(generated, mine) if mine.is_file() else {}), file
    assert compared > 400


def test_the_names_are_the_released_ones(packed: Path) -> None:
    shards = sorted(packed.glob("nuscenes/*.tar"))
    assert shards[0].name == "nuscenes_train_000000.tar"
    with tarfile.open(shards[0]) as archive:
        first = [name for name in archive.getnames() if name.startswith("00000000.")]
        views = ["back", "back_left", "back_right", "front", "front_left", "front_right"]
        texts = [
            f"q{n}_{e}" for n in range(1, 8) for e in ("answer.txt", "images.json", "question.txt")
        ]
        assert first == [f"00000000.{n}" for n in (*(f"{v}.jpg" for v in views), "json", *texts)]
        asked = archive.extractfile("00000000.q3_images.json")
        assert asked is not None
        assert asked.read() == b"[]"
        infos = archive.getmembers()
    assert {(i.mtime, i.uid, i.gid, i.uname, i.gname, i.mode) for i in infos} == {
        (0, 0, 0, "", "", 0o644)
    }


def test_webdataset_reads_them(packed: Path) -> None:
    paths = [str(path) for path in sorted(packed.glob("kitti/kitti_train_*.tar"))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it leaves its files to the collector
        samples = list(webdataset.WebDataset(paths, shardshuffle=False, empty_check=False))
        gc.collect()
    manifest = json.loads((packed / "manifest.json").read_text())
    assert len(samples) == sum(
        one["samples"] for name, one in manifest["shards"].items() if "kitti_train" in name
    )
    sample = next(one for one in samples if json.loads(one["q7_images.json"]) == ["front"])
    assert b"<image>" in sample["q7_question.txt"]
    assert sample["front.png"].startswith(b"\x89PNG")
    assert json.loads(sample["json"])["q7"]["id"].endswith("/q7")
    assert {one["q4_answer.txt"] for one in samples} == {b"Green"}, "read in another order"


def test_shards_are_of_a_size_and_sums_are_right(packed: Path) -> None:
    lines = (packed / "SHA256SUMS").read_text().splitlines()
    assert len(lines) == len(list(packed.glob("*/*.tar"))) > 10
    for line in lines:
        digest, _, name = line.partition("  ")
        content = (packed / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == digest
        assert len(content) <= SMALL + 10_240


def test_counts_add_up(packed: Path, generated: Path) -> None:
    manifest = json.loads((packed / "manifest.json").read_text())
    for dataset, splits in manifest["questions"].items():
        for split, tasks in splits.items():
            for task, counts in tasks.items():
                path = generated / dataset / f"{task}_{split}.json"
                asked = len(json.loads(path.read_text())) if path.is_file() else 0
                assert counts["found"] == asked
                assert asked == counts["written"] + sum(counts["dropped"].values())
    assert manifest["left_out"] == ["nuscenes_planning_train", "nuscenes_planning_val"]
    assert manifest["logs_that_share_images"] == []


def test_the_card_is_one_the_hub_reads(packed: Path) -> None:
    card = (packed / "README.md").read_text(encoding="utf-8")
    front = yaml.safe_load(card.split("---\n")[1])
    assert front["license"] == "other"
    assert [one["split"] for one in front["configs"][0]["data_files"]] == ["train", "val", "test"]
    for one in front["configs"][0]["data_files"]:
        assert list(packed.glob(one["path"]))
    assert "CC BY-NC-SA 3.0" in card
    assert "| kitti | train | 80 |" in card  # 82 clips, one image missing in each of two logs


def test_workers_change_no_byte_and_a_second_run_writes_nothing(
    packed: Path, generated: Path, tmp_path: Path
) -> None:
    assert pack(generated, packed, SMALL, 1).written == 0
    again = tmp_path / "again"
    pack(generated, again, SMALL, 2)
    names = [p.relative_to(packed) for p in packed.rglob("*") if p.is_file()]
    assert [n for n in names if (again / n).read_bytes() != (packed / n).read_bytes()] == []


def test_a_killed_run_goes_on_and_larger_shards_leave_none_of_the_small(
    generated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, written, write = tmp_path / "out", list[str](), packing._write

    def killed_at_the_third(plan: packing.Plan) -> None:
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(plan.path.name)
        write(plan)

    monkeypatch.setattr(packing, "_write", killed_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        pack(generated, out, SMALL, 1)
    monkeypatch.undo()
    result = pack(generated, out, SMALL, 1)
    assert result.written == len(result.shards) - 2
    result = pack(generated, out, 10**9, 1)
    assert sorted(p.name for p in out.glob("*/*.tar")) == sorted(
        Path(n).name for n in result.shards
    )
    assert len(result.shards) == 4


def copy(generated: Path, out: Path) -> Path:
    """Copy a generated folder to where its images are still found."""
    shutil.copytree(generated, out / "samples")
    shutil.copytree(generated.parent / "raw/kitti", out / "raw/kitti")
    registry = out / "samples/dataset_info.json"
    entries = json.loads(registry.read_text())
    registry.write_text(json.dumps({n: e for n, e in entries.items() if n.startswith("kitti")}))
    return out / "samples"


def shown(samples: Path, split: str) -> list[Path]:
    """Return the images of KITTI's samples of a split, in their order."""
    rows = json.loads((samples / f"kitti/q6_{split}.json").read_text())
    return [samples / image for row in rows for image in row["images"]]


def test_a_broken_image_costs_its_questions(generated: Path, tmp_path: Path) -> None:
    samples = copy(generated, tmp_path)
    images = shown(samples, "train")
    images[0].unlink()
    images[5].write_bytes(images[5].read_bytes()[:-20])
    result = pack(samples, tmp_path / "out", 10**9, 1)
    lost = [
        c for splits in result.counts.values() for tasks in splits.values() for c in tasks.values()
    ]
    assert sum(c["missing_image"] for c in lost) > 0
    assert sum(c["truncated_image"] for c in lost) > 0


def test_logs_that_share_images_across_splits_are_named(generated: Path, tmp_path: Path) -> None:
    samples = copy(generated, tmp_path)
    shutil.copyfile(shown(samples, "train")[5], shown(samples, "test")[5])
    result = pack(samples, tmp_path / "out", 10**9, 1)
    assert [(pair[0][:5], pair[1], pair[3], pair[4]) for pair in result.shared] == [
        ("kitti", "test", "train", 1)
    ]


def test_a_log_of_two_splits_is_refused(generated: Path, tmp_path: Path) -> None:
    samples = copy(generated, tmp_path)
    shutil.copyfile(samples / "clips/kitti_train.parquet", samples / "clips/kitti_test.parquet")
    with pytest.raises(ValueError, match=r"log kitti/training_0000 is in test and in train"):
        pack(samples, tmp_path / "out", 10**9, 1)


def test_a_folder_of_others_is_refused(generated: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").touch()
    with pytest.raises(ValueError, match="choose another --out"):
        pack(generated, tmp_path, 10**9, 1)
    with pytest.raises(FileNotFoundError, match="data_qa_generate"):
        pack(tmp_path, tmp_path / "out", 10**9, 1)
