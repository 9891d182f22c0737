"""Samples are found and read the same from every kind of file, and nothing in one raises."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impromptu.audit_records import split_of
from impromptu.audit_sources import count_batches, find_files, read
from impromptu.auditing import audit
from impromptu.audits import Record
from impromptu.conversation import registry_entry

PICTURE = b"\x89PNG\r\n\x1a\n" + b"0" * 100 + b"IEND\xaeB`\x82"
POINTS = ", ".join(f"[{x}.00, 0.00]" for x in range(1, 11))


def row(name: str, image: str = "a.png", **more: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": "<image> ?"}, {"role": "assistant", "content": "Red"}]
    return {"id": name, "images": [image], "messages": messages} | more


def records(*inputs: Path) -> list[Record]:
    return [record for batch in read(find_files(list(inputs))) for record in batch]


def pack(path: Path, files: dict[str, bytes | str]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def test_list_lines_and_shard_give_the_same_samples(tmp_path: Path) -> None:
    rows = [row("d/log/1/q4"), row("d/log/2/q4")]
    (tmp_path / "a.json").write_text(json.dumps(rows))
    (tmp_path / "b.jsonl").write_text("\n".join(map(json.dumps, rows)))
    members: dict[str, bytes | str] = {f"{n}.json": json.dumps(one) for n, one in enumerate(rows)}
    pack(tmp_path / "c.tar", members)
    found = [records(tmp_path / name) for name in ("a.json", "b.jsonl", "c.tar")]
    shown = [[(r.row, r.id, r.prompt, r.answer, r.log, r.clip) for r in one] for one in found]
    assert shown[0] == shown[1] == shown[2]
    assert shown[0][1] == (2, "d/log/2/q4", "<image> ?", "Red", "d/log", "d/log/2")


def test_other_makers_words(tmp_path: Path) -> None:
    turns = [("system", "S"), ("human", "Where?"), ("gpt", f"To {POINTS}")]
    conversation = [{"from": role, "value": text} for role, text in turns]
    path = tmp_path / "x.json"
    path.write_text(
        json.dumps([{"image": "v/cam_front/n008__0042.jpg", "conversations": conversation}])
    )
    (record,) = records(path)
    assert (record.prompt, record.task, record.told_task) == ("Where?", "q7", False)
    assert record.log == f"{tmp_path}/v/cam_front/n008_"
    assert record.path_m is not None and record.path_m.shape == (10, 2)


def test_registry_names_files_columns_and_the_folder_of_images(tmp_path: Path) -> None:
    entry = registry_entry("deep/q4_train.json")
    entry["columns"] = {"messages": "talk", "images": "pictures"}
    (tmp_path / "dataset_info.json").write_text(
        json.dumps({"x": entry, "gone": {"file_name": "no.json"}})
    )
    (tmp_path / "deep").mkdir()
    one = row("1")
    renamed = {"id": "1", "talk": one["messages"], "pictures": ["p/a.png"]}
    (tmp_path / "deep/q4_train.json").write_text(json.dumps([renamed]))
    whole, gone = records(tmp_path)
    assert whole.answer == "Red"
    assert whole.paths == (f"{tmp_path}/p/a.png",)
    assert whole.source.split == "train"
    assert [reason for reason, _ in gone.faults] == ["unreadable_file"]
    (alone,) = records(tmp_path / "deep/q4_train.json")
    assert alone.paths == whole.paths


def test_images_start_where_the_first_one_is_found(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "a.png").write_bytes(PICTURE)
    (tmp_path / "here/x.json").write_text(json.dumps([row("1")]))
    (record,) = records(tmp_path / "here/x.json")
    assert record.paths == (f"{tmp_path}/a.png",)
    told = [one for batch in read(find_files([tmp_path]), tmp_path / "media") for one in batch]
    assert told[0].paths == (f"{tmp_path}/media/a.png",)


def test_published_shards(tmp_path: Path) -> None:
    files: dict[str, bytes | str] = {
        "000.front.png": PICTURE,
        "000.left.png": PICTURE[:-8],
        "000.q7_images.json": '["front", "left"]',
        "000.q7_question.txt": "<image><image> Where? ",
        "000.q7_answer.txt": f" {POINTS}\n",
        "000.q4_images.json": "[]",
        "000.q4_question.txt": "",
        "000.q4_answer.txt": "",
        "001.q4_images.json": '["front"]',
        "001.q4_question.txt": "<image>?",
        "001.q4_answer.txt": "Red",
    }
    path = pack(tmp_path / "shard_train_0.tar", files)
    first, second = records(path)
    assert (first.id, first.task, first.images) == (
        "000/q7",
        "q7",
        ("000.front.png", "000.left.png"),
    )
    assert (first.prompt, first.answer) == ("<image><image> Where?", POINTS)
    findings = {f.name: f for s in audit([path], ["images"]).sections for f in s.findings}
    assert findings["truncated_image"].count == 1  # the left one
    assert findings["missing_image"].count == 1  # that of 001
    assert second.source.split == "train"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["shard_train_0.tar"]


def test_damaged_shard_is_one_fault(tmp_path: Path) -> None:
    path = pack(tmp_path / "x.tar", {"0.json": json.dumps(row("1")), "1.json": "{"})
    path.write_bytes(path.read_bytes()[:1300])
    assert "unreadable_file" in [reason for r in records(path) for reason, _ in r.faults]


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("nuscenes/q7_train.json", "train"),
        ("training/q7_val.json", "val"),
        ("q7_test.jsonl", "test"),
        ("constraint.json", ""),
        ("shard_validation_3.tar", "val"),
    ],
)
def test_split_is_read_from_words(name: str, split: str) -> None:
    assert split_of(name) == split


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="expected a dataset_info.json"):
        find_files([tmp_path])
    with pytest.raises(FileNotFoundError, match="no such file or folder"):
        find_files([tmp_path / "x.json"])


def test_a_file_named_twice_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(json.dumps([row("1")]))
    assert len(records(tmp_path, tmp_path / "x.json")) == 1
    assert count_batches(find_files([tmp_path])) == 2


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["id", "images", "messages", "role", "content", "from", "value", "x"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)
WORDS = st.sampled_from(
    ["<image>", "<PLANNING>", "</PLANNING>", "[1, 2]", "[0.0, 0.0]", "[nan, 1e999]", "Object 1: X",
     "<SPEED PATH PLAN>KEEP,STRAIGHT</SPEED PATH PLAN>", "No", "1e309", "\x00", "\ud800", "é", " "]
)  # fmt: skip
TEXTS = st.lists(WORDS, max_size=14).map(" ".join)
SAMPLES = st.builds(
    lambda task, prompt, answer, image: row(
        f"d/l/{task}",
        image,
        messages=[{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}],
    ),
    st.sampled_from(["1/q1", "1/q2/front", "1/q6", "1/q7", "1/planning", "x"]),
    TEXTS,
    TEXTS,
    st.sampled_from(["a.png", "", "/", "\0", "x" * 5000, "..", "\ud800"]),
)


@given(st.lists(JSON | SAMPLES, max_size=12))
@settings(max_examples=60, deadline=None)
def test_any_json_is_audited_without_an_exception(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Any]
) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "q7_train.json"
    path.write_text(json.dumps(rows))
    result = audit([path])
    assert result.records == len(rows)
    json.dumps(result.to_json(), allow_nan=False)
