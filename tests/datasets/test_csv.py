"""Columns of CSV files: what is read, and how each fault is named."""

from pathlib import Path

import numpy as np
import pytest

from impromptu.datasets import LogError
from impromptu.datasets._csv import read_columns


def table(folder: Path, text: str) -> Path:
    path = folder / "table.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_columns_come_by_name_and_texts_as_written(tmp_path: Path) -> None:
    path = table(tmp_path, ",idx,x,n,more\n0,0012,1.5,7,a\n1,,,8,b\n")
    found = read_columns(path, ("idx",), ("x",), ("n",))
    assert list(found) == ["idx", "x", "n"]
    assert found["idx"].tolist() == ["0012", ""]
    assert found["n"].tolist() == [7, 8]
    np.testing.assert_array_equal(found["x"], [1.5, np.nan])


def test_a_header_alone_is_no_rows(tmp_path: Path) -> None:
    assert read_columns(table(tmp_path, "idx\n"), ("idx",))["idx"].tolist() == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a whole CSV file"),
        ("x,n\n1,2\n", "expected one column 'idx'; it has x, n"),
        ("idx,idx,x,n\na,a,1,2\n", "expected one column 'idx'; it has idx, idx, x, n"),
        ("idx,x,n\na,1,2\na,1\n", "Row #3: Expected 3 columns, got 2"),
        ("idx,x,n\na,1,2\na,one,2\n", "Row #3.*'one'"),
        ("idx,x,n\na,1,2\na,1,2.5\n", "Row #3.*'2.5'"),
        ("idx,x,n\na,1,2\na,1,\n", r"table.csv:3: n is empty"),
    ],
)
def test_a_fault_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = table(tmp_path, text)
    with pytest.raises(LogError, match=message) as caught:
        read_columns(path, ("idx",), ("x",), ("n",))
    assert str(path) in str(caught.value)


def test_a_missing_file_and_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="table.csv: missing: download it again"):
        read_columns(tmp_path / "table.csv", ("idx",))
    for content in (b"idx\n\xff\xfe\n", b"idx,\xff\xfe\na,b\n"):
        (tmp_path / "table.csv").write_bytes(content)
        with pytest.raises(LogError, match="not a whole CSV file"):
            read_columns(tmp_path / "table.csv", ("idx",))
