import json
from pathlib import Path
from typing import Any

import pytest

from impromptu.registry import REGISTRY, load_samples
from impromptu.shards import TASKS
from impromptu.shards.formatting import format_split
from impromptu.shards.merging import merge
from impromptu.shards.organizing import organize
from impromptu.shards.record_lines import dumped


def rows(path: Path) -> list[dict[str, Any]]:
    read = json.loads(path.read_text(encoding="utf-8"))
    assert isinstance(read, list)
    return read


def write(path: Path, records: list[dict[str, Any]], indent: int | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(dumped(record).decode() for record in records)
    text = json.dumps(records, indent=indent) if indent else f"[\n{lines}\n]\n"
    path.write_text(text, encoding="utf-8")


def record(name: object, image: str = "0.png") -> dict[str, Any]:
    messages = [{"role": "user", "content": "<image>"}, {"role": "assistant", "content": "é"}]
    return {"id": name, "images": [image], "messages": messages}


def test_datasets_in_the_order_of_their_names_and_questions_in_theirs(
    released: Path, tmp_path: Path
) -> None:
    out = tmp_path / "data"
    organize(released, out, "train", 1)
    format_split(out, "train", "keep", 1)
    result = merge(out, "train", "jsons", 1)
    folder = out / "jsons/train"
    assert sorted(p.name for p in folder.iterdir()) == [*(f"{t}.json" for t in TASKS), "train.json"]
    for task in TASKS:
        parts = [rows(out / f"train/{dataset}/{task}.json") for dataset in ("kitti", "waymo")]
        assert rows(folder / f"{task}.json") == [row for part in parts for row in part]
    every = [row for task in TASKS for row in rows(folder / f"{task}.json")]
    assert rows(folder / "train.json") == every
    assert len({row["id"] for row in every}) == len(every) == 54
    assert (result.renamed, result.missing, result.shared) == (0, [], {})


def test_workers_and_a_second_run_change_no_byte(released: Path, tmp_path: Path) -> None:
    out = tmp_path / "data"
    organize(released, out, "train", 1)
    merge(out, "train", "jsons", 1)
    first = {path: path.read_bytes() for path in (out / "jsons").rglob("*.json")}
    merge(out, "train", "jsons", 2)
    assert {path: path.read_bytes() for path in (out / "jsons").rglob("*.json")} == first


def test_inference_and_training_find_it_in_the_registry(released: Path, tmp_path: Path) -> None:
    out = tmp_path / "data"
    out.mkdir()
    (out / REGISTRY).write_text('{"mine": {"file_name": "x.json"}}')
    for split in ("train", "val"):
        organize(released, out, split, 1)
        merge(out, split, "jsons", 1)
    assert "mine" in json.loads((out / REGISTRY).read_text())
    assert len(load_samples(out, ["impromptu_train", "impromptu_val"])) == 54 + 18
    sample = load_samples(out, ["impromptu_q6_val"])[0]
    assert [(out / image).is_file() for image in sample.images] == [True, True]


@pytest.mark.parametrize("indent", [None, 4])
def test_ids_that_count_from_0_in_every_shard_become_unique(
    indent: int | None, tmp_path: Path
) -> None:
    """As the published step writes them."""
    for dataset in ("kitti", "waymo"):
        write(tmp_path / f"train/{dataset}/q1.json", [record("0"), record("0"), record(7)], indent)
    result = merge(tmp_path, "train", "jsons", 1)
    assert [row["id"] for row in rows(tmp_path / "jsons/train/q1.json")] == [
        "kitti/0/q1",
        "kitti/0~2/q1",
        "kitti/7/q1",
        "waymo/0/q1",
        "waymo/0~2/q1",
        "waymo/7/q1",
    ]
    assert result.renamed == 6
    assert len(result.missing) == 12
    assert rows(tmp_path / "jsons/train/train.json") == rows(tmp_path / "jsons/train/q1.json")


@pytest.mark.parametrize("datasets", [("kitti", "waymo"), ("kitti", "kitti")])
def test_an_id_that_comes_twice_gets_another(datasets: tuple[str, str], tmp_path: Path) -> None:
    """In two datasets, or in one."""
    for at, dataset in enumerate(datasets):
        known = tmp_path / f"train/{dataset}/q1.json"
        before = rows(known) if known.is_file() else []
        write(known, [*before, record("a/q1", f"{at}.png")])
    result = merge(tmp_path, "train", "jsons", 1)
    merged = rows(tmp_path / "jsons/train/q1.json")
    assert [row["id"] for row in merged] == ["a/q1", f"{datasets[1]}/a/q1"]
    assert [row["images"] for row in merged] == [["0.png"], ["1.png"]]
    assert result.renamed == 1


def test_what_is_no_record_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "train/kitti/q1.json"
    write(path, [record("a/q1"), record("b/q1")])
    path.write_bytes(path.read_bytes()[:-4])
    result = merge(tmp_path, "train", "jsons", 1)
    assert result.counts["q1"] == {"written": 1, "not_json": 1, "cut_short": 1}


def test_an_image_of_two_splits_is_told(tmp_path: Path) -> None:
    write(tmp_path / "train/kitti/q1.json", [record("a/q1", "1.png"), record("b/q1", "2.png")])
    write(tmp_path / "val/kitti/q1.json", [record("c/q1", "2.png"), record("d/q1", "3.png")])
    assert not merge(tmp_path, "train", "jsons", 1).shared
    assert merge(tmp_path, "val", "jsons", 1).shared == {"train": (1, ["2.png"])}
    assert merge(tmp_path, "train", "jsons", 1).shared == {"val": (1, ["2.png"])}


def test_files_out_of_the_folder_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "data/train/kitti/q1.json", [record("a/q1")])
    with pytest.raises(ValueError, match="--output_dir ../x: expected a folder inside"):
        merge(tmp_path / "data", "train", "../x", 1)
