import json
from pathlib import Path
from typing import Any

import pytest

from impromptu.conversation import Sample, registry_entry
from impromptu.registry import load_samples

ONE = Sample("a/0/q4", ("0.png",), "<image>\nWhich colour?", "Red")
TWO = Sample("a/1/q4", ("1.png",), "<image>\nWhich colour?", "None")


def _write(folder: Path, entries: dict[str, Any], **files: Any) -> Path:
    (folder / "dataset_info.json").write_text(json.dumps(entries))
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return _write(
        tmp_path,
        {"one": registry_entry("one.json"), "two": registry_entry("two.json")},
        one=[ONE.to_sharegpt()],
        two=[TWO.to_sharegpt()],
    )


def test_files_are_read_in_the_order_asked(folder: Path) -> None:
    assert load_samples(folder, ["two", "one"]) == [TWO, ONE]


def test_max_samples_is_of_each_file(folder: Path) -> None:
    (folder / "one.json").write_text(json.dumps([ONE.to_sharegpt(), TWO.to_sharegpt()]))
    three = Sample("a/2/q4", (), "Which colour?", "Green")
    (folder / "two.json").write_text(json.dumps([three.to_sharegpt()]))
    assert load_samples(folder, ["one", "two"], max_samples=1) == [ONE, three]


def test_json_lines_are_read_too(folder: Path) -> None:
    _write(folder, {"lines": registry_entry("lines.jsonl")})
    lines = [json.dumps(sample.to_sharegpt()) for sample in (ONE, TWO)]
    (folder / "lines.jsonl").write_text("\n".join(lines) + "\n")
    assert load_samples(folder, ["lines"]) == [ONE, TWO]


def test_a_file_may_lie_beside_the_folder(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    _write(tmp_path / "data", {"one": registry_entry("../one.json")})
    (tmp_path / "one.json").write_text(json.dumps([ONE.to_sharegpt()]))
    assert load_samples(tmp_path / "data", ["one"]) == [ONE]


def test_an_unknown_name_is_answered_with_the_known_ones(folder: Path) -> None:
    with pytest.raises(KeyError, match=r"has no 'tow'; it has one, two. Did you mean 'two'\?"):
        load_samples(folder, ["tow"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"formatting": "alpaca"}, "'one' has formatting 'alpaca'; expected 'sharegpt'"),
        ({"columns": {"messages": "conversations"}}, "'one' has columns"),
        ({"file_name": None}, "'one' has file_name None; expected 'a path'"),
    ],
)
def test_another_registration_is_refused(
    folder: Path, change: dict[str, Any], message: str
) -> None:
    _write(folder, {"one": registry_entry("one.json") | change})
    with pytest.raises(ValueError, match=message):
        load_samples(folder, ["one"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([{"messages": []}], "one.json: record 1 has no 'id'"),
        ([ONE.to_sharegpt(), "text"], "one.json: record 2 has no 'id'"),
        ([ONE.to_sharegpt() | {"images": []}], "one.json: record 1: a/0/q4: 1 <image> markers"),
        ({"id": "x"}, "one.json: expected a list of records, got dict"),
        ([ONE.to_sharegpt()] * 2, "two records have the id 'a/0/q4'"),
    ],
)
def test_a_bad_file_is_refused(folder: Path, content: Any, message: str) -> None:
    (folder / "one.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=message):
        load_samples(folder, ["one"])


def test_an_id_in_two_files_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="one, one: two records have the id"):
        load_samples(folder, ["one", "one"])


def test_a_missing_registry_names_its_place(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="dataset_info.json"):
        load_samples(tmp_path, ["one"])
