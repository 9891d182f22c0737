"""Argoverse 2: a hand-made log, its faults, and what the av2 package reads from the same files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import feather

from impromptu.clip import Clip
from impromptu.datasets import Dropped, LogError, argoverse2

HALF = float(np.sqrt(0.5))
START_NS = 315_966_253_000_000_000
MS = 1_000_000
Columns = dict[str, Any]
POSES, BOXES = "city_SE3_egovehicle", "annotations"


def poses(duration_s: float = 12.0) -> Columns:
    """Drive north (city y) at 10 m/s from far away, a pose every 10 ms and one 1 ns after it."""
    t_ms = np.arange(0, round(duration_s * 1000) + 1, 10)
    stamps = np.sort(np.concatenate([START_NS + t_ms * MS, START_NS + t_ms * MS + 1]))
    count = len(stamps)
    return {
        "timestamp_ns": stamps,
        "qw": np.full(count, HALF),
        "qx": np.zeros(count),
        "qy": np.zeros(count),
        "qz": np.full(count, HALF),
        "tx_m": np.full(count, 5000.0),
        "ty_m": 2000 + (stamps - START_NS) / 1e8,
        "tz_m": np.full(count, 30.0),
    }


def boxes(first_ms: int = 0, last_ms: int = 12_000) -> Columns:
    """Annotate at 10 Hz, in ego frames: a car that keeps 15 m ahead, a parked one, the ego."""
    t_s = np.arange(first_ms, last_ms + 1, 100) / 1000
    tracks = {
        "car": ("REGULAR_VEHICLE", 15 + 0 * t_s, 5),
        "parked": ("BUS", 60 - 10 * t_s, 0),
        "ego": ("EGO_VEHICLE", 0 * t_s, 0),
    }
    ones, count = np.ones(len(tracks) * len(t_s)), len(t_s)
    return {
        "timestamp_ns": np.tile(START_NS + np.round(t_s * 1000).astype(np.int64) * MS, 3),
        "track_uuid": np.repeat(list(tracks), count).astype(object),
        "category": np.repeat([word for word, _, _ in tracks.values()], count).astype(object),
        "length_m": 4.5 * ones,
        "width_m": 2.0 * ones,
        "height_m": 1.5 * ones,
        **dict(zip(("qw", "qx", "qy", "qz"), (ones, 0 * ones, 0 * ones, 0 * ones), strict=True)),
        "tx_m": np.concatenate([ahead for _, ahead, _ in tracks.values()]),
        "ty_m": -3.0 * ones,
        "tz_m": 0.75 * ones,
        "num_interior_pts": np.repeat([points for _, _, points in tracks.values()], count),
    }


CALIBRATION: dict[str, Columns] = {
    "intrinsics": {
        "sensor_name": ["ring_front_center", "ring_side_left"],
        **{name: [800.0, 700.0] for name in ("fx_px", "fy_px")},
        **{"cx_px": [400.0, 500.0], "cy_px": [500.0, 400.0], "k1": [0.1, 0.1]},
        **{"height_px": [1000, 800], "width_px": [800, 1000]},
    },
    "egovehicle_SE3_sensor": {
        "sensor_name": ["ring_side_left", "ring_front_center", "up_lidar"],
        **{"qw": [HALF, 0.5, 1], "qx": [-HALF, -0.5, 0], "qy": [0, 0.5, 0], "qz": [0, -0.5, 0]},
        **{"tx_m": [1.0, 1.6, 1.3], "ty_m": [0.5, 0, 0], "tz_m": [1.4, 1.4, 1.6]},
    },
}


def save(path: Path, columns: Columns) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    feather.write_feather(pa.table(columns), path)


def write(root: Path, images_ms: dict[str, list[int]] | None = None, **tables: Columns) -> Path:
    """Write one log of the val split; ``images_ms`` are stamps by camera."""
    log = root / "val" / "log"
    for name, columns in ({POSES: poses(), BOXES: boxes()} | tables).items():
        save(log / f"{name}.feather", columns)
    for name, columns in CALIBRATION.items():
        save(log / "calibration" / f"{name}.feather", columns)
    for camera, stamps in (images_ms or {}).items():
        folder = log / "sensors" / "cameras" / camera
        folder.mkdir(parents=True)
        for stamp in stamps:
            (folder / f"{START_NS + stamp * MS}.jpg").touch()
    return root


def read(root: Path) -> list[Clip | Dropped]:
    (log,) = argoverse2.logs(root, root / "scratch")
    return list(argoverse2.clips(log))


def read_clips(root: Path) -> list[Clip]:
    return [clip for clip in read(root) if isinstance(clip, Clip)]


def stamps_of(clips: list[Clip]) -> list[int]:
    return [(clip.timestamp_ns - START_NS) // MS for clip in clips]


def test_without_images_every_fifth_sweep_is_a_present(tmp_path: Path) -> None:
    clips = read_clips(write(tmp_path))
    assert stamps_of(clips) == list(range(0, 12_001, 500))
    assert clips[2].id == f"argoverse2/log/{START_NS + 1000 * MS}"
    assert clips[2].split == "val"
    views = [camera.view for camera in clips[2].observation.cameras]
    assert views == list(argoverse2.DATASET.surround)
    front = clips[2].observation.cameras[0]
    assert front.image.parent.name == "ring_front_center"
    assert front.image.stem == str(START_NS + 1000 * MS)
    assert not front.image.exists()


def test_with_images_each_is_the_nearest_to_its_half_second(tmp_path: Path) -> None:
    """From 20 ms on: 524 and 1040 are near 520 and 1020; nothing is near 1520 or 2020."""
    images = [20, 70, 470, 524, 574, 1040, 1094, 1480, 1560, 2080, 2518]
    found = read(write(tmp_path, {"ring_front_center": images}))
    assert stamps_of([clip for clip in found if isinstance(clip, Clip)]) == [20, 524, 1040, 2518]
    assert [clip for clip in found if isinstance(clip, Dropped)] == [
        Dropped(f"argoverse2/log/{START_NS + late * MS}", "no_front_image") for late in (1520, 2020)
    ]


def test_the_way_is_by_the_poses_stamps(tmp_path: Path) -> None:
    clip = read_clips(write(tmp_path, {"ring_front_center": list(range(3, 12_000, 50))}))[16]
    np.testing.assert_allclose(
        clip.future.xy_m, [[5 * k, 0] for k in range(1, len(clip.future) + 1)], atol=1e-6
    )
    np.testing.assert_allclose(clip.observation.past.xy_m[0], [-30, 0], atol=1e-6)
    status = clip.observation.status
    assert status is not None
    assert not status.logged
    np.testing.assert_allclose(status.velocity_mps, [10, 0], atol=1e-6)
    assert len(clip.future) == 7


def test_images_outside_the_time_of_the_poses_are_passed_over(tmp_path: Path) -> None:
    images = [-9_000_000_000, -100, 0, 500, 99_999_999]
    assert stamps_of(read_clips(write(tmp_path, {"ring_front_center": images}))) == [0, 500]


def test_a_camera_shows_what_it_saw_last_by_the_present(tmp_path: Path) -> None:
    """40 ms before the present the ego is 0.4 m back; 60 ms are more than a period."""
    images = {
        "ring_front_center": [500],
        "ring_side_left": [410, 460, 501],
        "ring_rear_left": [440, 501],
        "ring_rear_right": [500],
        "ring_side_right": [501],
    }
    (clip,) = read_clips(write(tmp_path, images))
    cameras = {camera.view: camera for camera in clip.observation.cameras}
    assert "REAR LEFT" not in cameras
    assert "SIDE RIGHT" not in cameras
    left, front = cameras["SIDE LEFT"], cameras["FRONT"]
    assert left.image.stem == str(START_NS + 460 * MS)
    assert cameras["REAR RIGHT"].image.stem == front.image.stem == str(START_NS + 500 * MS)
    assert left.size_px == (1000, 800)
    assert left.intrinsics_px is not None
    assert left.intrinsics_px.tolist() == [[700, 0, 500], [0, 700, 400], [0, 0, 1]]
    assert left.ego_SE3_camera is not None
    assert front.ego_SE3_camera is not None
    np.testing.assert_allclose(left.ego_SE3_camera.translation_m, [0.6, 0.5, 1.4], atol=1e-6)
    np.testing.assert_allclose(left.ego_SE3_camera.rotation[:, 2], [0, 1, 0], atol=1e-9)
    np.testing.assert_allclose(front.ego_SE3_camera.translation_m, [1.6, 0, 1.4], atol=1e-6)
    np.testing.assert_allclose(front.ego_SE3_camera.rotation[:, 2], [1, 0, 0], atol=1e-9)
    assert cameras["REAR RIGHT"].intrinsics_px is None


def test_no_image_is_later_than_its_present(miniatures: Path) -> None:
    """Seven cameras; one picture, of the second half second, is missing."""
    log = argoverse2.logs(miniatures / "argoverse2", miniatures)[0]
    for row, clip in enumerate(argoverse2.clips(log)):
        assert isinstance(clip, Clip)
        stamps = [int(camera.image.stem) for camera in clip.observation.cameras]
        assert len(stamps) == (6 if row == 1 else 7)
        assert stamps[0] == clip.timestamp_ns
        assert max(stamps) <= clip.timestamp_ns
        assert min(stamps) >= clip.timestamp_ns - argoverse2.IMAGE_AGE_NS


def test_agents_move_over_the_ground_not_past_the_ego(tmp_path: Path) -> None:
    clip = read_clips(write(tmp_path))[2]
    car, bus = clip.observation.agents
    assert (car.id, car.category, car.kind, car.observed) == (
        "car",
        "REGULAR_VEHICLE",
        "vehicle",
        True,
    )
    assert (bus.id, bus.category, bus.observed) == ("parked", "BUS", False)
    np.testing.assert_allclose(car.center_m, [15, -3, 0.75], atol=1e-6)
    np.testing.assert_allclose(bus.center_m, [50, -3, 0.75], atol=1e-6)
    assert car.velocity_mps is not None
    assert bus.velocity_mps is not None
    np.testing.assert_allclose(car.velocity_mps, [10, 0], atol=1e-4)
    np.testing.assert_allclose(bus.velocity_mps, [0, 0], atol=1e-4)
    np.testing.assert_allclose(
        clip.agent_futures["car"].xy_m[:, 0], 15 + 5 * np.arange(1, 11), atol=1e-5
    )
    np.testing.assert_allclose(clip.agent_futures["parked"].xy_m[:, 0], 50, atol=1e-5)


def test_between_two_sweeps_boxes_of_the_earlier_are_moved_on(tmp_path: Path) -> None:
    clip = read_clips(write(tmp_path, {"ring_front_center": [1060]}))[0]
    car, bus = clip.observation.agents
    np.testing.assert_allclose(car.center_m[0], 15, atol=1e-4)
    np.testing.assert_allclose(bus.center_m[0], 60 - 10.6, atol=1e-4)


def test_what_comes_after_the_present_does_not_move_an_agent_now(tmp_path: Path) -> None:
    images = {"ring_front_center": [1060]}
    before = read_clips(write(tmp_path / "a", images))[0].observation.agents
    changed = boxes()
    changed["ty_m"] = np.where(changed["timestamp_ns"] > START_NS + 1060 * MS, 9.0, changed["ty_m"])
    after = read_clips(write(tmp_path / "b", images, annotations=changed))[0].observation.agents
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one.center_m, other.center_m)
        assert one.velocity_mps is not None
        assert other.velocity_mps is not None
        np.testing.assert_array_equal(one.velocity_mps, other.velocity_mps)


def test_a_present_without_an_annotated_sweep_is_not_annotated(tmp_path: Path) -> None:
    images = {"ring_front_center": [0, 500, 1000, 1500]}
    clips = read_clips(write(tmp_path, images, annotations=boxes(500, 1300)))
    assert [clip.observation.annotated for clip in clips] == [False, True, True, False]
    assert clips[3].observation.agents == ()


def test_a_log_without_boxes_is_not_annotated(tmp_path: Path) -> None:
    write(tmp_path, {"ring_front_center": [0, 500]})
    (tmp_path / "val" / "log" / f"{BOXES}.feather").unlink()
    assert not any(clip.observation.annotated for clip in read_clips(tmp_path))


def test_the_other_name_of_the_boxes_is_read_too(tmp_path: Path) -> None:
    log = write(tmp_path) / "val" / "log"
    (log / f"{BOXES}.feather").rename(log / f"{BOXES}_with_ego.feather")
    assert len(read_clips(tmp_path)[0].observation.agents) == 2


def with_row(columns: Columns, row: int, **values: Any) -> Columns:
    """Add a copy of one row with some values changed."""
    return {
        name: np.append(column, [values.get(name, column[row])]).astype(column.dtype)
        for name, column in columns.items()
    }


def test_a_repeated_box_is_one_and_another_of_its_stamp_a_fault(tmp_path: Path) -> None:
    """Row 6 is the car at 0.5 s; 363 rows are there before."""
    whole = boxes()
    same = read_clips(write(tmp_path / "same", annotations=with_row(whole, 5)))
    assert [len(clip.observation.agents) for clip in same[:3]] == [2, 2, 2]
    for changed in {"tx_m": 15.01}, {"category": "BUS"}, {"num_interior_pts": 0}:
        columns = with_row(whole, 5, **changed)
        root = write(tmp_path / next(iter(changed)), annotations=columns)
        with pytest.raises(LogError, match=r"annotations.feather: row 6 and row 364: .*track car"):
            read(root)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("width_px", np.nan),
        ("height_px", 0.0),
        ("fx_px", np.nan),
        ("fy_px", -700.0),
        ("cx_px", np.inf),
        ("cy_px", 1e300),
    ],
)
def test_a_lens_that_is_none_is_named(tmp_path: Path, name: str, value: float) -> None:
    log = write(tmp_path) / "val" / "log"
    table = CALIBRATION["intrinsics"]
    save(log / "calibration" / "intrinsics.feather", table | {name: [table[name][0], value]})
    with pytest.raises(LogError, match=f"intrinsics.feather: row 2: {name} of ring_side_left is "):
        read(tmp_path)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (1e300, r"row 1001, \d+ ns: position \[5000.0, 1e\+300, 30.0\] m; expected less than"),
        (2550.0, "from row 1000 to row 1001 the position jumps by 500 m in 0.010 s"),
    ],
)
def test_a_pose_far_from_all_others_is_a_fault(tmp_path: Path, value: float, message: str) -> None:
    columns = poses()
    columns["ty_m"][1000] = value
    with pytest.raises(LogError, match=f"{POSES}.feather: {message}"):
        read(write(tmp_path, **{POSES: columns}))


def test_a_speed_is_over_the_last_half_second(tmp_path: Path) -> None:
    """The car jitters by 0.1 m at the present's sweep: 0.2 m/s, where one sweep makes it 1 m/s."""
    columns = boxes(0, 1000)
    columns["tx_m"][10] += 0.1
    clips = read_clips(write(tmp_path, annotations=columns))
    (car,) = (agent for agent in clips[2].observation.agents if agent.id == "car")
    assert car.velocity_mps is not None
    np.testing.assert_allclose(car.velocity_mps, [10.2, 0], atol=1e-4)


def test_bicycles_without_a_rider_are_objects(tmp_path: Path) -> None:
    columns = boxes(0, 0)
    for category, kind in ("BICYCLE", "object"), ("MOTORCYCLE", "object"), ("BICYCLIST", "cyclist"):
        columns["category"][0] = category
        clip = read_clips(write(tmp_path / category, annotations=columns))[0]
        assert {agent.category: agent.kind for agent in clip.observation.agents}[category] == kind


@pytest.mark.parametrize(
    "faulty", [{"qw": 0.0}, {"tx_m": np.nan}, {"tx_m": 1e300}, {"qx": 1e300}, {"length_m": 0.0}]
)
def test_a_present_with_a_box_that_is_none_is_dropped(
    tmp_path: Path, faulty: dict[str, float]
) -> None:
    columns = boxes()
    for name, value in faulty.items():
        columns[name] = columns[name].copy()
        columns[name][5] = value
    found = read(write(tmp_path, annotations=columns))
    assert found[1] == Dropped(f"argoverse2/log/{START_NS + 500 * MS}", "bad_box")
    assert sum(isinstance(clip, Clip) for clip in found) == 24


def test_a_gap_in_the_poses_cuts_what_spans_it(tmp_path: Path) -> None:
    columns = poses()
    kept = np.abs(columns["timestamp_ns"] - START_NS - 6200 * MS) > 60 * MS
    columns = {name: values[kept] for name, values in columns.items()}
    images = {"ring_front_center": list(range(0, 12_001, 500))}
    found = read_clips(write(tmp_path, images, **{POSES: columns, BOXES: boxes(0, 6000)}))
    assert len(found[12].future) == 0
    assert len(found[13].observation.past) == 1
    assert len(found[8].future) == 4


def test_an_incomplete_log_says_what_it_lacks(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "val" / "log" / f"{POSES}.feather").unlink()
    with pytest.raises(LogError, match="city_SE3_egovehicle.feather: missing, so this log is inc"):
        read(tmp_path)


def test_a_log_with_neither_images_nor_boxes_says_so(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "val" / "log" / f"{BOXES}.feather").unlink()
    with pytest.raises(LogError, match="log: neither front images nor boxes"):
        read(tmp_path)


def test_an_empty_folder_is_answered_with_what_to_download(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no train, val or test folder with logs is here"):
        argoverse2.logs(tmp_path, tmp_path)


def without(columns: Columns, name: str) -> Columns:
    return {key: values for key, values in columns.items() if key != name}


def with_nothing(columns: Columns, name: str) -> Columns:
    return columns | {name: [None, *columns[name][1:]]}


Spoil = Callable[[Columns], Columns]


@pytest.mark.parametrize(
    ("table", "spoil", "message"),
    [
        (POSES, lambda c: without(c, "qz"), "no column 'qz'; it has timestamp_ns, qw, "),
        (BOXES, lambda c: without(c, "category"), "no column 'category'; it has"),
        (POSES, lambda c: with_nothing(c, "tx_m"), "row 1: tx_m is empty"),
        (POSES, lambda c: c | {"tx_m": ["x"] * len(c["tx_m"])}, "'tx_m' holds string; expected"),
        (BOXES, lambda c: c | {"category": c["tx_m"]}, "'category' holds double; expected texts"),
        (
            POSES,
            lambda c: c | {"timestamp_ns": c["timestamp_ns"].astype("u8")},
            "holds uint64; expected",
        ),
        (POSES, lambda c: c | {"tx_m": c["tx_m"] * np.nan}, "2402 poses, none usable"),
        (POSES, lambda c: c | {"timestamp_ns": c["timestamp_ns"] / 1.0}, "holds double; expected"),
        (POSES, lambda c: c | {"qw": 0 * c["qw"], "qz": 0 * c["qz"]}, "2402 poses, none usable"),
        (POSES, lambda c: {k: v[:0] for k, v in c.items()}, "0 poses, none usable"),
        (BOXES, lambda c: c | {"timestamp_ns": c["timestamp_ns"] + 10**12}, "row 1: no pose at "),
    ],
)
def test_a_fault_of_a_table_is_named(
    tmp_path: Path, table: str, spoil: Spoil, message: str
) -> None:
    whole = {POSES: poses(), BOXES: boxes()}[table]
    with pytest.raises(LogError, match=f"{table}.feather: .*{message}"):
        read(write(tmp_path, **{table: spoil(whole)}))


def test_one_stamp_with_two_poses_is_a_fault(tmp_path: Path) -> None:
    columns = poses()
    columns["timestamp_ns"][1::2] -= 1
    columns["ty_m"][1::2] = columns["ty_m"][::2]
    assert len(read_clips(write(tmp_path / "same", **{POSES: columns}))) == 25
    columns["ty_m"][201] += 0.1
    with pytest.raises(LogError, match="rows 201 and 202 have one stamp"):
        read(write(tmp_path / "other", **{POSES: columns}))


@pytest.mark.parametrize("kept", [0, 7, 100, -100])
def test_a_table_cut_short_is_named(tmp_path: Path, kept: int) -> None:
    path = write(tmp_path) / "val" / "log" / f"{POSES}.feather"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(LogError, match="city_SE3_egovehicle.feather: not a whole feather file"):
        read(tmp_path)


@pytest.fixture(params=["miniature", "real"])
def shipped(request: pytest.FixtureRequest) -> Path:
    """A folder made by somebody else: our miniature, and the real sample."""
    if request.param == "miniature":
        return Path(request.getfixturevalue("miniatures")) / "argoverse2"
    return Path(request.getfixturevalue("samples")) / "argoverse2"


def test_boxes_and_poses_are_what_the_av2_package_reads(shipped: Path) -> None:
    """Boxes by name in the city frame; a waypoint against the package's nearest pose."""
    pytest.importorskip("av2", reason="needs the oracles extra")
    from av2.structures.cuboid import CuboidList
    from av2.utils.io import read_city_SE3_ego

    seen = met = 0
    for log in argoverse2.logs(shipped, shipped):
        if not (log.source / f"{POSES}.feather").is_file():
            continue
        city_SE3_ego = read_city_SE3_ego(log.source)
        stamps = np.array(sorted(city_SE3_ego))
        path = next(log.source.glob("annotations*.feather"))
        cuboids = CuboidList.from_feather(path).cuboids
        for clip in (clip for clip in argoverse2.clips(log) if isinstance(clip, Clip)):
            now = city_SE3_ego[clip.timestamp_ns]
            theirs = [box for box in cuboids if box.timestamp_ns == clip.timestamp_ns]
            centers = np.array([box.xyz_center_m for box in theirs]).reshape(-1, 3)
            for agent in clip.observation.agents if theirs else ():
                gaps_m = np.linalg.norm(centers - agent.center_m, axis=1)
                assert gaps_m.min() < 1e-6
                box = theirs[int(gaps_m.argmin())]
                assert box.category == agent.category
                np.testing.assert_allclose(agent.size_m, [box.length_m, box.width_m, box.height_m])
                seen += 1
            for step, xy_m in enumerate(clip.future.xy_m, start=1):
                asked = clip.timestamp_ns + step * 500 * MS
                nearest = int(stamps[np.abs(stamps - asked).argmin()])
                if abs(nearest - asked) < 0.2 * MS:
                    there = now.inverse().compose(city_SE3_ego[nearest]).translation
                    np.testing.assert_allclose(xy_m, there[:2], atol=0.01)
                    met += 1
    assert met > 10
    assert seen or "real" not in str(shipped)


def test_two_real_logs_give_32_clips_each_and_the_third_is_incomplete(samples: Path) -> None:
    counts: list[int | str] = []
    for log in argoverse2.logs(samples / "argoverse2", samples):
        try:
            counts.append(sum(isinstance(clip, Clip) for clip in argoverse2.clips(log)))
        except LogError as error:
            counts.append(str(error))
    assert counts[:2] == [32, 32]
    assert "incomplete" in str(counts[2])


def test_a_pose_that_is_no_number_is_bridged(tmp_path: Path) -> None:
    columns = poses()
    columns["tx_m"][600:604] = np.nan
    columns["qz"][800] = np.nan
    assert len(read_clips(write(tmp_path, **{POSES: columns}))) == 25


def test_an_image_listed_twice_is_one(tmp_path: Path) -> None:
    write(tmp_path, {"ring_front_center": [0, 500, 1000]})
    folder = tmp_path / "val/log/sensors/cameras/ring_front_center"
    (folder / f"0{START_NS + 500 * MS}.jpg").touch()
    clips = read_clips(tmp_path)
    assert stamps_of(clips) == [0, 500, 1000]
    assert all(clip.observation.cameras[0].image.is_file() for clip in clips)


def test_a_log_of_days_is_a_fault_not_a_clip_every_half_second(tmp_path: Path) -> None:
    columns = poses()
    columns["timestamp_ns"][-1] = START_NS + 10**16
    columns["ty_m"][-1] = 0.0
    annotations = boxes()
    annotations["timestamp_ns"][-1] = START_NS + 10**16
    with pytest.raises(LogError, match="more than 3600 s apart; expected some 20 s"):
        read(write(tmp_path, **{POSES: columns, BOXES: annotations}))
