import json
from pathlib import Path

import pytest
from tests.review.conftest import OBSTACLES, ROADS, RULES, label, write_lines

from impromptu.files import write_json, write_json_list
from impromptu.review.items import Dropped, Item, read_items


def read(folder: Path) -> tuple[list[Item], Dropped]:
    dropped = Dropped()
    return list(read_items(folder, folder / "review", dropped)), dropped


def test_labels_are_read_in_the_order_of_the_taxonomy(raw: Path, tmp_path: Path) -> None:
    write_lines(tmp_path / "l/x.jsonl", [label(1, OBSTACLES, ROADS), label(2)])
    (one, none), dropped = read(tmp_path / "l")
    assert one.label == (ROADS, OBSTACLES) and none.label == ()
    assert (one.kind, one.clip, one.log) == ("categories", "kitti/0001/000001", "kitti/0001")
    assert one.places == (tmp_path / "l/../raw/1.jpg",)
    assert none.stratum == "standard scene" and not dropped.counts


def test_answers_of_three_questions_are_read(answers: Path) -> None:
    items, dropped = read(answers)
    assert [item.kind for item in items] == ["q3", "q3", "q4", "q4", "q5", "q5"]
    assert items[2].label == ("Red",) and items[2].clip == "kitti/0001/000000"
    assert not dropped.counts


def test_what_cannot_be_reviewed_is_counted_by_reason(raw: Path, tmp_path: Path) -> None:
    folder = tmp_path / "l"
    rows = [
        label(1, RULES),
        label(1, RULES),
        label(2, "Unconventional dynamic obstacle"),
        label(3) | {"images": ["gone.jpg"]},
        label(4) | {"categories": "none"},
        label(5) | {"images": []},
        label(6) | {"id": 7},
        label(7) | {"images": ["a\0b"]},
        {"id": "x", "text": "something else"},
    ]
    path = write_lines(folder / "x.jsonl", rows)
    with path.open("ab") as file:
        file.write(b'{"id": "torn", "categ\n' + json.dumps(label(8)).encode() + b"\n")
    items, dropped = read(folder)
    assert [item.id for item in items] == ["kitti/0001/000001", "kitti/0000/000008"]
    assert dropped.counts == {
        "repeated_id": 1,
        "unknown_category": 1,
        "image_missing": 2,
        "wrong_type": 1,
        "no_images": 1,
        "no_id": 1,
        "no_messages": 1,
        "not_json": 1,
    }
    assert "Did you mean 'Unconventional" in dropped.examples["unknown_category"][0]
    assert "x.jsonl: record 4" in dropped.examples["image_missing"][0]


def test_other_questions_and_missing_or_odd_answers_are_counted(answers: Path) -> None:
    rows = json.loads((answers / "kitti/q4_val.json").read_text())
    rows[0]["messages"][1]["content"] = "Purple"
    rows[1]["messages"][1]["content"] = " "
    write_json_list(answers / "kitti/q4_val.json", rows)
    for row in rows:
        row["id"] = row["id"].replace("q4", "q7")
    write_json_list(answers / "kitti/q7_val.json", rows)
    items, dropped = read(answers)
    assert len(items) == 4
    assert dropped.counts == {"unreadable_answer": 1, "unanswered": 1, "other_question": 2}


def test_only_registered_files_are_read_where_there_is_a_registry_and_all_labels(
    answers: Path, labels: Path
) -> None:
    write_json(answers / "dataset_info.json", {"x": {"file_name": "kitti/q5_val.json"}})
    write_lines(answers / "more/labels.jsonl", [label(3) | {"images": ["../../raw/3.jpg"]}])
    items, dropped = read(answers)
    assert sorted({item.kind for item in items}) == ["categories", "q5"]


def test_what_is_in_the_folder_of_decisions_is_not_read(labels: Path) -> None:
    write_lines(labels / "review/decisions.jsonl", [{"id": "x"}])
    items, dropped = read(labels)
    assert len(items) == 10 and not dropped.counts


@pytest.mark.parametrize("name", ["none", "empty"])
def test_a_folder_without_files_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=name):
        read(tmp_path / name)


def test_what_a_person_saw_is_known_by_a_hash(raw: Path, tmp_path: Path) -> None:
    write_lines(tmp_path / "l/x.jsonl", [label(1, RULES)])
    write_lines(tmp_path / "m/x.jsonl", [label(1, ROADS)])
    (one,), _ = read(tmp_path / "l")
    (other,), _ = read(tmp_path / "m")
    assert one.about(blind=False) != other.about(blind=False)
    assert one.about(blind=True) == other.about(blind=True)
