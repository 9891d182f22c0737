from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pyarrow import feather

from impromptu.arrays import Floats
from impromptu.files import read_json
from impromptu.geometry import SE3, rotations
from impromptu.miniature.argoverse2 import LOST_CAMERA

RING = (
    *("ring_front_center", "ring_front_left", "ring_front_right", "ring_rear_left"),
    *("ring_rear_right", "ring_side_left", "ring_side_right"),
)
POSE = ("qw", "qx", "qy", "qz", "tx_m", "ty_m", "tz_m")


@pytest.fixture(scope="module")
def root(small: Path) -> Path:
    return small / "argoverse2"


@pytest.fixture(params=("train", "val"))
def log(request: pytest.FixtureRequest, root: Path) -> Path:
    [folder] = (root / str(request.param)).iterdir()
    return folder


def columns(path: Path) -> dict[str, Any]:
    table = feather.read_table(path)
    return {name: table[name].to_numpy(zero_copy_only=False) for name in table.column_names}


def poses(found: dict[str, Any]) -> list[SE3]:
    values = np.column_stack([found[name] for name in POSE])
    return [SE3(r, t) for r, t in zip(rotations(values[:, :4]), values[:, 4:], strict=True)]


def city_SE3_ego(log: Path) -> dict[int, SE3]:
    found = columns(log / "city_SE3_egovehicle.feather")
    return dict(zip(found["timestamp_ns"].tolist(), poses(found), strict=True))


def picture_stamps(log: Path, camera: str) -> list[int]:
    return sorted(int(p.stem) for p in (log / "sensors" / "cameras" / camera).iterdir())


def test_every_stamp_has_a_pose(log: Path) -> None:
    known = set(city_SE3_ego(log))
    assert set(columns(log / "annotations.feather")["timestamp_ns"].tolist()) <= known
    assert {int(path.stem) for path in (log / "sensors" / "lidar").iterdir()} <= known
    for camera in RING:
        assert set(picture_stamps(log, camera)) <= known


def test_poses_are_irregular_and_some_are_a_nanosecond_apart(log: Path) -> None:
    steps = np.diff(columns(log / "city_SE3_egovehicle.feather")["timestamp_ns"])
    assert steps.min() == 1 and steps.max() < 16_000_000
    assert 2_000_000 < np.median(steps) < 8_000_000


def test_boxes_come_ten_times_a_second_and_pictures_twice(log: Path) -> None:
    labelled = np.unique(columns(log / "annotations.feather")["timestamp_ns"])
    np.testing.assert_allclose(np.diff(labelled) / 1e6, 100, atol=0.1)
    front = np.array(picture_stamps(log, RING[0]))
    np.testing.assert_allclose(np.diff(front) / 1e6, 500, atol=0.1)
    for camera in RING:
        there = np.delete(front, 1) if camera == LOST_CAMERA else front
        assert np.abs(np.array(picture_stamps(log, camera)) - there).max() < 25_000_000


def tracks(log: Path) -> Iterator[tuple[str, Floats]]:
    """Yield each track's category and its (n, 3) middles in the city."""
    found, known = columns(log / "annotations.feather"), city_SE3_ego(log)
    city = [
        known[stamp] @ pose
        for stamp, pose in zip(found["timestamp_ns"].tolist(), poses(found), strict=True)
    ]
    middles = np.array([pose.translation_m for pose in city])
    upright = np.array([pose.rotation[:, 2] for pose in city])
    np.testing.assert_allclose(upright, np.tile([0, 0, 1], (len(city), 1)), atol=1e-9)
    for track in np.unique(found["track_uuid"].astype(str)):
        mine = found["track_uuid"] == track
        [category] = set(found["category"][mine])
        yield category, middles[mine]


def test_standing_things_stand_still_in_the_city(log: Path) -> None:
    spread = [np.ptp(middles, axis=0).max() for _, middles in tracks(log) if len(middles) > 10]
    assert sum(metres < 1e-6 for metres in spread) > 8
    assert sum(metres > 5 for metres in spread) >= 2


def test_categories_are_the_datasets_own_words(log: Path) -> None:
    words = {category for category, _ in tracks(log)}
    assert {"REGULAR_VEHICLE", "PEDESTRIAN"} <= words
    assert words <= {
        *("REGULAR_VEHICLE", "LARGE_VEHICLE", "BOX_TRUCK", "BUS", "PEDESTRIAN", "BICYCLIST"),
    }


def camera(log: Path, name: str) -> tuple[Floats, SE3, tuple[int, int]]:
    lens, mounted = (
        columns(log / "calibration" / f"{table}.feather")
        for table in ("intrinsics", "egovehicle_SE3_sensor")
    )
    i = lens["sensor_name"].tolist().index(name)
    fx, fy, cx, cy = (float(lens[f"{key}_px"][i]) for key in ("fx", "fy", "cx", "cy"))
    assert not any(lens[key].any() for key in ("k1", "k2", "k3"))
    k = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    pose = poses(mounted)[mounted["sensor_name"].tolist().index(name)]
    return k, pose, (int(lens["width_px"][i]), int(lens["height_px"][i]))


@pytest.mark.parametrize("name", RING[:3])
def test_pictures_show_what_the_boxes_say(log: Path, name: str) -> None:
    """Those on foot wear vivid colours: at the pixel of a seen box's middle, moved in time."""
    k, ego_SE3_camera, size = camera(log, name)
    known, found = city_SE3_ego(log), columns(log / "annotations.feather")
    vivid = []
    for stamp in picture_stamps(log, name):
        with Image.open(log / "sensors" / "cameras" / name / f"{stamp}.jpg") as opened:
            assert opened.size == size
            image = np.asarray(opened, dtype=np.float64)
        nearest = found["timestamp_ns"][np.abs(found["timestamp_ns"] - stamp).argmin()]
        mine = (found["timestamp_ns"] == nearest) & (found["category"] == "PEDESTRIAN")
        mine &= found["num_interior_pts"] > 4
        middles = np.column_stack([found[key][mine] for key in ("tx_m", "ty_m", "tz_m")])
        camera_SE3_ego = (known[stamp] @ ego_SE3_camera).inverse() @ known[int(nearest)]
        for point in camera_SE3_ego.transform(middles) @ k.T:
            u, v = point[:2] / point[2]
            if 2 < point[2] < 20 and 0 <= u < size[0] and 0 <= v < size[1]:
                colour = image[int(v), int(u)]
                vivid.append(np.ptp(colour) / colour.max() > 0.3)
    assert np.mean(vivid or [True]) > 0.8


def test_the_map_holds_lanes_crossings_and_streets(log: Path) -> None:
    [path] = (log / "map").glob("log_map_archive_*.json")
    found = read_json(path)
    counts = {name: len(rows) for name, rows in found.items()}
    assert counts == {"pedestrian_crossings": 5, "lane_segments": 12, "drivable_areas": 2}


def loaded(root: Path, split: str) -> tuple[Any, str]:
    module = pytest.importorskip(
        "av2.datasets.sensor.av2_sensor_dataloader", reason="needs the oracles extra: av2"
    )
    loader = module.AV2SensorDataLoader(data_dir=root / split, labels_dir=root / split)
    [name] = loader.get_log_ids()
    return loader, name


@pytest.mark.filterwarnings("ignore")
def test_the_av2_package_reads_poses_boxes_and_cameras(root: Path, log: Path) -> None:
    loader, name = loaded(root, log.parent.name)
    stamps = loader.get_ordered_log_lidar_timestamps(name)
    assert len(stamps) == len(np.unique(columns(log / "annotations.feather")["timestamp_ns"]))
    for stamp in stamps[::7]:
        theirs, ours = loader.get_city_SE3_ego(name, stamp), city_SE3_ego(log)[stamp]
        np.testing.assert_allclose(theirs.rotation, ours.rotation, atol=1e-12)
        np.testing.assert_allclose(theirs.translation, ours.translation_m)
    labels = loader.get_labels_at_lidar_timestamp(name, stamps[3])
    assert len(labels) == (columns(log / "annotations.feather")["timestamp_ns"] == stamps[3]).sum()
    theirs = loader.get_log_pinhole_camera(name, RING[1])
    k, pose, size = camera(log, RING[1])
    np.testing.assert_allclose(theirs.intrinsics.K, k)
    np.testing.assert_allclose(theirs.ego_SE3_cam.translation, pose.translation_m)
    assert (theirs.width_px, theirs.height_px) == size
    picture = loader.get_closest_img_fpath(name, RING[0], stamps[5])
    assert picture.is_file() and loader.get_city_name(name) == "PIT"


@pytest.mark.filterwarnings("ignore")
def test_the_av2_package_finds_the_points_in_the_boxes(root: Path, log: Path) -> None:
    loader, name = loaded(root, log.parent.name)
    from av2.structures.sweep import Sweep

    stamp = loader.get_ordered_log_lidar_timestamps(name)[10]
    sweep = Sweep.from_feather(loader.get_lidar_fpath(name, stamp))
    found = columns(log / "annotations.feather")
    counted = found["num_interior_pts"][found["timestamp_ns"] == stamp]
    cuboids = loader.get_labels_at_lidar_timestamp(name, stamp).cuboids
    inside = [len(cuboid.compute_interior_points(sweep.xyz)[0]) for cuboid in cuboids]
    np.testing.assert_array_equal(inside, counted)


@pytest.mark.filterwarnings("ignore")
def test_the_av2_package_reads_the_map(log: Path) -> None:
    map_api = pytest.importorskip("av2.map.map_api", reason="needs the oracles extra: av2")
    found = map_api.ArgoverseStaticMap.from_map_dir(log / "map", build_raster=True)
    ego = np.array([pose.translation_m for pose in city_SE3_ego(log).values()])
    near = found.get_nearby_lane_segments(ego[0, :2], 5.0)
    assert near and len(found.get_scenario_ped_crossings()) == 5
    np.testing.assert_allclose(
        found.raster_ground_height_layer.get_ground_height_at_xy(ego), ego[:, 2] - 0.33, atol=0.07
    )


@pytest.mark.filterwarnings("ignore")
def test_the_av2_package_synchronises_sweeps_with_pictures(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = pytest.importorskip(
        "av2.datasets.sensor.sensor_dataloader", reason="needs the oracles extra: av2"
    )
    monkeypatch.setattr(module, "HOME", tmp_path)
    cameras = tuple(module.RingCameras)
    loader = module.SensorDataloader(root, with_cache=False, cam_names=cameras)
    assert loader.num_logs == 2
    whole = [loader[i].synchronized_imagery for i in range(5)]
    assert [len(images or ()) for images in whole] == [7, 0, 0, 0, 0]
