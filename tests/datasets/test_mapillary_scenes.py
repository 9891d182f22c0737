"""Cutting Mapillary SLS into sub-scenes: one rule, applied after the tables are joined."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from impromptu.datasets import LogError
from impromptu.datasets._mapillary_scenes import Scene, read_scenes

Row = tuple[str, str, int]
HEADERS = {
    "seq_info": ",key,sequence_key,frame_number",
    "postprocessed": ",key,easting,northing,view_direction",
    "raw": ",key,lon,lat,ca,captured_at,pano",
}


def write(
    folder: Path,
    frames: Sequence[Row],
    *,
    easting_m: dict[str, float] | None = None,
    views: dict[str, str] | None = None,
    panoramas: Sequence[str] = (),
    lacking: dict[str, Sequence[str]] | None = None,
) -> Path:
    """Write the three tables of frames 5 m apart."""
    east, look, lacks = easting_m or {}, views or {}, lacking or {}
    keys = dict.fromkeys(key for key, _, _ in frames)
    rows = {
        "seq_info": [f"{key},{sequence},{number}" for key, sequence, number in frames],
        "postprocessed": [
            f"{key},{east.get(key, 5.0 * i)},-4e6,{look.get(key, 'Forward')}"
            for i, key in enumerate(keys)
            if key not in lacks.get("postprocessed", ())
        ],
        "raw": [
            f"{key},145.0,-37.9,90.0,2018-01-01,{key in panoramas}"
            for key in keys
            if key not in lacks.get("raw", ())
        ],
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in rows.items():
        text = [HEADERS[name], *(f"{i},{line}" for i, line in enumerate(lines))]
        (folder / f"{name}.csv").write_text("\n".join(text) + "\n", encoding="utf-8")
    return folder


def run(count: int, sequence: str = "s", first: int = 0) -> list[Row]:
    return [(f"{sequence}{number}", sequence, number) for number in range(first, first + count)]


def shape(scenes: dict[str, Scene]) -> dict[str, str]:
    """Write each scene as its keys, those without a place in brackets."""
    return {
        name: " ".join(
            key if placed else f"[{key}:{fault}]"
            for key, placed, fault in zip(scene.keys, scene.placed, scene.faults, strict=True)
        )
        for name, scene in scenes.items()
    }


def test_frames_are_put_in_order_and_cut_where_a_number_is_left_out(tmp_path: Path) -> None:
    frames = [*run(2, "b", 7), *run(3, "a"), *run(2, "a", 4)]
    found = shape(read_scenes(write(tmp_path, frames[::-1])))
    assert found == {"a-0": "a0 a1 a2", "a-4": "a4 a5", "b-7": "b7 b8"}
    assert list(found) == ["a-0", "a-4", "b-7"]


@pytest.mark.parametrize("table", ["postprocessed", "raw"])
def test_a_key_that_a_table_lacks_cuts_and_is_kept_as_a_loss(tmp_path: Path, table: str) -> None:
    found = read_scenes(write(tmp_path, run(4), lacking={table: ["s1"]}))
    assert shape(found) == {"s-0": f"s0 [s1:not_in_{table}]", "s-2": "s2 s3"}


def test_a_lost_first_frame_is_a_scene_of_its_own(tmp_path: Path) -> None:
    found = read_scenes(write(tmp_path, run(3), lacking={"raw": ["s0"]}))
    assert shape(found) == {"s-0": "[s0:not_in_raw]", "s-1": "s1 s2"}


@pytest.mark.parametrize("east_m", [float("nan"), float("inf"), 1e300])
def test_a_frame_without_a_place_on_earth_cuts(tmp_path: Path, east_m: float) -> None:
    found = read_scenes(write(tmp_path, run(3), easting_m={"s1": east_m}))
    assert shape(found) == {"s-0": "s0 [s1:no_position]", "s-2": "s2"}


def test_a_step_over_fifty_metres_cuts(tmp_path: Path) -> None:
    east = {"s0": 0.0, "s1": 50.0, "s2": 100.1, "s3": 101.0}
    found = read_scenes(write(tmp_path, run(4), easting_m=east))
    assert shape(found) == {"s-0": "s0 s1", "s-2": "s2 s3"}


def test_other_views_and_panoramas_stay_on_the_way(tmp_path: Path) -> None:
    folder = write(tmp_path, run(4), views={"s1": "Left"}, panoramas=["s2"])
    scene = read_scenes(folder)["s-0"]
    assert scene.placed.all()
    assert scene.faults.tolist() == ["", "not_forward", "panorama", ""]
    np.testing.assert_array_equal(scene.xy_m, [[5 * k, -4e6] for k in range(4)])


def test_a_key_or_a_number_listed_twice_counts_once(tmp_path: Path) -> None:
    frames = [*run(3), ("s1", "t", 0), ("other", "s", 2)]
    found = shape(read_scenes(write(tmp_path, frames)))
    assert found == {"s-0": "s0 s1 s2 [other:listed_twice]", "t-0": "[s1:listed_twice]"}


def test_a_table_that_changed_is_read_again(tmp_path: Path) -> None:
    assert list(read_scenes(write(tmp_path, run(2)))) == ["s-0"]
    assert list(read_scenes(write(tmp_path, run(2, "another")))) == ["another-0"]


def test_tables_without_rows_hold_no_scene(tmp_path: Path) -> None:
    assert read_scenes(write(tmp_path, ())) == {}


@pytest.mark.parametrize("name", ["seq_info", "postprocessed", "raw"])
def test_each_table_is_needed(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, run(2)) / f"{name}.csv"
    path.write_text(path.read_text().replace("key", "name"))
    with pytest.raises(LogError, match=rf"{name}.csv: expected one column 'key'; it has , name"):
        read_scenes(tmp_path)
    path.unlink()
    with pytest.raises(LogError, match=rf"{name}.csv: missing"):
        read_scenes(tmp_path)


@pytest.mark.parametrize("row", [("../x", "s", 0), ("x", "../s", 0), ("", "s", 0)])
def test_a_key_that_is_no_plain_name_is_refused(tmp_path: Path, row: Row) -> None:
    with pytest.raises(LogError, match=r"seq_info.csv:3: '.*'; expected letters, digits, _ and -"):
        read_scenes(write(tmp_path, [*run(1), row]))


@given(
    numbers=st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 12)), max_size=25),
    lost=st.sets(st.integers(0, 24)),
    far=st.sets(st.integers(0, 24)),
)
def test_no_frame_is_lost_and_no_scene_has_a_hole(
    tmp_path_factory: pytest.TempPathFactory,
    numbers: list[tuple[str, int]],
    lost: set[int],
    far: set[int],
) -> None:
    frames = [(f"k{i}", sequence, number) for i, (sequence, number) in enumerate(numbers)]
    folder = write(
        tmp_path_factory.mktemp("scenes"),
        frames,
        easting_m={f"k{i}": 1000.0 for i in far},
        lacking={"raw": [f"k{i}" for i in lost]},
    )
    scenes = read_scenes(folder)
    assert sorted(k for s in scenes.values() for k in s.keys) == sorted(k for k, _, _ in frames)
    number_of = {key: number for key, _, number in frames}
    for scene in scenes.values():
        whole = [number_of[key] for key, p in zip(scene.keys, scene.placed, strict=True) if p]
        assert whole == list(range(whole[0], whole[0] + len(whole))) if whole else True
        step_m = np.linalg.norm(np.diff(scene.xy_m[scene.placed], axis=0), axis=-1)
        assert (step_m <= 50).all()
