"""Clip tables: what is around a clip a little later, in its own frame, and what is refused."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from impromptu import clip_table
from impromptu.clip_table import KINDS, SCHEMA, ClipTable
from impromptu.geometry import SE2

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


def table_of(tmp_path: Path, write_clips: Write, rows: Sequence[Mapping[str, Any]]) -> ClipTable:
    return clip_table.read(write_clips(tmp_path / "t.parquet", rows))


def test_later_keyframes_are_of_the_same_log_and_near_in_time(
    tmp_path: Path, clip_row: Row, write_clips: Write
) -> None:
    times_s = {"d/a/0": 0.0, "d/a/1": 0.45, "d/a/3": 1.56, "d/b/0": 0.5, "d/b/9": 0.76}
    here = (0.0, 0.0, 0.0)
    # Not in the order of time: neither file nor log need be.
    rows = [clip_row(name, at_s, here) for name, at_s in reversed(times_s.items())]
    table = table_of(tmp_path, write_clips, rows)
    at = table.rows_at(np.array([table.row_of["d/a/0"], table.row_of["d/b/0"]]), 4)
    names = [[table.ids[row] if row >= 0 else None for row in line] for line in at]
    # 1.56 s serves 1.5 s and is no nearer than 0.25 s to 2 s; 0.76 s is 0.24 s early for 1 s.
    assert names == [["d/a/1", None, "d/a/3", None], ["d/b/9", None, None, None]]


def test_one_clip_alone_has_no_later_one(tmp_path: Path, clip_row: Row, write_clips: Write) -> None:
    table = table_of(tmp_path, write_clips, [clip_row("d/a/0", 5.0, (0.0, 0.0, 0.0))])
    assert table.rows_at(np.array([0]), 3).tolist() == [[-1, -1, -1]]
    (around,) = table.boxes_at(np.array([0]), 3)
    assert not around.known.any()
    assert not len(around.step)


def test_boxes_of_later_keyframes_in_the_present_frame(
    tmp_path: Path, clip_row: Row, write_clips: Write
) -> None:
    quarter = np.pi / 2
    rows = [
        # At (10, 0), looking along the world's y; half a second later at (10, 4), looking back x.
        clip_row("d/a/0", 0.0, (10.0, 0.0, quarter), [("vehicle", 1, 1, 0)]),
        clip_row("d/a/1", 0.5, (10.0, 4.0, np.pi), [("pedestrian", 3, 0, 0), ("object", 0, 1, 0)]),
    ]
    table = table_of(tmp_path, write_clips, rows)
    now, later = table.boxes_at(np.array([0, 1]), 2)
    assert now.known.tolist() == [True, False]
    assert now.step.tolist() == [0, 0]
    # In the world (7, 4) and (10, 3); seen from (10, 0) with y ahead: 4 ahead and 3 left, 3 ahead.
    np.testing.assert_allclose(now.xy_m, [[4, 3], [3, 0]], atol=1e-12)
    np.testing.assert_allclose(now.yaw_rad, [quarter, quarter])
    assert [KINDS[kind] for kind in now.kind] == ["pedestrian", "object"]
    assert not later.known.any()
    (planned, _) = table.boxes_at(np.array([0, 1]), 2, planning=True)
    np.testing.assert_allclose(planned.xy_m, [[3.06, 3], [2.06, 0]], atol=1e-12)


def test_without_a_planning_frame_nothing_is_known_in_it(
    tmp_path: Path, clip_row: Row, write_clips: Write
) -> None:
    rows = [
        clip_row(f"d/a/{k}", k / 2, (0.0, 0.0, 0.0), [("vehicle", 1, 1, 0)], planning_y_m=None)
        for k in range(3)
    ]
    table = table_of(tmp_path, write_clips, rows)
    assert table.boxes_at(np.array([0]), 2)[0].known.all()
    assert not table.boxes_at(np.array([0]), 2, planning=True)[0].known.any()


pose = st.tuples(st.floats(-50, 50), st.floats(-50, 50), st.floats(-3, 3))


@given(poses=st.lists(pose, min_size=2, max_size=4), box=pose, lidar=pose)
def test_frames_compose_as_rigid_motions_do(
    poses: list[tuple[float, float, float]],
    box: tuple[float, float, float],
    lidar: tuple[float, float, float],
) -> None:
    count = len(poses)
    table = ClipTable(
        source="made by hand",
        ids=[f"d/a/{k}" for k in range(count)],
        logs=["a"] * count,
        timestamps_ns=np.arange(count) * 500_000_000,
        tags=[{}] * count,
        speeds_mps=np.zeros(count),
        speed_words=[None] * count,
        path_words=[None] * count,
        world=np.array(poses),
        planning=np.tile(lidar, (count, 1)),
        box_starts=np.arange(count + 1),
        box_poses=np.tile(box, (count, 1)),
        box_sizes_m=np.ones((count, 2)),
        box_kinds=np.zeros(count, dtype=np.int64),
        box_observed=np.ones(count, dtype=bool),
    )

    def se2(xy_yaw: tuple[float, float, float]) -> SE2:
        return SE2(xy_yaw[2], np.array(xy_yaw[:2]))

    (around, *_) = table.boxes_at(np.arange(count), count - 1, planning=True)
    present = (se2(poses[0]) @ se2(lidar)).inverse()
    for step in range(count - 1):
        want = present @ se2(poses[step + 1]) @ se2(box)
        np.testing.assert_allclose(around.xy_m[step], want.translation_m, atol=1e-9)
        assert np.cos(around.yaw_rad[step] - want.yaw_rad) == pytest.approx(1)


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
