"""nuScenes: a hand-made scene whose every answer is known, its faults, and the devkit's opinion."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from impromptu.clip import Clip
from impromptu.datasets import Dropped, LogError, _json_rows, _nuscenes_index, nuscenes
from impromptu.datasets._nuscenes_splits import split_of
from impromptu.geometry import SE2

HALF = float(np.sqrt(0.5))
CHANNELS = "CAM_FRONT", "CAM_BACK", "LIDAR_TOP"
START_US = 1_500_000_000_000_000
HALVES = nuscenes.DATASET.indexes
Tables = dict[str, list[dict[str, Any]]]


def straight_drive(keyframes: int = 24, scene: str = "scene-0061") -> Tables:
    """Make the tables of a drive at 10 m/s along world y, away from the origin, with one car.

    The lidar is 1 m ahead of the ego origin. Cameras see 0.1 s before the lidar. The car keeps
    20 m ahead and 3 m to the left.
    """
    tables: Tables = {table: [] for table in _nuscenes_index.TABLES}
    looks = {"CAM_FRONT": [0.5, -0.5, 0.5, -0.5], "CAM_BACK": [0.5, -0.5, -0.5, 0.5]}
    for channel in CHANNELS:
        camera = channel != "LIDAR_TOP"
        tables["sensor"].append({"token": f"s-{channel}", "channel": channel})
        tables["calibrated_sensor"].append(
            {
                "token": f"c-{channel}",
                "sensor_token": f"s-{channel}",
                "translation": [1.0, 0.0, 1.5],
                "rotation": looks[channel] if camera else [HALF, 0, 0, -HALF],
                "camera_intrinsic": [[800, 0, 400], [0, 800, 225], [0, 0, 1]] if camera else [],
            }
        )
    tables["log"].append({"token": f"log of {scene}", "location": "singapore-queenstown"})
    row = {"token": scene, "name": scene, "log_token": f"log of {scene}"}
    tables["scene"].append(row | {"description": "Train tracks, Rain, night"})
    tables["category"].append({"token": "k", "name": "vehicle.car"})
    tables["instance"].append({"token": "car", "category_token": "k"})
    for index in range(keyframes):
        add_keyframe(tables, scene, index)
    return tables


def add_keyframe(tables: Tables, scene: str, index: int) -> None:
    sample, stamp_us = f"{scene}-{index:02d}", START_US + 500_000 * index
    tables["sample"].append({"token": sample, "scene_token": scene, "timestamp": stamp_us})
    for channel in CHANNELS:
        token, camera = f"{sample}-{channel}", channel != "LIDAR_TOP"
        seen_us = stamp_us - 100_000 * camera
        tables["sample_data"].append(
            {
                "token": token,
                "sample_token": sample,
                "ego_pose_token": token,
                "calibrated_sensor_token": f"c-{channel}",
                "timestamp": seen_us,
                "is_key_frame": True,
                "height": 450 * camera,
                "width": 800 * camera,
                "filename": f"samples/{channel}/{sample}.jpg",
            }
        )
        position = [600.0, 1000 + 10 * (seen_us - START_US) / 1e6, 0.0]
        tables["ego_pose"].append(
            {"token": token, "rotation": [HALF, 0, 0, HALF], "translation": position}
        )
    tables["sample_annotation"].append(
        {
            "token": f"{sample}-car",
            "sample_token": sample,
            "instance_token": "car",
            "visibility_token": "4",
            "translation": [597.0, 1020 + 5 * index, 1.0],
            "size": [2.0, 4.5, 1.6],
            "rotation": [HALF, 0, 0, HALF],
            "num_lidar_pts": 5,
            "num_radar_pts": 0,
        }
    )


def write(root: Path, tables: Tables, version: str = "v1.0-mini") -> Path:
    for table, rows in tables.items():
        path = root / version / f"{table}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(rows, indent=0))
    return root


def read(root: Path, log: int = 0) -> list[Clip | Dropped]:
    return list(nuscenes.clips(nuscenes.logs(root, root / "scratch")[log]))


def read_clips(root: Path, log: int = 0) -> list[Clip]:
    return [clip for clip in read(root, log) if isinstance(clip, Clip)]


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory) -> list[Clip]:
    return read_clips(write(tmp_path_factory.mktemp("drive"), straight_drive()))


def test_every_keyframe_gives_a_clip_named_after_its_sample(drive: list[Clip]) -> None:
    assert [clip.id for clip in drive] == [
        f"nuscenes/scene-0061/scene-0061-{k:02d}" for k in range(24)
    ]
    assert drive[3].timestamp_ns == 1000 * (START_US + 1_500_000)
    assert {(clip.dataset, clip.split, clip.log) for clip in drive} == {
        ("nuscenes", "train", "scene-0061")
    }


def test_ten_metres_a_second_ahead_is_five_metres_a_step(drive: list[Clip]) -> None:
    past, future = drive[10].observation.past, drive[10].future
    np.testing.assert_allclose(past.xy_m, [[5 * k, 0] for k in range(-6, 1)], atol=1e-9)
    np.testing.assert_allclose(future.xy_m, [[5 * k, 0] for k in range(1, 11)], atol=1e-9)
    assert future.yaw_rad is not None
    np.testing.assert_allclose(future.yaw_rad, 0, atol=1e-12)


def test_past_and_future_are_what_the_scene_holds(drive: list[Clip]) -> None:
    assert [len(clip.observation.past) for clip in drive] == [1, 2, 3, 4, 5, 6] + 18 * [7]
    assert [len(clip.future) for clip in drive] == 14 * [10] + [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]


def test_without_a_can_bus_motion_is_differenced_backward(drive: list[Clip]) -> None:
    statuses = drive[10].observation.statuses
    assert all(status is not None and not status.logged for status in statuses)
    status = drive[10].observation.status
    assert status is not None
    assert status.acceleration_mps2 is not None
    assert status.steering_rad is None
    np.testing.assert_allclose(status.velocity_mps, [10, 0], atol=1e-9)
    np.testing.assert_allclose(status.acceleration_mps2, [0, 0], atol=1e-9)
    assert drive[0].observation.status is None


def test_the_planning_frame_is_the_lidar_turned_forward(drive: list[Clip]) -> None:
    frame = drive[0].observation.ego_SE2_planning
    assert isinstance(frame, SE2)
    assert frame.yaw_rad == pytest.approx(0, abs=1e-12)
    assert frame.translation_m.tolist() == [1, 0]


def test_a_tilted_lidar_turns_the_planning_frame(tmp_path: Path) -> None:
    """A lidar turned a further 10 degrees to the left sees straight ahead 10 degrees left."""
    tables, turn = straight_drive(2), np.radians(-90 + 10) / 2
    tables["calibrated_sensor"][2]["rotation"] = [np.cos(turn), 0, 0, np.sin(turn)]
    frame = read_clips(write(tmp_path, tables))[0].observation.ego_SE2_planning
    assert frame is not None
    assert np.degrees(frame.yaw_rad) == pytest.approx(10)


def test_a_camera_stands_where_the_ego_was_when_it_looked(drive: list[Clip]) -> None:
    """0.1 s before the present the ego was 1 m back, so the camera, 1 m ahead, was here."""
    front, back = drive[5].observation.cameras
    assert (front.view, back.view) == ("FRONT", "BACK")
    assert front.size_px == (800, 450)
    assert front.image.as_posix().endswith("samples/CAM_FRONT/scene-0061-05.jpg")
    assert front.ego_SE3_camera is not None
    assert back.ego_SE3_camera is not None
    np.testing.assert_allclose(front.ego_SE3_camera.translation_m, [0, 0, 1.5], atol=1e-9)
    np.testing.assert_allclose(front.ego_SE3_camera.rotation[:, 2], [1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(back.ego_SE3_camera.rotation[:, 2], [-1, 0, 0], atol=1e-12)


def test_a_car_that_keeps_ahead_moves_as_the_ego_does(drive: list[Clip]) -> None:
    (car,) = drive[4].observation.agents
    assert (car.id, car.category, car.kind, car.observed) == ("car", "car", "vehicle", True)
    np.testing.assert_allclose(car.center_m, [20, 3, 1], atol=1e-9)
    assert car.size_m.tolist() == [4.5, 2.0, 1.6]
    assert car.yaw_rad == pytest.approx(0, abs=1e-12)
    assert car.velocity_mps is not None
    np.testing.assert_allclose(car.velocity_mps, [10, 0], atol=1e-9)
    np.testing.assert_allclose(
        drive[4].agent_futures["car"].xy_m, [[20 + 5 * k, 3] for k in range(1, 11)], atol=1e-9
    )
    assert drive[0].observation.agents[0].velocity_mps is None
    assert drive[23].agent_futures == {}


def test_an_agents_velocity_is_from_the_keyframe_before(tmp_path: Path) -> None:
    """It stood, then moved 2 m in the half second after the present: that is not known yet."""
    tables = straight_drive(6)
    for index, row in enumerate(tables["sample_annotation"]):
        row["translation"] = [597.0, 1040 + 2.0 * (index > 3), 1.0]
    (car,) = read_clips(write(tmp_path, tables))[3].observation.agents
    assert car.velocity_mps is not None
    np.testing.assert_allclose(car.velocity_mps, [0, 0], atol=1e-12)


def test_agents_are_sorted_and_far_ones_left_out(tmp_path: Path) -> None:
    tables = straight_drive(1)
    template = tables["sample_annotation"].pop()
    for token, ahead_m in ("far", 81.0), ("third", 79.0), ("second", -15.0), ("first", 10.0):
        tables["instance"].append({"token": token, "category_token": "k"})
        row = {"token": token, "instance_token": token, "translation": [600, 1000 + ahead_m, 1]}
        tables["sample_annotation"].append(template | row)
    agents = read_clips(write(tmp_path, tables))[0].observation.agents
    assert [agent.id for agent in agents] == ["first", "second", "third"]


@pytest.mark.parametrize(
    ("changed", "observed"),
    [
        ({}, True),
        ({"num_lidar_pts": 0}, False),
        ({"num_lidar_pts": 0, "num_radar_pts": 1}, True),
        ({"visibility_token": "1"}, False),
        ({"visibility_token": "2"}, True),
        ({"visibility_token": ""}, True),
    ],
)
def test_observed_is_hit_and_mostly_visible(
    tmp_path: Path, changed: dict[str, object], observed: bool
) -> None:
    tables = straight_drive(1)
    tables["sample_annotation"][0] |= changed
    assert read_clips(write(tmp_path, tables))[0].observation.agents[0].observed is observed


@pytest.mark.parametrize(
    ("name", "word", "kind"),
    [
        ("human.pedestrian.construction_worker", "pedestrian", "pedestrian"),
        ("human.pedestrian.stroller", "pedestrian", "pedestrian"),
        ("vehicle.bicycle", "bicycle", "cyclist"),
        ("vehicle.motorcycle", "motorcycle", "cyclist"),
        ("vehicle.bus.bendy", "bus", "vehicle"),
        ("vehicle.construction", "construction vehicle", "vehicle"),
        ("movable_object.trafficcone", "traffic cone", "object"),
        ("movable_object.barrier", "barrier", "object"),
        ("static_object.bicycle_rack", "bicycle rack", "object"),
        ("animal", "animal", "object"),
    ],
)
def test_categories_are_plain_words(tmp_path: Path, name: str, word: str, kind: str) -> None:
    tables = straight_drive(1)
    tables["category"][0]["name"] = name
    (agent,) = read_clips(write(tmp_path, tables))[0].observation.agents
    assert (agent.category, agent.kind) == (word, kind)


@pytest.mark.parametrize("category", ["bicycle", "motorcycle"])
@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ({"attribute_tokens": ["a1"]}, "object"),
        ({"attribute_tokens": ["a0"]}, "cyclist"),
        ({"attribute_tokens": []}, "cyclist"),
        ({}, "cyclist"),
    ],
)
def test_a_cycle_without_a_rider_is_an_object(
    tmp_path: Path, category: str, row: dict[str, object], kind: str
) -> None:
    tables = straight_drive(1)
    tables["category"][0]["name"] = f"vehicle.{category}"
    for number, name in enumerate(["cycle.with_rider", "cycle.without_rider"]):
        tables["attribute"].append({"token": f"a{number}", "name": name})
    tables["sample_annotation"][0] |= row
    (agent,) = read_clips(write(tmp_path, tables))[0].observation.agents
    assert (agent.category, agent.kind) == (category, kind)


def test_riders_of_the_miniature_are_cyclists(miniatures: Path, tmp_path: Path) -> None:
    kinds = {
        agent.kind
        for clip in clips_of_two_scenes(miniatures / "nuscenes", tmp_path)
        for agent in clip.observation.agents
        if agent.category == "bicycle"
    }
    assert kinds == {"cyclist"}


def test_a_repeated_box_is_one_and_another_of_its_keyframe_a_fault(tmp_path: Path) -> None:
    tables = straight_drive(4)
    again = tables["sample_annotation"][2] | {"token": "again"}
    tables["sample_annotation"].append(again)
    clips = read_clips(write(tmp_path / "same", tables))
    assert [len(clip.observation.agents) for clip in clips] == [1, 1, 1, 1]
    again["translation"] = [597.0, 1030.5, 1.0]
    with pytest.raises(
        LogError, match="sample_annotation.json: scene-0061: .*scene-0061-02-car.*again.*track car"
    ):
        read(write(tmp_path / "other", tables))


@pytest.mark.parametrize(
    ("place", "message"),
    [([1e300, 0, 0], "row 3, .* ns: position"), ([600, 5000, 0], "jumps by 3995 m in 0.500 s")],
)
def test_a_pose_far_from_all_others_is_a_fault_of_the_log(
    tmp_path: Path, place: list[float], message: str
) -> None:
    tables = straight_drive(4)
    lidar_pose(tables, 2)["translation"] = place
    with pytest.raises(LogError, match=f"ego_pose.json: scene-0061: .*{message}"):
        read(write(tmp_path, tables))


@pytest.mark.parametrize(
    "matrix", [[[0, 0, 1], [0, 0, 1], [0, 0, 1]], [[-9, 0, 1], [0, 9, 1], [0, 0, 1]]]
)
def test_a_camera_without_a_lens_is_an_image_without_calibration(
    tmp_path: Path, matrix: list[list[float]]
) -> None:
    tables = straight_drive(1)
    tables["calibrated_sensor"][0]["camera_intrinsic"] = matrix
    tables["sample_data"][1]["height"] = -450
    front, back = read_clips(write(tmp_path, tables))[0].observation.cameras
    assert front.intrinsics_px is None
    assert (front.size_px, back.size_px) == ((800, 450), None)


def test_a_scene_without_boxes_is_not_annotated(tmp_path: Path) -> None:
    tables = straight_drive(3)
    assert read_clips(write(tmp_path / "with", tables))[0].observation.annotated
    tables["sample_annotation"] = []
    clip = read_clips(write(tmp_path / "without", tables))[0]
    assert not clip.observation.annotated
    assert clip.observation.agents == ()


def can_files(root: Path, ages_us: dict[int, float], steering: bool = True) -> None:
    """Write CAN messages whose speed is their number, some microseconds before keyframe 4."""
    folder, keyframe_us = root / "can_bus", START_US + 2_000_000
    folder.mkdir()
    poses = [
        {"utime": keyframe_us - age, "vel": [speed, 0.5, 0], "accel": [1, -1, 9.8]}
        for age, speed in ages_us.items()
    ]
    (folder / "scene-0061_pose.json").write_text(json.dumps(poses))
    if steering:
        wheel = [{"utime": keyframe_us - age, "value": speed} for age, speed in ages_us.items()]
        (folder / "scene-0061_steeranglefeedback.json").write_text(json.dumps(wheel))


def test_the_status_is_the_last_can_message_not_later(tmp_path: Path) -> None:
    can_files(write(tmp_path, straight_drive(6)), {-1000: 99, 5000: 7, 90_000: 3})
    clip = read_clips(tmp_path)[4]
    status = clip.observation.status
    assert status is not None
    assert status.logged
    assert status.velocity_mps.tolist() == [7, 0.5]
    assert status.acceleration_mps2 is not None
    assert status.acceleration_mps2.tolist() == [1, -1]
    assert status.steering_rad == 7
    before = clip.observation.statuses[-2]
    assert before is not None
    assert not before.logged
    assert before.steering_rad is None


def test_a_can_stamp_with_a_fraction_is_read(tmp_path: Path) -> None:
    can_files(write(tmp_path, straight_drive(6)), {}, steering=False)
    row = {"utime": START_US + 2_000_000 - 0.5, "vel": [7.25, 0.5, 0], "accel": [1, -1, 9.8]}
    (tmp_path / "can_bus" / "scene-0061_pose.json").write_text(json.dumps([row]))
    status = read_clips(tmp_path)[4].observation.status
    assert status is not None
    assert (status.logged, status.velocity_mps.tolist()) == (True, [7.25, 0.5])


def test_an_old_can_message_says_nothing(tmp_path: Path) -> None:
    can_files(write(tmp_path, straight_drive(6)), {151_000: 7}, steering=False)
    status = read_clips(tmp_path)[4].observation.status
    assert status is not None
    assert not status.logged
    np.testing.assert_allclose(status.velocity_mps, [10, 0], atol=1e-9)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[{"utime": 1, "vel": [1, 0, 0]}]', "scene-0061_pose.json: message 1: 'accel'"),
        ('[{"utime": 1, "vel": ["x", 0], "accel": [0, 0]}]', "message 1: could not convert"),
        (
            '[{"utime": 1, "vel": [1, 0, 0], "acc',
            "scene-0061_pose.json: message 0: .*not valid JSON",
        ),
        ('[{"utime": 1, "vel": 3, "accel": [0, 0]}]', "message 1: .*not subscriptable"),
        (
            '[{"utime": 1, "vel": [1, 0], "accel": [0, 0]}, {"utime": 2, "vel": [1.5]}]',
            "message 2: 'accel'",
        ),
        (
            '[{"utime": 1, "vel": [1, 0], "accel": [0, 0]}, {"utime": 2, "vel": [1, 0],'
            ' "accel": [0, -150.5]}]',
            "message 2: -150.5 is beyond",
        ),
        (
            '[{"utime": 1, "vel": [1, 0], "accel": [0, 0]},'
            ' {"utime": 10000000000000000, "vel": [1, 0], "accel": [0, 0]}]',
            "message 2: utime 10000000000000000; expected 0 to",
        ),
        ('[{"utime": -1, "vel": [1, 0], "accel": [0, 0]}]', "message 1: utime -1; expected 0 to"),
        ('[{"utime": 1, "vel": [Infinity, 0], "accel": [0, 0]}]', "message 1: inf is beyond 150"),
        ('[{"utime": 1, "vel": [0, 0], "accel": [0, -Infinity]}]', "message 1: -inf is beyond"),
        ('[{"utime": 1, "vel": [0, NaN], "accel": [0, 0]}]', "message 1: nan is beyond"),
        ('[{"utime": 1, "vel": [1e200, 0], "accel": [0, 0]}]', r"message 1: 1e\+200 is beyond"),
    ],
)
def test_a_damaged_can_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    write(tmp_path, straight_drive(3))
    (tmp_path / "can_bus").mkdir()
    (tmp_path / "can_bus" / "scene-0061_pose.json").write_text(text)
    with pytest.raises(LogError, match=message):
        read(tmp_path)


def lidar_pose(tables: Tables, index: int) -> dict[str, Any]:
    return next(
        row for row in tables["ego_pose"] if row["token"].endswith(f"{index:02d}-LIDAR_TOP")
    )


@pytest.mark.parametrize("rotation", [[0, 0, 0, 0], [np.nan, 0, 0, 0], [3, 0, 0, 0]])
def test_a_keyframe_without_a_pose_is_dropped_and_is_a_gap(
    tmp_path: Path, rotation: list[float]
) -> None:
    tables = straight_drive(8)
    lidar_pose(tables, 4)["rotation"] = rotation
    found = read(write(tmp_path, tables))
    assert found[4] == Dropped("nuscenes/scene-0061/scene-0061-04", "no_ego_pose")
    clips = [clip for clip in found if isinstance(clip, Clip)]
    assert [len(clip.future) for clip in clips] == [3, 2, 1, 0, 2, 1, 0]
    assert [len(clip.observation.past) for clip in clips] == [1, 2, 3, 4, 1, 2, 3]


def test_a_keyframe_without_a_lidar_sweep_is_dropped(tmp_path: Path) -> None:
    tables = straight_drive(4)
    tables["sample_data"] = [row for row in tables["sample_data"] if "02-LIDAR" not in row["token"]]
    assert read(write(tmp_path, tables))[2] == Dropped(
        "nuscenes/scene-0061/scene-0061-02", "no_ego_pose"
    )


def test_sweeps_between_keyframes_refine_the_track(tmp_path: Path) -> None:
    """A sweep a quarter second on, 1 m to the left, bends the way between two keyframes."""
    tables = straight_drive(4)
    new = {"token": "sweep", "ego_pose_token": "sweep", "is_key_frame": False}
    sweep = tables["sample_data"][2] | new
    sweep["timestamp"] += 250_000
    tables["sample_data"].append(sweep)
    tables["ego_pose"].append(
        {"token": "sweep", "rotation": [HALF, 0, 0, HALF], "translation": [599.0, 1002.5, 0.0]}
    )
    for name in "sample", "sample_data":
        for row in tables[name]:
            if row["timestamp"] == START_US + 500_000:
                row["timestamp"] += 50_000
    clips = read_clips(write(tmp_path, tables))
    # Half a second on is 5/6 of the way from the sweep to the late keyframe.
    np.testing.assert_allclose(clips[0].future.xy_m[0], [2.5 + 2.5 * 5 / 6, 1 / 6], atol=1e-9)


def test_a_gap_of_a_missing_keyframe_cuts_agents_too(tmp_path: Path) -> None:
    tables = straight_drive(8)
    tables["sample_annotation"] = [
        row for row in tables["sample_annotation"] if not row["token"].startswith("scene-0061-04")
    ]
    clips = read_clips(write(tmp_path, tables))
    assert len(clips[2].agent_futures["car"]) == 1
    assert clips[4].observation.agents == ()
    assert clips[5].observation.agents[0].velocity_mps is None


@pytest.mark.parametrize(
    "fault",
    [
        {"rotation": [0, 0, 0, 0]},
        {"translation": [np.nan, 0, 0]},
        {"translation": [1e300, 0, 0]},
        {"size": [np.nan, 4, 2]},
        {"size": [0, 4, 2]},
    ],
)
def test_a_keyframe_with_a_box_that_is_none_is_dropped(
    tmp_path: Path, fault: dict[str, object]
) -> None:
    tables = straight_drive(4)
    tables["sample_annotation"][2] |= fault
    found = read(write(tmp_path, tables))
    assert found[2] == Dropped("nuscenes/scene-0061/scene-0061-02", "bad_box")
    assert sum(isinstance(clip, Clip) for clip in found) == 3


def test_a_camera_without_a_pose_is_an_image_without_calibration(tmp_path: Path) -> None:
    tables = straight_drive(2)
    tables["ego_pose"] = [row for row in tables["ego_pose"] if "00-CAM_BACK" not in row["token"]]
    front, back = read_clips(write(tmp_path, tables))[0].observation.cameras
    assert front.intrinsics_px is not None
    assert back.intrinsics_px is None
    assert back.ego_SE3_camera is None


def test_two_keyframes_of_one_stamp_are_a_fault_of_the_log(tmp_path: Path) -> None:
    tables = straight_drive(4)
    tables["sample"][2]["timestamp"] = tables["sample"][1]["timestamp"]
    with pytest.raises(LogError, match="scene-0061-01 and scene-0061-02 of scene-0061 have one"):
        read(write(tmp_path, tables))


def test_two_sweeps_of_one_stamp_that_disagree_are_a_fault_of_the_log(tmp_path: Path) -> None:
    tables = straight_drive(4)
    new = {"token": "sweep", "ego_pose_token": "sweep", "is_key_frame": False}
    sweep = tables["sample_data"][2] | new
    tables["sample_data"].append(sweep)
    pose = lidar_pose(tables, 0) | {"token": "sweep"}
    tables["ego_pose"].append(pose)
    assert len(read_clips(write(tmp_path / "same", tables))) == 4
    pose["translation"] = [0.0, 0.0, 0.0]
    with pytest.raises(
        LogError, match="scene-0061: ego poses of LIDAR_TOP: rows .* have one stamp"
    ):
        read(write(tmp_path / "other", tables))


def test_a_scene_without_any_pose_is_a_fault_of_the_log(tmp_path: Path) -> None:
    tables = straight_drive(4)
    tables["ego_pose"] = []
    with pytest.raises(LogError, match="scene-0061: ego poses of LIDAR_TOP: 4 poses, none usable"):
        read(write(tmp_path, tables))


def test_an_empty_folder_is_answered_with_what_to_download(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"v1.0-trainval(.|\n)*https://www.nuscenes.org"):
        nuscenes.logs(tmp_path, tmp_path)


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    write(tmp_path, straight_drive(2))
    (tmp_path / "v1.0-mini" / "ego_pose.json").unlink()
    with pytest.raises(FileNotFoundError, match="v1.0-mini/ego_pose.json missing"):
        nuscenes.logs(tmp_path, tmp_path / "scratch")


Spoil = Callable[[Tables], object]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda t: t["sample"][1].update(token=t["sample"][0]["token"]),
            "sample.json: two rows have the same token or name",
        ),
        (
            lambda t: t["sample_data"][7].update(token=t["sample_data"][0]["token"]),
            r"sample_data.json: two rows have the same token or name \(scene-0061-00-CAM_FRONT\)",
        ),
        (
            lambda t: t["sample_annotation"][3].update(token=t["sample"][1]["token"] + "-car"),
            r"annotation.json: two rows have the same token or name \(scene-0061-01-car\)",
        ),
        (
            lambda t: t["scene"].append(t["scene"][0] | {"token": "another"}),
            r"scene.json: two rows have the same token or name \(scene-0061\)",
        ),
        (lambda t: t["ego_pose"][1].pop("rotation"), "ego_pose.json: row 2: expected .*'rotation'"),
        (lambda t: t["ego_pose"].append({"token": "?"}), "ego_pose.json: row 13: expected .*'rota"),
        (lambda t: t["ego_pose"][0].update(rotation=[1, 0, 0]), "ego_pose.json: row 1: not enough"),
        (lambda t: t["sample"][3].update(timestamp="now"), "sample.json: row 4: 'now'; expected"),
        (
            lambda t: t["sample_data"][0].update({"calibrated_sensor_token": "?"}),
            "row 1: expected .*'?'",
        ),
        (lambda t: t["sample_annotation"][2].update(size=None), "annotation.json: row 3: "),
        (lambda t: t["sensor"][0].pop("channel"), "sensor.json: row 1: expected .*'channel'"),
        (lambda t: t["sensor"][0].update(channel=True), "row 1: channel is True; expected a text"),
        (lambda t: t["sensor"][0].update(channel="front"), "row 1: channel 'front'; expected CAM_"),
        (lambda t: t["sensor"][0].update(channel="LIDAR_TOP"), "two sensors of one channel"),
        (
            lambda t: t["sample"][3].update(token=["x"]),
            r"sample.json: row 4: token is \['x'\]; expected",
        ),
        (
            lambda t: t["sample"][3].update(timestamp=2**70),
            "sample.json: row 4: .*; expected a whole",
        ),
        (
            lambda t: t["scene"][0].update(name="../scene"),
            "scene.json: row 1: name '../scene'; expected",
        ),
        (lambda t: t["scene"][0].update(name="9" * 400), "scene.json: row 1: name '999"),
        (
            lambda t: t["scene"].clear(),
            "sample.json: scene_token of scene-0061-00 is scene-0061, which",
        ),
        (lambda t: t["sample"].pop(2), "data.json: sample_token of .*02-.* is scene-0061-02"),
        (
            lambda t: t["instance"].clear(),
            "annotation.json: instance_token of .* is car, which instance",
        ),
        (lambda t: t["category"].clear(), "instance.json: category_token of car is k, which"),
        (
            lambda t: t["sample_annotation"][1].update({"sample_token": "?"}),
            "annotation.json: sample_token of scene-0061-01-car is .*, which sample.json does not",
        ),
    ],
)
def test_a_row_that_lacks_something_is_named(tmp_path: Path, spoil: Spoil, message: str) -> None:
    tables = straight_drive(4)
    spoil(tables)
    write(tmp_path, tables)
    with pytest.raises(ValueError, match=message):
        nuscenes.logs(tmp_path, tmp_path / "scratch")
    kept = [path.name for path in (tmp_path / "scratch").iterdir()]
    assert not [name for name in kept if name.startswith(".") or name.endswith("-boxes.sqlite")]


def test_a_table_cut_short_is_named_with_its_row(tmp_path: Path) -> None:
    path = write(tmp_path, straight_drive(4)) / "v1.0-mini" / "sample_data.json"
    text = path.read_text()
    path.write_text(text[: text.index("01-CAM_BACK")])
    with pytest.raises(ValueError, match=r"sample_data.json: row 5: cut short or not JSON"):
        nuscenes.logs(tmp_path, tmp_path / "scratch")


def test_the_index_is_built_once_and_again_when_a_table_changes(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    (first,) = nuscenes.logs(write(tmp_path, straight_drive(4)), scratch)
    built_ns = first.source.stat().st_mtime_ns
    (again,) = nuscenes.logs(tmp_path, scratch)
    assert (again, again.source.stat().st_mtime_ns) == (first, built_ns)
    (changed,) = nuscenes.logs(write(tmp_path, straight_drive(5)), scratch)
    assert changed.source != first.source
    assert len(list(nuscenes.clips(changed))) == 5


def test_halves_built_side_by_side_are_those_built_in_one_process(
    miniatures: Path, tmp_path: Path
) -> None:
    root = miniatures / "nuscenes"
    nuscenes.logs(root, tmp_path / "one")
    with ProcessPoolExecutor(2) as pool:
        for built in [pool.submit(half, root, tmp_path / "two") for half in HALVES]:
            built.result()
    one, two = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        for name in ("one", "two")
    )
    assert len(one) == 2
    assert one == two
    built_ns = [path.stat().st_mtime_ns for path in (tmp_path / "two").iterdir()]
    nuscenes.logs(root, tmp_path / "two")
    assert [path.stat().st_mtime_ns for path in (tmp_path / "two").iterdir()] == built_ns


@pytest.mark.parametrize("half", ["captures", "boxes"])
def test_a_kill_leaves_no_half_made_index(tmp_path: Path, half: str) -> None:
    root, scratch = write(tmp_path, straight_drive(4)), tmp_path / "scratch"
    killed = (
        "import os; from pathlib import Path; from impromptu.datasets import nuscenes\n"
        "from impromptu.datasets import _nuscenes_columns as read\n"
        "read.ego_pose = read.instance = lambda *rows: os.kill(os.getpid(), 9)\n"
        f"nuscenes.{half}_index(Path({str(root)!r}), Path({str(scratch)!r}))"
    )
    done = subprocess.run([sys.executable, "-c", killed], check=False)
    assert done.returncode == -9
    assert [path for path in scratch.iterdir() if not path.name.startswith(".")] == []
    assert len(read_clips(tmp_path)) == 4


def test_a_half_refuses_what_the_whole_does(tmp_path: Path) -> None:
    tables = straight_drive(4)
    del tables["sample"][2]["timestamp"]
    root = write(tmp_path / "damaged", tables)
    for build in nuscenes.logs, *HALVES:
        with pytest.raises(ValueError, match=r"sample.json: row 3: expected .*'timestamp'"):
            build(root, tmp_path / "scratch")
        with pytest.raises(FileNotFoundError, match="v1.0-trainval"):
            build(tmp_path, tmp_path / "scratch")


def test_the_order_of_rows_and_the_size_of_blocks_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables, other = straight_drive(6), straight_drive(5, "scene-0077")
    for table in "log", "scene", "sample", "sample_data", "ego_pose", "sample_annotation":
        tables[table] += other[table]
    write(tmp_path / "plain", tables)
    for table in "sample_data", "ego_pose", "sample_annotation":
        tables[table].sort(key=lambda row: row["token"][::-1])  # the scenes by turns
    write(tmp_path / "mixed", tables)
    for log, size in enumerate((6, 5)):
        plain, mixed = (read_clips(tmp_path / name, log) for name in ("plain", "mixed"))
        monkeypatch.setattr(_json_rows, "_BLOCK", 700)
        small = [
            clip
            for clip in nuscenes.clips(nuscenes.logs(tmp_path / "mixed", tmp_path / "small")[log])
            if isinstance(clip, Clip)
        ]
        assert len(plain) == size
        for found in mixed, small:
            assert [told(clip) for clip in found] == [told(clip) for clip in plain]


def told(clip: Clip) -> str:
    cameras = [(camera.image.name, camera.ego_SE3_camera) for camera in clip.observation.cameras]
    return repr((clip.id, cameras, clip.observation.agents, clip.future))


def test_a_damaged_index_says_what_to_do(tmp_path: Path) -> None:
    (log,) = nuscenes.logs(write(tmp_path, straight_drive(4)), tmp_path / "scratch")
    log.source.write_bytes(b"no database" * 1000)
    with pytest.raises(OSError, match="delete this index and run again"):
        list(nuscenes.clips(log))


def test_a_log_names_its_inputs(tmp_path: Path) -> None:
    can_files(write(tmp_path, straight_drive(4)), {0: 1.0})
    (log,) = nuscenes.logs(tmp_path, tmp_path / "scratch")
    names = {path.relative_to(tmp_path).as_posix() for path in log.inputs}
    assert {"v1.0-mini/ego_pose.json", "can_bus/scene-0061_pose.json"} < names
    assert all(path.is_file() for path in log.inputs)


def test_a_scene_in_two_versions_counts_once(tmp_path: Path) -> None:
    write(tmp_path, straight_drive(4), "v1.0-trainval")
    write(tmp_path, straight_drive(4))
    write(tmp_path, straight_drive(3, "scene-0077"), "v1.0-test")
    logs = nuscenes.logs(tmp_path, tmp_path / "scratch")
    assert [(log.id, log.split) for log in logs] == [
        ("scene-0061", "train"),
        ("scene-0077", "test"),
    ]
    assert [len(read_clips(tmp_path, index)) for index in (0, 1)] == [4, 3]
    assert read_clips(tmp_path)[1].observation.agents[0].id == "car"


def test_scenes_of_the_mini_version_keep_their_official_split() -> None:
    assert split_of("scene-0553") == "val"
    assert split_of("scene-0796") == "val"
    assert split_of("scene-0061") == "train"
    assert split_of("my-own-scene") == "train"


def test_the_splits_are_the_devkits() -> None:
    splits = pytest.importorskip("nuscenes.utils.splits", reason="needs the oracles extra")
    for split in "train", "val", "test":
        assert {split_of(scene) for scene in getattr(splits, split)} == {split}


@pytest.fixture(params=["miniature", "real"])
def shipped(request: pytest.FixtureRequest) -> Path:
    """A folder made by somebody else: our miniature, and the real sample."""
    if request.param == "miniature":
        return Path(request.getfixturevalue("miniatures")) / "nuscenes"
    return Path(request.getfixturevalue("samples")) / "nuscenes"


def test_boxes_and_cameras_are_where_the_devkit_puts_them(shipped: Path, tmp_path: Path) -> None:
    devkit = pytest.importorskip("nuscenes.nuscenes", reason="needs the oracles extra")
    visibility = pytest.importorskip("nuscenes.utils.geometry_utils").BoxVisibility.NONE
    nusc = devkit.NuScenes("v1.0-mini", str(shipped), verbose=False)
    for clip in clips_of_two_scenes(shipped, tmp_path)[::7]:
        sample = nusc.get("sample", clip.id.rpartition("/")[2])
        agents = {agent.id: agent for agent in clip.observation.agents}
        for camera in clip.observation.cameras:
            channel = "CAM_" + camera.view.replace(" ", "_")
            token = sample["data"][channel]
            image, boxes, matrix = nusc.get_sample_data(token, box_vis_level=visibility)
            assert Path(image) == camera.image
            assert camera.ego_SE3_camera is not None
            assert camera.intrinsics_px is not None
            np.testing.assert_array_equal(camera.intrinsics_px, matrix)
            for box in boxes:
                track = nusc.get("sample_annotation", box.token)["instance_token"]
                if track in agents:
                    there = camera.ego_SE3_camera.inverse().transform(agents[track].center_m)
                    np.testing.assert_allclose(there, box.center, atol=1e-6)
                    np.testing.assert_allclose(agents[track].size_m, box.wlh[[1, 0, 2]])


def clips_of_two_scenes(root: Path, scratch: Path) -> list[Clip]:
    logs = nuscenes.logs(root, scratch)[:2]
    return [clip for log in logs for clip in nuscenes.clips(log) if isinstance(clip, Clip)]


def test_waypoints_are_where_the_devkits_poses_are(shipped: Path, tmp_path: Path) -> None:
    """A keyframe almost exactly 2 s on is a logged pose that the fourth waypoint must meet."""
    devkit = pytest.importorskip("nuscenes.nuscenes", reason="needs the oracles extra")
    quaternion = pytest.importorskip("pyquaternion").Quaternion
    nusc = devkit.NuScenes("v1.0-mini", str(shipped), verbose=False)

    def pose(token: str) -> tuple[Any, Any, int]:
        sample = nusc.get("sample", token)
        data = nusc.get("sample_data", sample["data"]["LIDAR_TOP"])
        ego = nusc.get("ego_pose", data["ego_pose_token"])
        return quaternion(ego["rotation"]), np.array(ego["translation"]), sample["timestamp"]

    met, clips = 0, clips_of_two_scenes(shipped, tmp_path)
    for clip, later in zip(clips, clips[4:], strict=False):
        turn, at_m, now_us = pose(clip.id.rpartition("/")[2])
        _, then_m, then_us = pose(later.id.rpartition("/")[2])
        if abs(then_us - now_us - 2_000_000) < 500 and clip.log == later.log:
            expected = turn.inverse.rotate(then_m - at_m)[:2]
            np.testing.assert_allclose(clip.future.xy_m[3], expected, atol=0.02)
            met += 1
    assert met


def test_the_real_sample_gives_a_clip_for_each_of_282_keyframes(
    samples: Path, tmp_path: Path
) -> None:
    logs = nuscenes.logs(samples / "nuscenes", tmp_path)
    found = [clip for log in logs for clip in nuscenes.clips(log)]
    assert len(logs) == 7
    assert len(found) == sum(isinstance(clip, Clip) for clip in found) == 282
    complete = [clip for clip in found if isinstance(clip, Clip) and len(clip.future) >= 6]
    assert len(complete) == 282 - 7 * 6
    assert {log.id for log in logs if log.split == "val"} == {
        "scene-0103",
        "scene-0553",
        "scene-0916",
    }


def test_clips_do_not_depend_on_where_the_folder_is(miniatures: Path, tmp_path: Path) -> None:
    shutil.copytree(miniatures / "nuscenes", tmp_path / "copy")
    here = clips_of_two_scenes(miniatures / "nuscenes", tmp_path / "a")
    there = clips_of_two_scenes(tmp_path / "copy", tmp_path / "b")
    assert [clip.id for clip in here] == [clip.id for clip in there]
    np.testing.assert_array_equal(here[9].future.xy_m, there[9].future.xy_m)


def test_a_scene_without_a_lidar_or_an_image_listed_twice_is_a_fault_of_the_log(
    tmp_path: Path,
) -> None:
    tables = straight_drive(4)
    tables["sample_data"] = [row for row in tables["sample_data"] if "LIDAR" not in row["token"]]
    with pytest.raises(LogError, match="sample_data.json: scene-0061: no sweep of LIDAR_TOP"):
        read(write(tmp_path / "blind", tables))
    tables = straight_drive(4)
    twice = next(row for row in tables["sample_data"] if "CAM_FRONT" in row["token"])
    tables["sample_data"].append(twice | {"token": "again"})
    with pytest.raises(LogError, match="keyframe scene-0061-00 has two images of CAM_FRONT"):
        read(write(tmp_path / "twice", tables))


@pytest.mark.parametrize(
    ("said", "time_of_day", "weather"),
    [("Rain, Night, turn", "night", "rain"), ("Train, knights, drain", "day", "dry")],
)
def test_a_scenes_words_tell_the_hour_and_the_weather(
    tmp_path: Path, said: str, time_of_day: str, weather: str
) -> None:
    tables = straight_drive(keyframes=3)
    tables["scene"][0]["description"] = said
    tags = read_clips(write(tmp_path, tables))[0].tags
    assert tags == {
        "location": "singapore-queenstown",
        "time_of_day": time_of_day,
        "weather": weather,
    }


def test_a_clip_knows_where_in_the_world_it_is(drive: list[Clip]) -> None:
    """5 m a step along world y, which is to the left of world x."""
    poses = [clip.world_SE2_ego for clip in drive[:2]]
    (first, second) = [pose for pose in poses if pose is not None]
    assert first.yaw_rad == pytest.approx(np.pi / 2)
    assert second.translation_m - first.translation_m == pytest.approx([0.0, 5.0])
