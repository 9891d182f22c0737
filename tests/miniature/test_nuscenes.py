from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from impromptu.files import read_json
from impromptu.geometry import rotations, yaws_rad
from impromptu.miniature import nuscenes_rig

TABLES = (
    *("attribute", "calibrated_sensor", "category", "ego_pose", "instance", "log", "map"),
    *("sample", "sample_annotation", "sample_data", "scene", "sensor", "visibility"),
)
SCENES = ("scene-0001", "scene-0003")


@pytest.fixture(scope="module")
def root(small: Path) -> Path:
    return small / "nuscenes"


@pytest.fixture(scope="module")
def tables(root: Path) -> dict[str, list[dict[str, Any]]]:
    return {name: read_json(root / "v1.0-mini" / f"{name}.json") for name in TABLES}


@pytest.fixture(scope="module")
def by_token(tables: dict[str, list[dict[str, Any]]]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(name, row["token"]): row for name, rows in tables.items() for row in rows}


Tables = dict[str, list[dict[str, Any]]]
Rows = dict[tuple[str, str], dict[str, Any]]


def test_tokens_are_unique_in_their_table(tables: Tables) -> None:
    for rows in tables.values():
        assert rows and len({row["token"] for row in rows}) == len(rows)


def test_every_link_leads_to_a_row(tables: Tables, by_token: Rows) -> None:
    for rows in tables.values():
        for row in rows:
            for field, value in row.items():
                table = field.removesuffix("s").removesuffix("_token")
                table = table.removeprefix("first_").removeprefix("last_")
                table = "sample_annotation" if table == "annotation" else table
                if field.endswith(("_token", "_tokens")) and table in TABLES:
                    for token in value if isinstance(value, list) else [value]:
                        assert (table, token) in by_token, (field, token)


@pytest.mark.parametrize("table", ("sample", "sample_data", "sample_annotation"))
def test_rows_are_chained_in_the_order_of_time(table: str, tables: Tables, by_token: Rows) -> None:
    def stamp(row: dict[str, Any]) -> int:
        sample = by_token["sample", row["sample_token"]] if "sample_token" in row else row
        return int(row["timestamp"] if "timestamp" in row else sample["timestamp"])

    starts = 0
    for row in tables[table]:
        starts += not row["prev"]
        if row["next"]:
            after = by_token[table, row["next"]]
            assert after["prev"] == row["token"] and stamp(after) > stamp(row)
    scenes = len(tables["scene"])
    expected = {"sample": scenes, "sample_data": 7 * scenes}
    assert starts == expected.get(table, len(tables["instance"]))


def test_keyframes_are_about_half_a_second_apart(tables: Tables, by_token: Rows) -> None:
    steps = [
        by_token["sample", row["next"]]["timestamp"] - row["timestamp"]
        for row in tables["sample"]
        if row["next"]
    ]
    assert min(steps) >= 448_000 and max(steps) <= 552_000
    assert np.std(steps) > 10_000


def test_both_splits_occur(tables: Tables) -> None:
    assert tuple(scene["name"] for scene in tables["scene"]) == SCENES


def test_scene_names_run_out() -> None:
    assert len(set(nuscenes_rig.scene_names(500))) == 500
    with pytest.raises(ValueError, match="at most"):
        nuscenes_rig.scene_names(10_000)


def test_all_files_exist_and_pictures_have_their_size(root: Path, tables: Tables) -> None:
    for row in tables["sample_data"]:
        path = root / row["filename"]
        assert path.is_file()
        if path.suffix == ".jpg":
            with Image.open(path) as image:
                assert image.size == (row["width"], row["height"])
    for row in tables["map"]:
        assert (root / row["filename"]).is_file()


def messages(root: Path, scene: str, name: str) -> dict[str, Any]:
    rows = read_json(root / "can_bus" / f"{scene}_{name}.json")
    return {key: np.array([row[key] for row in rows]) for key in rows[0]}


@pytest.fixture(params=SCENES)
def pose(request: pytest.FixtureRequest, root: Path) -> dict[str, Any]:
    found = messages(root, request.param, "pose")
    return {**found, "t_s": (found["utime"] - found["utime"][0]) / 1e6}


def slope(values: Any, t_s: Any) -> Any:
    """Return central differences, of second order on an uneven grid."""
    return np.gradient(values, t_s, axis=0, edge_order=2)


def test_the_can_bus_speaks_fifty_times_a_second(pose: dict[str, Any]) -> None:
    steps = np.diff(pose["t_s"])
    assert steps.min() > 0.015 and steps.max() < 0.025


def test_the_can_bus_velocity_is_the_slope_of_its_positions(pose: dict[str, Any]) -> None:
    turned = rotations(pose["orientation"])
    velocity = np.einsum("nij,nj->ni", turned, pose["vel"])
    np.testing.assert_allclose(slope(pose["pos"], pose["t_s"]), velocity, atol=3e-3)


def test_the_can_bus_acceleration_is_the_slope_of_its_velocity_and_gravity(
    pose: dict[str, Any],
) -> None:
    turned = rotations(pose["orientation"])
    velocity = np.einsum("nij,nj->ni", turned, pose["vel"])
    force = np.einsum("nij,nj->ni", turned, pose["accel"])
    expected = slope(velocity, pose["t_s"]) + [0, 0, 9.81]
    np.testing.assert_allclose(expected[2:-2], force[2:-2], atol=0.02)


def test_the_can_bus_turning_rate_is_the_slope_of_its_heading(pose: dict[str, Any]) -> None:
    heading = np.unwrap(yaws_rad(rotations(pose["orientation"])))
    rate = np.einsum("nij,nj->ni", rotations(pose["orientation"]), pose["rotation_rate"])
    np.testing.assert_allclose(slope(heading, pose["t_s"]), rate[:, 2], atol=3e-3)


@pytest.mark.parametrize("scene", SCENES)
def test_the_dashboard_agrees_with_the_pose_messages(root: Path, scene: str) -> None:
    pose, dashboard = (messages(root, scene, name) for name in ("pose", "vehicle_monitor"))
    speed = np.interp(dashboard["utime"], pose["utime"], np.linalg.norm(pose["vel"], axis=1))
    np.testing.assert_allclose(dashboard["vehicle_speed"], 3.6 * speed, atol=0.05)
    wheel = messages(root, scene, "steeranglefeedback")
    steering = np.interp(dashboard["utime"], wheel["utime"], wheel["value"])
    np.testing.assert_allclose(dashboard["steering"], np.rad2deg(steering), atol=0.3)


def test_ego_poses_agree_with_the_can_bus(root: Path, tables: Tables) -> None:
    poses = [messages(root, scene, "pose") for scene in SCENES]
    for row in tables["ego_pose"]:
        can = next(p for p in poses if p["utime"][0] <= row["timestamp"] <= p["utime"][-1])
        place = [np.interp(row["timestamp"], can["utime"], column) for column in can["pos"].T]
        np.testing.assert_allclose(row["translation"], place, atol=3e-3)


def test_parked_cars_stay_where_they_are(tables: Tables, by_token: Rows) -> None:
    parked = [
        row
        for row in tables["sample_annotation"]
        if by_token["attribute", row["attribute_tokens"][0]]["name"] == "vehicle.parked"
    ]
    assert len(parked) > 50
    for row in parked:
        if row["next"]:
            assert by_token["sample_annotation", row["next"]]["translation"] == row["translation"]


def test_what_was_not_seen_has_no_points(tables: Tables) -> None:
    points: dict[str, list[int]] = {"1": [], "2": [], "3": [], "4": []}
    for row in tables["sample_annotation"]:
        points[row["visibility_token"]].append(row["num_lidar_pts"])
    assert min(points["4"]) > 0 and min(points["1"]) == 0


@pytest.fixture(scope="module")
def devkit(root: Path) -> Any:
    module = pytest.importorskip(
        "nuscenes.nuscenes", reason="needs the oracles extra: nuscenes-devkit"
    )
    return module.NuScenes(version="v1.0-mini", dataroot=str(root), verbose=False)


pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def keyframes(devkit: Any, channel: str) -> Iterator[tuple[Path, list[Any], Any]]:
    for sample in devkit.sample:
        path, boxes, intrinsics = devkit.get_sample_data(sample["data"][channel])
        yield Path(path), boxes, intrinsics


def test_the_devkit_reads_scenes_splits_and_can_bus(devkit: Any, root: Path) -> None:
    from nuscenes.can_bus.can_bus_api import NuScenesCanBus
    from nuscenes.utils.splits import create_splits_scenes

    official = create_splits_scenes()
    names = nuscenes_rig.scene_names(500)
    assert set(names) <= {*official["train"], *official["val"]}
    assert [scene["name"] in official["val"] for scene in devkit.scene] == [False, True]
    can = NuScenesCanBus(str(root))
    assert not {int(name[-4:]) for name in names} & set(can.can_blacklist)
    assert len(can.get_messages("scene-0001", "pose")) > 300
    assert can.get_messages("scene-0003", "vehicle_monitor")


def test_the_devkit_counts_the_points_that_the_tables_count(devkit: Any) -> None:
    from nuscenes.utils.data_classes import LidarPointCloud
    from nuscenes.utils.geometry_utils import points_in_box

    counted = 0
    for path, boxes, _ in keyframes(devkit, "LIDAR_TOP"):
        points = LidarPointCloud.from_file(str(path)).points[:3]
        for box in boxes:
            row = devkit.get("sample_annotation", box.token)
            assert points_in_box(box, points).sum() == row["num_lidar_pts"]
            counted += row["num_lidar_pts"]
    assert counted > 1000


def test_the_devkit_drives_on_the_streets_of_the_map(devkit: Any, tables: Tables) -> None:
    x, y, _ = np.array([row["translation"] for row in tables["ego_pose"]]).T
    assert devkit.map[0]["mask"].is_on_mask(x, y).all()
    assert devkit.map[0]["mask"].is_on_mask(x, y + 30).mean() < 0.2


def test_the_devkit_projects_road_users_onto_saturated_colours(devkit: Any) -> None:
    """Houses, street and sky are pale; clothes of those on foot are not.

    They are as wide as 0.5 m: a picture drawn 35 ms late would show them as far away as that.
    """
    vivid = []
    channels = ("CAM_FRONT", "CAM_FRONT_LEFT", "CAM_FRONT_RIGHT")
    frames = chain.from_iterable(keyframes(devkit, channel) for channel in channels)
    for path, boxes, intrinsics in frames:
        image = np.asarray(Image.open(path), dtype=np.float64)
        for box in boxes:
            row = devkit.get("sample_annotation", box.token)
            seen = int(row["visibility_token"]) == 4 and 2 < box.center[2] < 20
            for side_m in (-0.15, 0.15) if seen and "pedestrian" in box.name else ():
                u, v, depth = intrinsics @ (box.center + [side_m, 0.0, 0.0])
                u, v = int(u / depth), int(v / depth)
                if 0 <= u < 400 and 0 <= v < 225:
                    vivid.append(np.ptp(image[v, u]) / image[v, u].max() > 0.35)
    assert len(vivid) > 10 and np.mean(vivid) > 0.9


def test_the_devkit_finds_the_velocities_of_the_attributes(devkit: Any) -> None:
    for row in devkit.sample_annotation:
        speed = np.linalg.norm(devkit.box_velocity(row["token"])[:2])
        attribute = devkit.get("attribute", row["attribute_tokens"][0])["name"]
        if attribute in ("vehicle.parked", "vehicle.stopped", "pedestrian.standing"):
            assert np.isnan(speed) or speed < 1.2
        if attribute == "vehicle.parked":
            assert np.isnan(speed) or speed == 0
