import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impromptu import json_stream
from impromptu.json_stream import Broken, batches


def read(data: bytes) -> list[Any]:
    return [value for batch in batches(io.BytesIO(data)) for value in batch]


def reasons(data: bytes) -> list[str]:
    return [value.reason for value in read(data) if isinstance(value, Broken)]


def test_list_lines_and_values_in_a_row_read_alike() -> None:
    rows: list[Any] = [{"a": [1, {"b": "é\n"}]}, {"c": None}]
    as_list = json.dumps(rows, indent=2).encode()
    as_lines = "\n".join(json.dumps(row) for row in rows).encode()
    in_a_row = "".join(json.dumps(row) for row in rows).encode()
    assert read(as_list) == read(as_lines) == read(in_a_row) == rows


def test_blocks_may_cut_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"id": n, "text": 'é \\ " ]}, ' * n, "more": [-1.5e3, True, "🚗"]} for n in range(9)]
    data = json.dumps(rows, ensure_ascii=False, indent=1).encode()
    for size in (1, 2, 7, 64):
        monkeypatch.setattr(json_stream, "BLOCK", size)
        assert read(data) == rows


def test_one_batch_a_block() -> None:
    data = json.dumps([{"t": "x" * 1000}] * 5000).encode()
    sizes = [len(batch) for batch in batches(io.BytesIO(data))]
    assert len(sizes) == len(data) // json_stream.BLOCK + 2
    assert sum(sizes) == 5000


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"not json", "not_json"),
        (b'[{"a": 1}, {"a": "cut', "cut_short"),
        (b'[{"a": 1},\n{"a": 2}', "cut_short"),
        (b'{"a": 1}\n{"a": }', "not_json"),
        (b'[{"a": 1},' + b"[" * 100_000, "too_deep"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not_json"),
        ('[{"a": 1}]'.encode("utf-16"), "not_json"),
    ],
)
def test_broken(data: bytes, reason: str) -> None:
    assert reason in reasons(data)


def test_reading_goes_on_after_a_broken_record() -> None:
    data = b'[{"a": 1},\n{"a": oops},\n{"a": 3},\n{"a": "x' + b'"y"},\n{"a": 5}]'
    values = read(data)
    assert [v["a"] for v in values if isinstance(v, dict)] == [1, 3, 5]
    assert [v.reason for v in values if isinstance(v, Broken)] == ["not_json", "not_json"]


def test_a_record_too_large_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_stream, "BLOCK", 100)
    monkeypatch.setattr(json_stream, "LARGEST", 1000)
    values = read(b'{"a": "' + b"x" * 5000 + b'"}\n{"a": 1}\n')
    assert [getattr(value, "reason", value) for value in values] == ["too_large", {"a": 1}]


def test_bytes_that_are_no_text_become_surrogates() -> None:
    assert read(b'["\xff"]') == ["\udcff"]


def test_mark_of_utf8_is_passed_over() -> None:
    assert read(b'\xef\xbb\xbf[{"a": 1}]') == [{"a": 1}]


@given(st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_read_without_an_exception(data: bytes) -> None:
    read(data)


def test_whole_values_of_a_broken_file_are_never_more_than_they_were() -> None:
    assert read(b"") == read(b" \n ") == []
