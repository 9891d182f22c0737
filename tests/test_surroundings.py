"""What is around a clip a little later, in its own frame."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from impromptu import clip_table
from impromptu.arrays import Ints
from impromptu.clip_table import KINDS, ClipTable
from impromptu.geometry import SE2
from impromptu.surroundings import boxes_at, moments

Row = Callable[..., dict[str, Any]]
Write = Callable[[Path, Sequence[Mapping[str, Any]]], Path]


def table_of(tmp_path: Path, write_clips: Write, rows: Sequence[Mapping[str, Any]]) -> ClipTable:
    return clip_table.read(write_clips(tmp_path / "t.parquet", rows))


def test_later_keyframes_are_of_the_same_log_and_near_in_time(
    tmp_path: Path, clip_row: Row, write_clips: Write
) -> None:
    times_s = {
        "d/a/0": 0.0,
        "d/a/1": 0.45,
        "d/a/2": 1.05,
        "d/a/4": 1.92,
        "d/b/0": 0.5,
        "d/b/9": 1.1,
    }
    here = (0.0, 0.0, 0.0)
    # Not in the order of time: neither file nor log need be.
    rows = [clip_row(name, at_s, here) for name, at_s in reversed(times_s.items())]
    table = table_of(tmp_path, write_clips, rows)
    near = moments(table, np.array([table.row_of["d/a/0"], table.row_of["d/b/0"]]), 4)

    def names(rows: Ints) -> list[list[str | None]]:
        return [[table.ids[row][2:] if row >= 0 else None for row in line] for line in rows]

    # 1.5 s lies in a gap of 0.87 s, and no keyframe is near. 1.92 s stands for 2 s though the log
    # ends there; 1.1 s in log b is nothing to 1.5 s.
    assert names(near.before) == [["a/1", "a/1", None, "a/4"], ["b/0", None, None, None]]
    assert names(near.after) == [["a/2", "a/2", None, "a/4"], ["b/9", None, None, None]]
    np.testing.assert_allclose(near.weight[0, :2], [0.05 / 0.6, 0.55 / 0.6])
    np.testing.assert_allclose(near.weight[1], [0.5 / 0.6, 0, 0, 0])


def test_one_clip_alone_has_no_later_one(tmp_path: Path, clip_row: Row, write_clips: Write) -> None:
    table = table_of(tmp_path, write_clips, [clip_row("d/a/0", 5.0, (0.0, 0.0, 0.0))])
    assert moments(table, np.array([0]), 3).before.tolist() == [[-1, -1, -1]]
    (around,) = boxes_at(table, np.array([0]), 3)
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
    now, later = boxes_at(table, np.array([0, 1]), 2)
    assert now.known.tolist() == [True, False]
    assert now.step.tolist() == [0, 0]
    # In the world (7, 4) and (10, 3); seen from (10, 0) with y ahead: 4 ahead and 3 left, 3 ahead.
    np.testing.assert_allclose(now.xy_m, [[4, 3], [3, 0]], atol=1e-12)
    np.testing.assert_allclose(now.yaw_rad, [quarter, quarter])
    assert [KINDS[kind] for kind in now.kind] == ["pedestrian", "object"]
    assert not later.known.any()
    (planned, _) = boxes_at(table, np.array([0, 1]), 2, planning=True)
    np.testing.assert_allclose(planned.xy_m, [[3.06, 3], [2.06, 0]], atol=1e-12)


def test_without_a_planning_frame_nothing_is_known_in_it(
    tmp_path: Path, clip_row: Row, write_clips: Write
) -> None:
    rows = [
        clip_row(f"d/a/{k}", k / 2, (0.0, 0.0, 0.0), [("vehicle", 1, 1, 0)], planning_y_m=None)
        for k in range(3)
    ]
    table = table_of(tmp_path, write_clips, rows)
    assert boxes_at(table, np.array([0]), 2)[0].known.all()
    assert not boxes_at(table, np.array([0]), 2, planning=True)[0].known.any()


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
        box_ids=np.arange(count),
        box_poses=np.tile(box, (count, 1)),
        box_sizes_m=np.ones((count, 2)),
        box_kinds=np.zeros(count, dtype=np.int64),
        box_observed=np.ones(count, dtype=bool),
    )

    def se2(xy_yaw: tuple[float, float, float]) -> SE2:
        return SE2(xy_yaw[2], np.array(xy_yaw[:2]))

    (around, *_) = boxes_at(table, np.arange(count), count - 1, planning=True)
    present = (se2(poses[0]) @ se2(lidar)).inverse()
    for step in range(count - 1):
        want = present @ se2(poses[step + 1]) @ se2(box)
        np.testing.assert_allclose(around.xy_m[step], want.translation_m, atol=1e-9)
        assert np.cos(around.yaw_rad[step] - want.yaw_rad) == pytest.approx(1)


def test_a_box_between_keyframes_is_between_its_places(
    tmp_path: Path, clip_row: Row, write_clips: Write
) -> None:
    rows = [
        clip_row("d/a/0", 0.0, (0.0, 0.0, 0.0)),
        # Seen from where the ego is then: at 12 m and 10 m in the world.
        clip_row("d/a/1", 0.4, (2.0, 0.0, 0.0), [("vehicle", 10, 0, 3.1)], box_id=["x"]),
        clip_row(
            "d/a/2",
            0.9,
            (5.0, 0.0, 0.0),
            [("vehicle", 9, 0, -3.1), ("pedestrian", 1, 1, 0)],
            box_id=["x", "y"],
            box_observed=[False, True],
        ),
    ]
    table = table_of(tmp_path, write_clips, rows)
    (around,) = boxes_at(table, np.array([0]), 1)
    # A fifth of the way from 12 m to 14 m, and from 3.1 to -3.1 rad the short way round. The
    # person is not there yet: the keyframe before is nearer, and the car was seen in it.
    np.testing.assert_allclose(around.xy_m, [[12.4, 0]])
    assert around.yaw_rad[0] == pytest.approx(3.1 + 0.2 * (2 * np.pi - 6.2))
    assert around.observed.tolist() == [True]
    later = table_of(tmp_path, write_clips, [rows[0] | {"timestamp_ns": 350_000_000}, *rows[1:]])
    (around,) = boxes_at(later, np.array([0]), 1)
    # 0.85 s: nine tenths of the way, so now the person is there, and the car no longer seen.
    order = np.argsort(around.xy_m[:, 0])
    np.testing.assert_allclose(around.xy_m[order], np.array([[6, 1], [13.8, 0]]))
    assert sorted(zip(around.kind.tolist(), around.observed.tolist(), strict=True)) == [
        (KINDS.index("vehicle"), False),
        (KINDS.index("pedestrian"), True),
    ]
