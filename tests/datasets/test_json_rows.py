"""Reading a JSON array row by row gives what reading it whole does, and says where it ends."""

import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impromptu.datasets import _json_rows
from impromptu.datasets._json_rows import json_rows

texts = st.text(max_size=8) | st.sampled_from(["}", "},{", "}]", '"}'])
leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts
nested = st.lists(leaves, max_size=3) | st.dictionaries(texts, leaves, max_size=2)
rows = st.lists(st.dictionaries(st.text(max_size=5), leaves | nested, max_size=4))


def numbered(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for first, found in json_rows(path):
        yield from enumerate(found, start=first)


@given(rows, st.sampled_from([None, 1]), st.integers(1, 40))
def test_any_array_comes_back_whatever_the_blocks(
    tmp_path_factory: pytest.TempPathFactory, values: list[Any], indent: int | None, block: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "any_rows.json"
    path.write_text(json.dumps(values, indent=indent, ensure_ascii=False), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_json_rows, "_BLOCK", block)
        assert list(numbered(path)) == list(enumerate(values, start=1))


def test_fractions_are_made_as_asked(tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    path.write_text('[{"a": [1.50, 2, 1e3]}]')
    assert list(json_rows(path, str)) == [(1, [{"a": ["1.50", 2, "1e3"]}])]


def test_rows_before_a_fault_are_given(tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    path.write_text('[{"a": 1}, {"b": 2}, 3]')
    seen = list[dict[str, int]]()
    with pytest.raises(ValueError, match="row 3: expected an object"):
        seen.extend(row for _, found in json_rows(path) for row in found)
    assert seen == [{"a": 1}, {"b": 2}]


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    path, row = tmp_path / "table.json", json.dumps({"token": "0" * 32, "size": [1.5, 2.5, 3.5]})
    path.write_text("[" + ",\n".join([row] * 40_000) + "]")
    tracemalloc.start()
    assert sum(len(found) for _, found in json_rows(path)) == 40_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < path.stat().st_size / 2


TABLE = '[\n{"a": 1},\n{"b": [2, 3]}\n]\n'


@pytest.mark.parametrize("kept", range(1, TABLE.rindex("]")))
def test_a_table_cut_anywhere_names_file_and_row(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "sample.json"
    path.write_text(TABLE[:kept])
    row = 1 + TABLE[:kept].count("}")
    with pytest.raises(ValueError, match=f"sample.json: row {row}: cut short or not JSON"):
        list(json_rows(path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a JSON array, got ''"),
        ('{"a": 1}', "expected a JSON array"),
        ('[{"a": 1}, 2]', "row 2: expected an object, got 2"),
        ('[{"a": 1},, {"a": 2}]', "row 2: cut short or not JSON .Expecting value"),
        ('[{"a": 1} x {"b": 2}]', "row 2: cut short or not JSON"),
        ('[{"a": 1}, ' + "[" * 100_000, "table.json: row 2: not JSON .*recursion"),
        ('[{"a": ' + "9" * 5000 + "}]", "table.json: row 1: not JSON .*digits"),
    ],
)
def test_what_is_not_an_array_of_objects_is_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "table.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        list(json_rows(path))


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    path.write_bytes(b'[{"a": "\xff"}]')
    with pytest.raises(ValueError, match="table.json: near row 1: expected UTF-8 text"):
        list(json_rows(path))


def test_a_row_that_never_ends_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_json_rows, "_BLOCK", 10)
    monkeypatch.setattr(_json_rows, "_LONGEST_ROW", 50)
    path = tmp_path / "table.json"
    path.write_text('[{"a": "' + 1000 * "x")
    with pytest.raises(ValueError, match="row 1: longer than 50 characters, or not JSON"):
        list(json_rows(path))
