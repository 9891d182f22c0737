"""Indexes that datasets list their logs from."""

from dataclasses import replace
from pathlib import Path

import pytest

from impromptu.datasets import Dataset
from impromptu.datasets.synthetic import DATASET
from impromptu.indexing import build_indexes


def first(root: Path, scratch: Path) -> None:
    (scratch / "first").write_text(root.name)


def second(root: Path, scratch: Path) -> None:
    (scratch / "second").write_text(root.name)


def damaged(root: Path, scratch: Path) -> None:
    raise ValueError("row 3 is no row")


@pytest.fixture
def indexed() -> Dataset:
    return replace(DATASET, indexes=(first, damaged, second))


@pytest.mark.parametrize("workers", [1, 2])
def test_what_can_be_built_is_whatever_becomes_of_the_others(
    tmp_path: Path, indexed: Dataset, workers: int
) -> None:
    places = [(DATASET, tmp_path / "other", tmp_path), (indexed, tmp_path / "raw", tmp_path)]
    build_indexes(places, workers)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "first": "raw",
        "second": "raw",
    }


def test_datasets_without_an_index_are_not_told_about(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build_indexes([(DATASET, tmp_path, tmp_path)], 2)
    assert capsys.readouterr().err == ""
