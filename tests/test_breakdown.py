"""Figures by group of clips, and how many keyframes are followed for how long."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from impromptu import breakdown, clip_table
from impromptu.clip import STEP_S, Trajectory
from impromptu.clip_table import ClipTable
from impromptu.metrics import ade_fde

HERE = (0.0, 0.0, 0.0)


@pytest.fixture
def clips(
    tmp_path: Path,
    clip_row: Callable[..., dict[str, Any]],
    write_clips: Callable[[Path, Sequence[Mapping[str, Any]]], Path],
) -> ClipTable:
    """Two logs of ten keyframes, as a nuScenes split of two short scenes would be."""
    rows = [
        clip_row(
            f"d/{log}/{k}",
            k / 2,
            HERE,
            tags={"location": log} | ({"weather": "rain"} if log == "a" else {}),
            speed_mps=None if k == 9 else 2.0 * k,
            speed_word="KEEP",
        )
        for log in "ab"
        for k in range(10)
    ]
    return clip_table.read(write_clips(tmp_path / "t.parquet", rows))


def test_labels_say_what_is_known_of_each_clip(clips: ClipTable) -> None:
    got = breakdown.labels(["d/a/1", "d/b/9", "d/c/0"], clips)
    assert got == {
        "speed_word": ["KEEP", "KEEP", "unknown"],
        "path_word": ["unknown"] * 3,
        "speed": ["0.5 to 5 m/s", "unknown", "unknown"],
        "location": ["a", "b", "unknown"],
        "weather": ["rain", "unknown", "unknown"],
    }


def test_speed_bands_begin_where_they_say(clips: ClipTable) -> None:
    got = breakdown.labels([f"d/a/{k}" for k in (0, 1, 5, 6, 8)], clips)["speed"]
    assert got == ["0 to 0.5 m/s", "0.5 to 5 m/s", "10 to 15 m/s", "10 to 15 m/s", "from 15 m/s"]


def test_groups_have_the_figures_of_their_samples_alone(clips: ClipTable) -> None:
    t_s = STEP_S * np.arange(1, 7)
    off_m = [1.0, 3.0, 5.0]
    told = [Trajectory(t_s, np.tile([off, 0.0], (6, 1))) for off in off_m]
    true = [Trajectory(t_s, np.zeros((6, 2)))] * 3
    names = ["d/a/0", "d/b/0", "d/a/7"]
    metric = ade_fde.METRIC
    got = breakdown.of_all({"m": metric}, {"m": metric.sums(told, true)}, names, clips)
    assert got["location"] == {
        "a": {"samples": 2, "figures": {"m": {"ade": 3.0, "fde": 3.0, "miss_rate": 0.5}}},
        "b": {"samples": 1, "figures": {"m": {"ade": 3.0, "fde": 3.0, "miss_rate": 1.0}}},
    }
    assert list(got["speed"]) == ["0 to 0.5 m/s", "10 to 15 m/s"]
    assert breakdown.of_all({"m": metric}, {}, names, clips) == {}


def test_keyframes_followed_to_the_end_of_each_second(clips: ClipTable) -> None:
    # Of each log's ten the last 2, 4, 6 have no keyframe 1, 2, 3 s later.
    want = {"keyframes": 20, "future_1s": 16, "future_2s": 12, "future_3s": 8}
    assert breakdown.followed(clips, 3.0) == want
    assert breakdown.followed(clips, 0.0) == {}


def test_a_keyframe_beyond_a_gap_does_not_complete_a_future(
    tmp_path: Path,
    clip_row: Callable[..., dict[str, Any]],
    write_clips: Callable[[Path, Sequence[Mapping[str, Any]]], Path],
) -> None:
    rows = [clip_row(f"d/a/{k}", k / 2, HERE) for k in (0, 2, 4, 6)]
    table = clip_table.read(write_clips(tmp_path / "t.parquet", rows))
    assert breakdown.followed(table, 1.0) == {"keyframes": 4, "future_1s": 0}


def test_on_as_many_keyframes_as_nuscenes_val_has_5119_are_complete(
    tmp_path: Path,
    clip_row: Callable[..., dict[str, Any]],
    write_clips: Callable[[Path, Sequence[Mapping[str, Any]]], Path],
) -> None:
    counts = [41] * 19 + [40] * 131  # 6,019 keyframes of 150 scenes
    rows = [
        clip_row(f"n/{log}/{k}", k / 2, HERE)
        for log, count in enumerate(counts)
        for k in range(count)
    ]
    table = clip_table.read(write_clips(tmp_path / "t.parquet", rows))
    got = breakdown.followed(table, 3.0)
    assert (got["keyframes"], got["future_3s"]) == (6019, 5119)
