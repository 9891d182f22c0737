"""Clip tables: what comes back, and what is refused."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from impromptu import clip_table
from impromptu.clip_table import KINDS, SCHEMA

Row = Callable[..., dict[str, Any]]
Write = Callable[[Path, Sequence[Mapping[str, Any]]], Path]


def test_columns_come_back(tmp_path: Path, clip_row: Row, write_clips: Write) -> None:
    rows = [
        clip_row(
            "d/a/0",
            1.0,
            (1.0, 2.0, 0.5),
            [("vehicle", 3, 4, 5), ("pedestrian", 6, 7, 8)],
            tags={"location": "here"},
            speed_mps=4.5,
            speed_word="KEEP",
        ),
        clip_row("d/a/1", 1.5, (0.0, 0.0, 0.0), planning_x_m=None),
    ]
    table = clip_table.read(write_clips(tmp_path / "t.parquet", rows))
    assert (table.ids, table.logs) == (["d/a/0", "d/a/1"], ["a", "a"])
    assert (table.tags, table.speed_words) == ([{"location": "here"}, {}], ["KEEP", None])
    assert table.path_words == [None, None]
    np.testing.assert_array_equal(table.speeds_mps, [4.5, np.nan])
    np.testing.assert_array_equal(table.world[0], [1, 2, 0.5])
    np.testing.assert_array_equal(table.planning, [[0.94, 0, 0], [np.nan, 0, 0]])
    np.testing.assert_array_equal(table.box_starts, [0, 2, 2])
    np.testing.assert_array_equal(table.box_poses, [[3, 4, 5], [6, 7, 8]])
    assert [KINDS[kind] for kind in table.box_kinds] == ["vehicle", "pedestrian"]
    assert table.row_of == {"d/a/0": 0, "d/a/1": 1}


def test_what_is_no_clip_table_is_refused_with_its_fault(
    tmp_path: Path, clip_row: Row, write_clips: Write
) -> None:
    here = (0.0, 0.0, 0.0)
    path = tmp_path / "t.parquet"
    with pytest.raises(FileNotFoundError):
        clip_table.read(path)
    path.write_text("no table")
    with pytest.raises(ValueError, match=r"t\.parquet: no clip table .*; generate the samples"):
        clip_table.read(path)
    pq.write_table(pa.table({"id": ["a"]}), path)
    with pytest.raises(ValueError, match=r"t\.parquet: no clip table"):
        clip_table.read(path)
    one = clip_row("d/a/0", 0.0, here, [("vehicle", 1, 1, 0)])
    faults = {
        "a clip id comes twice": [one, one],
        "box_kind 'ghost' is none of vehicle": [one | {"box_kind": ["ghost"]}],
        "row 0: box_y_m has 0 values for 1 of box_id": [one | {"box_y_m": []}],
        "values that are not finite": [one | {"world_x_m": float("nan")}],
        "column box_x_m has 1 empty values": [one | {"box_x_m": [None]}],
    }
    for fault, rows in faults.items():
        with pytest.raises(ValueError, match=fault):
            clip_table.read(write_clips(path, rows))
    loose = pa.schema([field.with_nullable(True) for field in SCHEMA])
    pq.write_table(pa.Table.from_pylist([one | {"log": None}], schema=loose), path)
    with pytest.raises(ValueError, match="log"):
        clip_table.read(path)
