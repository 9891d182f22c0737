"""The table that scoring reads, against the clips it was made from."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from impromptu import clip_rows, clip_table
from impromptu.clip import Clip
from impromptu.clip_rows import clip_row, join_tables, rows_table
from impromptu.datasets import synthetic
from impromptu.surroundings import boxes_at


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Clip]:
    folder = tmp_path_factory.mktemp("raw")
    log = synthetic.DATASET.logs(folder, folder)[0]
    return [item for item in synthetic.DATASET.clips(log) if isinstance(item, Clip)]


def test_a_row_says_what_the_clip_says(clips: list[Clip]) -> None:
    clip = replace(clips[4], tags={"weather": "rain", "location": "here"})
    row = clip_row(clip)
    assert list(row) == clip_table.SCHEMA.names
    assert (row["id"], row["log"]) == (clip.id, clip.log)
    assert list(row["tags"].items()) == [("location", "here"), ("weather", "rain")]
    assert clip.observation.status is not None
    speed_mps = np.linalg.norm(clip.observation.status.velocity_mps)
    assert row["speed_mps"] == pytest.approx(speed_mps, abs=1e-6)
    assert row["planning_x_m"] is None
    assert row["box_id"] == [agent.id for agent in clip.observation.agents]


def test_what_is_not_known_is_empty(clips: list[Clip]) -> None:
    """The last clip has no future, the first no speed."""
    assert clip_row(clips[-1])["speed_word"] is None
    assert clip_row(clips[0])["speed_mps"] is None
    assert clip_row(clips[0])["path_word"] is None


@pytest.mark.parametrize("together", [1, 2, 3, 1000])
def test_logs_joined_are_read_back_in_order(
    clips: list[Clip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, together: int
) -> None:
    monkeypatch.setattr(clip_rows, "_TOGETHER", together)
    rows = [clip_row(clip) for clip in clips]
    parts = map(rows_table, (rows[:5], rows[:0], rows[5:]))
    join_tables(tmp_path / "all.parquet", parts)
    table = clip_table.read(tmp_path / "all.parquet")
    assert list(table.ids) == [clip.id for clip in clips]
    assert table.speed_words[5] == rows[5]["speed_word"]
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_boxes_of_later_rows_are_where_agents_will_be(clips: list[Clip], tmp_path: Path) -> None:
    """Two ways to one place: by the world's poses here, by the agents' tracks in the clip."""
    join_tables(tmp_path / "t.parquet", [rows_table([clip_row(clip) for clip in clips])])
    table = clip_table.read(tmp_path / "t.parquet")
    around = boxes_at(table, np.array([3]), 6)[0]
    compared = 0
    for future in clips[3].agent_futures.values():
        for step in range(min(6, len(future))):
            off_m = np.linalg.norm(around.xy_m[around.step == step] - future.xy_m[step], axis=1)
            assert off_m.min() < 1e-5
            compared += 1
    assert compared >= 6
