"""Logs that py123d's own writer writes, and what its own reader and a circle's geometry say."""

import io
import itertools
import math
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from impromptu.clip import Camera, Clip
from impromptu.datasets import Dropped, Log, LogError, py123d
from impromptu.datasets._py123d_labels import LABELS
from impromptu.generation import generate
from impromptu.geometry import SE3
from impromptu.part import Recipe

pytest.importorskip("py123d", reason="needs the oracles extra: py123d, the writer of these logs")

from py123d.api.scene.arrow.arrow_log_writer import ArrowLogWriter
from py123d.api.scene.arrow.arrow_scene_api import ArrowSceneAPI
from py123d.api.scene.arrow.utils.log_writer_config import LogWriterConfig
from py123d.datatypes import (
    BoxDetectionAttributes,
    BoxDetectionSE3,
    BoxDetectionsSE3,
    BoxDetectionsSE3Metadata,
    EgoStateSE3,
    EgoStateSE3Metadata,
    LogMetadata,
    PinholeCameraMetadata,
    PinholeIntrinsics,
    Timestamp,
)
from py123d.datatypes.detections.box_detection_label import (
    BOX_DETECTION_LABEL_REGISTRY,
    DefaultBoxDetectionLabel,
)
from py123d.datatypes.sensors.base_camera import CameraID
from py123d.geometry import BoundingBoxSE3, PoseSE3
from py123d.geometry.transform import abs_to_rel_se3
from py123d.parser.base_dataset_parser import ModalitiesSync, ParsedCamera
from py123d.parser.registry import NuPlanBoxDetectionLabel
from py123d.parser.truckdrive import truckdrive_labels

START_US = 1_600_000_000_000_000
RADIUS_M, SPEED_MPS = 40.0, 8.0
TURN_RADPS = SPEED_MPS / RADIUS_M
EAST_M, NORTH_M = 664_000.0, 3_997_000.0
CAR = EgoStateSE3Metadata(
    "car", 2, 5, 1.6, 3, PoseSE3(1.4, -0.3, 0.4, 1, 0, 0, 0), PoseSE3(0.05, -0.32, 0, 1, 0, 0, 0)
)
AHEAD = 0.5, -0.5, 0.5, -0.5
"""Quaternion of a camera that looks along x: its own axes are right, down, ahead."""


def jpeg(shade: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (32, 24), (shade, 90, 30)).save(file, "JPEG")
    return file.getvalue()


def png() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (32, 24)).save(file, "PNG")
    return file.getvalue()


def level(x_m: float, y_m: float, yaw_rad: float, z_m: float = 0.0) -> PoseSE3:
    """A pose that stands upright, near the origin of the drive."""
    half = yaw_rad / 2
    return PoseSE3(EAST_M + x_m, NORTH_M + y_m, z_m, math.cos(half), 0, 0, math.sin(half))


def on_circle(angle_rad: float, z_m: float = 0.0) -> PoseSE3:
    """The rear axle after a left turn by some angle, begun at the origin along x."""
    x_m, y_m = RADIUS_M * math.sin(angle_rad), RADIUS_M * (1 - math.cos(angle_rad))
    return level(x_m, y_m, angle_rad, z_m)


@dataclass(frozen=True)
class Rig:
    """A camera, how late after the frame it exposes, and the bytes or file of an image."""

    camera: CameraID
    yaw_rad: float = 0.0
    late_us: int = 0
    image: Callable[[int], bytes | str] = jpeg

    def metadata(self) -> PinholeCameraMetadata:
        ahead, turn = np.array(AHEAD), self.yaw_rad / 2
        (a, b, c, d), cos, sin = ahead, math.cos(turn), math.sin(turn)
        # The product (cos, 0, 0, sin) * ahead: turn the looking camera about the vertical.
        quat = (cos * a - sin * d, cos * b - sin * c, cos * c + sin * b, cos * d + sin * a)
        lens = PinholeIntrinsics(30, 31, 16, 12)
        mounted = PoseSE3(1.5, 0.1, 1.4, *quat)
        return PinholeCameraMetadata(str(self.camera), self.camera, lens, None, 32, 24, mounted)

    def shot(self, frame: int, stamp_us: int) -> ParsedCamera:
        image, stamp = self.image(frame % 250), Timestamp.from_us(stamp_us + self.late_us)
        if isinstance(image, bytes):
            return ParsedCamera(self.metadata(), stamp, None, byte_string=image)
        return ParsedCamera(self.metadata(), stamp, None, dataset_root="/", relative_path=image)


FRONT = Rig(CameraID.PCAM_F0)
LABEL = NuPlanBoxDetectionLabel


def boxes(t_s: float, stamp: Timestamp) -> BoxDetectionsSE3:
    """A car leads by 15 m on the circle; a walker crosses; a cone that no lidar point hit."""
    car = on_circle(TURN_RADPS * t_s + 15 / RADIUS_M, 0.8)
    walker = level(30 + 1.5 * t_s, 10, math.pi / 3, 0.9)
    cone = level(20, 5, 0)
    found = (LABEL.VEHICLE, "lead", 12, car), (LABEL.PEDESTRIAN, "walker", None, walker)
    rows = [
        BoxDetectionSE3(BoxDetectionAttributes(label, track, points), BoundingBoxSE3(at, 4, 2, 1.5))
        for label, track, points, at in (*found, (LABEL.TRAFFIC_CONE, "cone", 0, cone))
    ]
    return BoxDetectionsSE3(rows, stamp, BoxDetectionsSE3Metadata(LABEL))


def write(
    root: Path,
    split: str = "nuplan_train",
    name: str = "drive",
    *,
    times_s: Sequence[float] = tuple(np.arange(0, 20.05, 0.1).round(3)),
    rigs: Sequence[Rig] = (FRONT,),
    labelled: bool = True,
    store: Any = "jpeg_binary",
    compression: Any = None,
) -> Log:
    """Write a drive around the circle with py123d's writer, and return it as the adapter lists."""
    config = LogWriterConfig(
        camera_store_option=store, infer_ego_dynamics=True, infer_box_dynamics=True
    )
    home = root / "py123d"
    writer = ArrowLogWriter(config, home / "logs", home / "sensors", ipc_compression=compression)
    assert writer.reset(LogMetadata(split.rpartition("_")[0], split, name, None))
    for frame, t_s in enumerate(times_s):
        stamp = Timestamp.from_us(START_US + round(t_s * 1e6))
        at = on_circle(TURN_RADPS * t_s)
        ego = EgoStateSE3.from_rear_axle(rear_axle_se3=at, metadata=CAR, timestamp=stamp)
        shots = [rig.shot(frame, stamp.time_us) for rig in rigs]
        seen = [boxes(t_s, stamp)] if labelled else []
        writer.write_sync(ModalitiesSync(stamp, [ego, *seen, *shots]))
    writer.close()
    return next(log for log in listed(root) if log.source.name == Path(name).name)


def listed(root: Path) -> Sequence[Log]:
    return py123d.logs(root / "py123d", root / "scratch")


def read(log: Log) -> tuple[list[Clip], list[Dropped]]:
    found = list(py123d.clips(log))
    clips = [clip for clip in found if isinstance(clip, Clip)]
    return clips, [drop for drop in found if isinstance(drop, Dropped)]


def at_s(clips: Sequence[Clip], t_s: float) -> Clip:
    wanted_ns = (START_US + round(t_s * 1e6)) * 1000
    return next(clip for clip in clips if clip.timestamp_ns == wanted_ns)


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Log:
    return write(tmp_path_factory.mktemp("drive"))


@pytest.fixture(scope="module")
def clips(drive: Log) -> list[Clip]:
    return read(drive)[0]


@pytest.fixture
def copy(drive: Log, tmp_path: Path) -> Log:
    """The drive again, to be damaged."""
    shutil.copytree(drive.root, tmp_path / "py123d")
    return listed(tmp_path)[0]


def change(path: Path, edit: Callable[[pa.Table], pa.Table]) -> None:
    """Write a file of a log again, edited."""
    table = pa.ipc.open_file(pa.BufferReader(path.read_bytes())).read_all()
    table = edit(table)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def put(log: Log, file: str, column: str, values: dict[int, Any]) -> Path:
    """Write other values into some rows of a column."""

    def edit(table: pa.Table) -> pa.Table:
        name = f"{file}.{column}"
        rows, kind = table[name].to_pylist(), table.schema.field(name)
        for row, value in values.items():
            rows[row] = value
        number = table.schema.get_field_index(name)
        return table.set_column(number, kind, pa.array(rows, kind.type))

    change(log.source / f"{file}.arrow", edit)
    return log.source / f"{file}.arrow"


def fail(log: Log) -> str:
    with pytest.raises(LogError) as caught:
        list(py123d.clips(log))
    return str(caught.value)


# What clips hold


def test_a_clip_every_half_second(clips: list[Clip]) -> None:
    stamps_s = [(clip.timestamp_ns // 1000 - START_US) / 1e6 for clip in clips]
    assert stamps_s == [0.5 * step for step in range(41)]
    assert clips[3].id == f"py123d/nuplan_train.drive/{START_US + 1_500_000}"
    assert (clips[3].split, clips[3].log) == ("train", "nuplan_train.drive")


def test_past_and_future_are_the_circle_of_the_rear_axle(clips: list[Clip]) -> None:
    clip = at_s(clips, 8.0)
    for path, first, last in (clip.observation.past, -6, 0), (clip.future, 1, 10):
        angle_rad = TURN_RADPS * 0.5 * np.arange(first, last + 1)
        circle_m = RADIUS_M * np.column_stack([np.sin(angle_rad), 1 - np.cos(angle_rad)])
        np.testing.assert_allclose(path.xy_m, circle_m, atol=1e-6)
        assert path.yaw_rad is not None
        np.testing.assert_allclose(path.yaw_rad, angle_rad, atol=1e-9)


def test_agents_are_where_their_tracks_are(clips: list[Clip]) -> None:
    clip = at_s(clips, 8.0)
    lead, walker, cone = (
        next(agent for agent in clip.observation.agents if agent.id == name)
        for name in ("lead", "walker", "cone")
    )
    ahead_rad = 15 / RADIUS_M
    place_m = [RADIUS_M * math.sin(ahead_rad), RADIUS_M * (1 - math.cos(ahead_rad)), 0.8]
    np.testing.assert_allclose(lead.center_m, place_m, atol=1e-6)
    assert lead.yaw_rad == pytest.approx(ahead_rad)
    assert lead.size_m.tolist() == [4, 2, 1.5]
    # Over the last half second its chord, which points to where it came from.
    chord_mps = 2 * RADIUS_M * math.sin(TURN_RADPS / 4) / 0.5
    course_rad = ahead_rad - TURN_RADPS / 4
    assert lead.velocity_mps is not None and walker.velocity_mps is not None
    expected_mps = chord_mps * np.array([math.cos(course_rad), math.sin(course_rad)])
    np.testing.assert_allclose(lead.velocity_mps, expected_mps, atol=1e-5)
    assert math.hypot(*walker.velocity_mps) == pytest.approx(1.5, abs=1e-5)
    kinds = [(agent.kind, agent.category, agent.observed) for agent in (lead, walker, cone)]
    assert kinds == [
        ("vehicle", "vehicle", True),
        ("pedestrian", "pedestrian", True),
        ("object", "traffic cone", False),
    ]
    future_m = clip.agent_futures["lead"].xy_m
    angle_rad = ahead_rad + TURN_RADPS * 0.5 * np.arange(1, 11)
    circle_m = RADIUS_M * np.column_stack([np.sin(angle_rad), 1 - np.cos(angle_rad)])
    np.testing.assert_allclose(future_m, circle_m, atol=1e-6)


def test_py123ds_own_reader_agrees(drive: Log, clips: list[Clip]) -> None:
    scene = ArrowSceneAPI(log_dir=drive.source)
    assert len(clips) == 41
    for number, clip in enumerate(clips):
        ego = scene.get_ego_state_se3_at_iteration(5 * number)
        found = scene.get_box_detections_se3_at_iteration(5 * number)
        assert ego is not None and found is not None
        assert ego.timestamp.time_ns == clip.timestamp_ns
        around = {box.attributes.track_token: box for box in found}
        assert {agent.id for agent in clip.observation.agents} <= set(around)
        for agent in clip.observation.agents:
            box = abs_to_rel_se3(ego.rear_axle_se3, around[agent.id].center_se3)
            np.testing.assert_allclose(agent.center_m, box.point_3d.array, atol=1e-6)
            assert agent.yaw_rad == pytest.approx(box.yaw, abs=1e-9)
        for step, (x_m, y_m) in enumerate(clip.future.xy_m, start=1):
            later = scene.get_ego_state_se3_at_iteration(5 * (number + step))
            assert later is not None
            there = abs_to_rel_se3(ego.rear_axle_se3, later.rear_axle_se3)
            np.testing.assert_allclose([x_m, y_m], [there.x, there.y], atol=1e-6)


def test_py123ds_own_camera_sees_the_same_pixels(tmp_path: Path) -> None:
    rigs = FRONT, Rig(CameraID.PCAM_L0, math.radians(50), late_us=-40_000)
    log = write(tmp_path, rigs=rigs)
    scene = ArrowSceneAPI(log_dir=log.source)
    clip = at_s(read(log)[0], 8.0)
    ego = scene.get_ego_state_se3_at_iteration(80)
    assert ego is not None
    world_SE3_ego = SE3(ego.rear_axle_se3.rotation_matrix, ego.rear_axle_se3.point_3d.array)
    for rig, camera in zip(rigs, clip.observation.cameras, strict=True):
        theirs = scene.get_camera_at_iteration(80, rig.camera)
        assert theirs is not None and camera.ego_SE3_camera is not None
        assert camera.intrinsics_px is not None
        points_m = camera.ego_SE3_camera.transform(np.array([[1.0, 2, 9], [-3, 0.5, 20]]))
        pixels, _, depth_m = theirs.project_points_global(world_SE3_ego.transform(points_m))
        seen = np.array([[1.0, 2, 9], [-3, 0.5, 20]]) @ camera.intrinsics_px.T
        np.testing.assert_allclose(seen[:, :2] / seen[:, 2:], pixels, atol=1e-4)
        np.testing.assert_allclose(seen[:, 2], depth_m, atol=1e-4)


def test_a_logged_camera_pose_comes_before_the_mounting(copy: Log, clips: list[Clip]) -> None:
    """Waymo's are of the middle of the exposure, which the ego's poses do not tell so well."""
    rolled = level(70, 9, 0.3, 2.5)
    put(copy, "camera.pcam_f0", "camera_to_global_se3", {80: rolled.tolist()})
    ego = on_circle(TURN_RADPS * 8.0)
    camera = at_s(read(copy)[0], 8.0).observation.cameras[0]
    assert camera.ego_SE3_camera is not None
    theirs = abs_to_rel_se3(ego, rolled)
    np.testing.assert_allclose(
        camera.ego_SE3_camera.translation_m, theirs.point_3d.array, atol=1e-6
    )
    np.testing.assert_allclose(camera.ego_SE3_camera.rotation, theirs.rotation_matrix, atol=1e-9)


def test_logged_velocities_play_no_part(copy: Log, clips: list[Clip]) -> None:
    """Most conversions derive them from the pose after, too."""
    put(copy, "ego_state_se3", "dynamic_state_se3", dict.fromkeys(range(100), [99.0] * 9))
    put(copy, "box_detections_se3", "velocity_3d", {80: [[9, 9, 9]] * 3})
    again = at_s(read(copy)[0], 8.0).observation
    before = at_s(clips, 8.0).observation
    assert again.status is not None and not again.status.logged
    assert math.hypot(*again.status.velocity_mps) == pytest.approx(SPEED_MPS, rel=1e-3)
    for one, other in zip(again.agents, before.agents, strict=True):
        assert one.velocity_mps is not None and other.velocity_mps is not None
        assert one.velocity_mps.tolist() == other.velocity_mps.tolist()


def test_an_observation_does_not_depend_on_what_comes_after(
    tmp_path: Path, clips: list[Clip]
) -> None:
    short = write(tmp_path, times_s=tuple(np.arange(0, 8.05, 0.1).round(3)))
    one, other = at_s(read(short)[0], 8.0), at_s(clips, 8.0)
    assert not len(one.future) and len(other.future) == 10
    assert one.observation.past.xy_m.tolist() == other.observation.past.xy_m.tolist()
    for here, there in zip(one.observation.agents, other.observation.agents, strict=True):
        assert here.center_m.tolist() == there.center_m.tolist()
        assert here.velocity_mps is not None and there.velocity_mps is not None
        assert here.velocity_mps.tolist() == there.velocity_mps.tolist()


# Gaps and rates


def test_a_gap_cuts_futures_and_each_half_second_in_it_is_counted(tmp_path: Path) -> None:
    times_s = [t for t in np.arange(0, 20.05, 0.1).round(3) if not 10.05 < t < 11.85]
    found, dropped = read(write(tmp_path, times_s=times_s))
    assert [(drop.id.rpartition("/")[2], drop.reason) for drop in dropped] == [
        (str(START_US + 10_500_000 + step * 500_000), "no_frame") for step in range(3)
    ]
    assert len(found) + len(dropped) == 41
    assert len(at_s(found, 9.0).future) == 2
    after = at_s(found, 12.0).observation
    assert len(after.past) == 1
    assert all(agent.velocity_mps is not None for agent in after.agents)


def test_one_missing_frame_is_bridged(tmp_path: Path) -> None:
    times_s = [t for t in np.arange(0, 20.05, 0.1).round(3) if t != 10.0]
    found, dropped = read(write(tmp_path, times_s=times_s))
    # The row before or after stands in, and the half seconds go on from there.
    assert not dropped and len(found) == 41
    assert len(at_s(found, 8.0).future) == 10


def test_keyframes_of_uneven_spacing_are_presents(tmp_path: Path) -> None:
    """As in a conversion of nuScenes: half a second apart, early or late by a lidar turn."""
    spaced_s = itertools.islice(itertools.cycle([0.45, 0.55, 0.45, 0.5]), 30)
    times_s = np.cumsum([0, *spaced_s]).round(3).tolist()
    rigs = FRONT, Rig(CameraID.PCAM_L0, 1.0, late_us=-200_000)
    found, dropped = read(write(tmp_path, times_s=times_s, rigs=rigs))
    assert not dropped and len(found) == len(times_s)
    views = [[camera.view for camera in clip.observation.cameras] for clip in found]
    assert views == [["FRONT"]] * 31, "an image 0.2 s old is not of its present"
    assert found[8].observation.annotated


def test_a_last_keyframe_that_comes_early_still_ends_a_future(tmp_path: Path) -> None:
    times_s = [*np.arange(0, 9.75, 0.5), 9.95]
    found, _ = read(write(tmp_path, times_s=times_s))
    assert len(at_s(found, 5.0).future) == 10
    assert len(at_s(found, 5.5).future) == 9


@pytest.mark.parametrize("rate_hz", [5, 20, 30])
def test_other_rates_give_half_seconds_too(tmp_path: Path, rate_hz: int) -> None:
    times_s = (np.arange(0, 12 * rate_hz + 1) / rate_hz).round(6).tolist()
    found, dropped = read(write(tmp_path, times_s=times_s, rigs=()))
    late_s = [
        (clip.timestamp_ns // 1000 - START_US) / 1e6 - 0.5 * n for n, clip in enumerate(found)
    ]
    assert not dropped and len(found) == 25
    np.testing.assert_allclose(late_s, 0, atol=0.5 / rate_hz + 1e-9)


# Logs, splits, rigs


def test_logs_of_many_datasets_and_splits_share_one_home(tmp_path: Path) -> None:
    few_s = (0.0, 0.1, 0.2)
    for split in "nuplan-mini_val", "pandaset_train", "griffin_50scenes_25m_test":
        write(tmp_path, split, "a", times_s=few_s)
    write(tmp_path, "pandaset_train", "deeper/b", times_s=few_s)
    (tmp_path / "py123d/logs/pandaset_train/unfinished").mkdir()
    assert [(log.id, log.split) for log in listed(tmp_path)] == [
        ("griffin_50scenes_25m_test.a", "test"),
        ("nuplan-mini_val.a", "val"),
        ("pandaset_train.a", "train"),
        ("pandaset_train.deeper.b", "train"),
    ]


def test_linked_splits_and_logs_are_read(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere", "wod-perception_train", "a", times_s=(0.0, 0.1))
    home = tmp_path / "py123d/logs"
    home.mkdir(parents=True)
    os.symlink(tmp_path / "elsewhere/py123d/logs/wod-perception_train", home / "mine_val")
    (home / "ours_test").mkdir()
    os.symlink(tmp_path / "elsewhere/py123d/logs/wod-perception_train/a", home / "ours_test/b")
    found = [(log.id, log.split) for log in listed(tmp_path)]
    assert found == [("mine_val.a", "val"), ("ours_test.b", "test")]


def test_a_folder_without_logs_says_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"(?s)sync\.arrow is in logs/<split>.*kesai-labs"):
        listed(tmp_path)


def test_a_split_that_cannot_be_told_is_an_error(copy: Log) -> None:
    copy.source.parent.rename(copy.source.parents[1] / "mine")
    (log,) = py123d.logs(copy.root, copy.root)
    assert "rename the folder" in fail(log)


def test_boxes_made_with_later_keyframes_are_refused(tmp_path: Path) -> None:
    log = write(tmp_path, "nuscenes-interpolated_val", times_s=(0.0, 0.1, 0.2))
    assert "made with the keyframe after them" in fail(log)


def test_a_log_without_labels_is_not_annotated(tmp_path: Path) -> None:
    found, _ = read(write(tmp_path, labelled=False))
    assert len(found) == 41
    assert not any(clip.observation.annotated for clip in found)


def test_views_go_by_where_cameras_look(tmp_path: Path) -> None:
    left, rear = math.radians(92), math.radians(150)
    rigs = (
        Rig(CameraID.PCAM_R0, -left),
        Rig(CameraID.PCAM_L0, left),
        Rig(CameraID.PCAM_L1, rear),
        Rig(CameraID.PCAM_STEREO_L),
        FRONT,
    )
    clip = read(write(tmp_path, rigs=rigs, times_s=(0.0, 0.1)))[0][0]
    assert [camera.view for camera in clip.observation.cameras] == ["FRONT", "LEFT", "RIGHT"]
    assert "camera_FRONT/" in str(clip.observation.cameras[0].image)


def test_a_stereo_pair_alone_looks_ahead(tmp_path: Path) -> None:
    rigs = Rig(CameraID.PCAM_STEREO_R), Rig(CameraID.PCAM_STEREO_L)
    clip = read(write(tmp_path, "kitti360_train", rigs=rigs, times_s=(0.0, 0.1)))[0][0]
    assert [camera.view for camera in clip.observation.cameras] == ["FRONT"]


def test_a_front_camera_alone_is_asked_what_it_can_show(drive: Log, tmp_path: Path) -> None:
    recipe = Recipe(
        ("vulnerable_road_users", "trajectory", "traffic_light"), "strict", None, "drop"
    )
    raw, out = drive.root.parent, tmp_path / "out"
    result = generate(raw, out, ["py123d"], None, recipe, workers=1)
    assert result.clips == 41 and not result.failed
    made = {path.relative_to(out).as_posix(): count for path, count in result.files}
    assert made["py123d/q1_train.json"] == 41
    assert result.dropped["no_front_right_view"] > 0
    asked = 3 * 41
    assert sum(made.values()) + sum(result.dropped.values()) == asked


# Images


def packed(camera: Camera) -> bytes:
    assert camera.packed is not None
    return camera.packed.content()


def test_images_inside_are_given_as_they_are(drive: Log, clips: list[Clip]) -> None:
    camera = at_s(clips, 8.0).observation.cameras[0]
    folder = drive.root.parent / "py123d_extracted/train/nuplan_train.drive/images/camera_FRONT"
    assert camera.image == folder / f"{START_US + 8_000_000}.jpg"
    assert packed(camera) == jpeg(80)
    assert camera.packed is not None and camera.packed.size == len(jpeg(80))
    assert len({clip.observation.cameras[0].image for clip in clips}) == 41
    elsewhere = read(replace(drive, extract_dir=Path("/elsewhere")))[0][0].observation.cameras[0]
    assert elsewhere.image.is_relative_to("/elsewhere/py123d_extracted/train")


@pytest.mark.parametrize("compression", ["lz4", "zstd"])
def test_compressed_files_are_read(tmp_path: Path, compression: str) -> None:
    clip = read(write(tmp_path, times_s=(0.0, 0.1), compression=compression))[0][0]
    assert packed(clip.observation.cameras[0]) == jpeg(0)


def test_a_png_keeps_its_name(tmp_path: Path) -> None:
    rigs = (Rig(CameraID.PCAM_F0, image=lambda _: png()),)
    log = write(tmp_path, rigs=rigs, store="png_binary", times_s=(0.0, 0.1))
    camera = read(log)[0][0].observation.cameras[0]
    assert camera.image.suffix == ".png" and packed(camera) == png()


def test_an_image_is_never_later_than_its_present(tmp_path: Path) -> None:
    rigs = FRONT, Rig(CameraID.PCAM_L0, 1.0, late_us=30_000), Rig(CameraID.PCAM_R0, -1.0, 200_000)
    found, _ = read(write(tmp_path, rigs=rigs, times_s=tuple(np.arange(0, 3.05, 0.1).round(3))))
    views = {camera.view: camera for camera in at_s(found, 1.0).observation.cameras}
    assert packed(views["FRONT LEFT"]) == jpeg(9)
    assert views["FRONT LEFT"].image.stem == str(START_US + 930_000)
    assert [camera.view for camera in found[0].observation.cameras] == ["FRONT"]


def test_images_left_with_their_dataset_are_named_where_they_are_linked(tmp_path: Path) -> None:
    rigs = (Rig(CameraID.PCAM_F0, image=lambda frame: f"drive/CAM_F0/{frame}.jpg"),)
    log = write(tmp_path, rigs=rigs, store="path")
    image = at_s(read(log)[0], 8.0).observation.cameras[0].image
    assert image == tmp_path / "py123d/sensors/nuplan/drive/CAM_F0/80.jpg"


@pytest.mark.parametrize("path", ["../../secret.jpg", "/etc/secret.jpg", ""])
def test_a_path_that_leads_out_is_refused(tmp_path: Path, path: str) -> None:
    rigs = (Rig(CameraID.PCAM_F0, image=lambda _: "a.jpg"),)
    log = write(tmp_path, rigs=rigs, store="path")
    put(log, "camera.pcam_f0", "data", {5: path})
    message = fail(log)
    assert "row 6: camera.pcam_f0.data" in message and "below" in message


def test_a_video_is_refused_with_what_to_do(tmp_path: Path) -> None:
    assert "camera_store_option: jpeg_binary" in fail(write(tmp_path, store="mp4"))


def test_an_empty_image_is_a_missing_view(copy: Log) -> None:
    put(copy, "camera.pcam_f0", "data", {10: None})
    found, dropped = read(copy)
    assert len(found) == 41 and not dropped
    assert not at_s(found, 1.0).observation.cameras
    assert at_s(found, 1.5).observation.cameras


# Labels


def test_the_table_of_labels_is_py123ds() -> None:
    assert truckdrive_labels  # registers its labels when it is imported
    kinds = {
        "VEHICLE": "vehicle",
        "TRAIN": "vehicle",
        "TWO_WHEELER": "cyclist",
        "PERSON": "pedestrian",
    }
    differ = set()
    assert set(LABELS) == set(BOX_DETECTION_LABEL_REGISTRY)
    for name, labels in BOX_DETECTION_LABEL_REGISTRY.items():
        assert [label.value for label in labels] == list(range(len(LABELS[name])))
        for label, (word, kind) in zip(labels, LABELS[name], strict=True):
            assert label.name.lower().replace("_", " ").endswith(word)
            if kind != kinds.get(label.to_default().name, "object"):
                differ.add((name.removesuffix("BoxDetectionLabel"), label.name, kind))
    assert differ == {
        *(("AV2Sensor", name, "object") for name in ("BICYCLE", "MOTORCYCLE")),
        *(
            ("AV2Sensor", name, "object")
            for name in ("MESSAGE_BOARD_TRAILER", "TRAFFIC_LIGHT_TRAILER")
        ),
        *(
            ("AV2Sensor", name, "cyclist")
            for name in ("BICYCLIST", "MOTORCYCLIST", "WHEELED_RIDER")
        ),
        *(("AV2Sensor", name, "pedestrian") for name in ("STROLLER", "WHEELCHAIR")),
        *(("KITTI360", name, "object") for name in ("BICYCLE", "MOTORCYCLE")),
        ("KITTI360", "RIDER", "cyclist"),
        ("PhysicalAIAV", "STROLLER", "pedestrian"),
    }


def test_the_ego_among_the_boxes_is_left_out(copy: Log) -> None:
    path = put(copy, "box_detections_se3", "label", {10: [1, 4, 0]})
    with_metadata(path, {"box_detection_label_class": "DefaultBoxDetectionLabel"})
    assert DefaultBoxDetectionLabel.EGO.value == 0
    agents = at_s(read(copy)[0], 1.0).observation.agents
    assert {agent.id for agent in agents} == {"lead", "walker"}


# Faults


def with_metadata(path: Path, changes: dict[str, Any]) -> None:
    import msgpack

    def edit(table: pa.Table) -> pa.Table:
        metadata = msgpack.unpackb(table.schema.metadata[b"metadata"]) | changes
        return table.replace_schema_metadata({b"metadata": msgpack.packb(metadata)})

    change(path, edit)


MODALITIES = "sync", "ego_state_se3", "box_detections_se3", "camera.pcam_f0"


@pytest.mark.parametrize("name", MODALITIES)
@pytest.mark.parametrize("left", [0.0, 0.3, 0.99])
def test_a_truncated_file_is_named(copy: Log, name: str, left: float) -> None:
    path = copy.source / f"{name}.arrow"
    path.write_bytes(path.read_bytes()[: int(left * path.stat().st_size)])
    assert str(path) in fail(copy)


@pytest.mark.parametrize("name", ["sync", "ego_state_se3"])
def test_a_missing_file_is_named(copy: Log, name: str) -> None:
    (copy.source / f"{name}.arrow").unlink()
    assert f"{name}.arrow: missing, so this log is incomplete" in fail(copy)


@pytest.mark.parametrize(
    ("file", "column"),
    [
        ("sync", "timestamp_us"),
        ("ego_state_se3", "imu_se3"),
        ("box_detections_se3", "num_lidar_points"),
        ("camera.pcam_f0", "data"),
        ("camera.pcam_f0", "camera_to_global_se3"),
    ],
)
def test_a_missing_column_is_named(copy: Log, file: str, column: str) -> None:
    path = copy.source / f"{file}.arrow"
    change(path, lambda table: table.drop_columns([f"{file}.{column}"]))
    message = fail(copy)
    assert str(path) in message and f"{file}.{column}" in message and "expected" in message


def test_a_column_of_another_type_is_named(copy: Log) -> None:
    path, column = copy.source / "ego_state_se3.arrow", "ego_state_se3.timestamp_us"

    def edit(table: pa.Table) -> pa.Table:
        return table.set_column(0, column, table[column].cast(pa.float64()))

    change(path, edit)
    assert "timestamp_us holds double; expected int64" in fail(copy)


@pytest.mark.parametrize("name", MODALITIES)
def test_metadata_that_are_not_py123ds_are_named(copy: Log, name: str) -> None:
    path = copy.source / f"{name}.arrow"
    for metadata in {}, {b"metadata": b"\xc1"}, {b"metadata": b"\x01"}, {b"metadata": b"\x81\xa1"}:
        change(path, lambda table, m=metadata: table.replace_schema_metadata(m))  # type: ignore[misc]
        assert str(path) in (message := fail(copy)) and "metadata" in message


@pytest.mark.parametrize(
    ("file", "changes", "expected"),
    [
        ("ego_state_se3", {"rear_axle_to_imu_se3": [0, 0, 0]}, "rear_axle_to_imu_se3"),
        ("ego_state_se3", {"rear_axle_to_imu_se3": [0.0] * 7}, "no pose"),
        ("camera.pcam_f0", {"camera_to_imu_se3": None}, "camera_to_imu_se3"),
        ("camera.pcam_f0", {"width": 0}, "0 by 24 pixels"),
        ("camera.pcam_f0", {"height": "tall"}, "32 by 'tall' pixels"),
        ("camera.pcam_f0", {"intrinsics": [0.0, 1, 1, 1, 0]}, "intrinsics"),
        ("camera.pcam_f0", {"intrinsics": "x"}, "intrinsics"),
    ],
)
def test_metadata_that_cannot_be_are_named(
    copy: Log, file: str, changes: dict[str, Any], expected: str
) -> None:
    path = copy.source / f"{file}.arrow"
    with_metadata(path, changes)
    message = fail(copy)
    assert str(path) in message and expected in message


def test_a_lens_that_is_no_pinhole_is_not_taken_for_one(copy: Log) -> None:
    with_metadata(copy.source / "camera.pcam_f0.arrow", {"camera_model": "ftheta"})
    camera = read(copy)[0][0].observation.cameras[0]
    assert camera.intrinsics_px is None and camera.size_px == (32, 24)


def test_a_label_class_is_looked_up_and_never_imported(copy: Log) -> None:
    with_metadata(
        copy.source / "box_detections_se3.arrow", {"box_detection_label_class": "antigravity.Label"}
    )
    message = fail(copy)
    assert "the class Label" in message and "NuPlanBoxDetectionLabel" in message
    assert "antigravity" not in sys.modules


NAN_POSE = [math.nan] * 7


@pytest.mark.parametrize("pose", [None, NAN_POSE, [0.0] * 7])
def test_damaged_ego_poses_are_a_gap(copy: Log, pose: list[float] | None) -> None:
    put(copy, "ego_state_se3", "imu_se3", dict.fromkeys(range(98, 104), pose))
    found, dropped = read(copy)
    assert [drop.reason for drop in dropped if drop.keyframe] == ["no_ego_pose"]
    # The other five are between keyframes, and counted for themselves.
    assert [drop.reason for drop in dropped if not drop.keyframe] == ["unusable_pose"] * 5
    assert len(found) == 40
    assert len(at_s(found, 9.0).future) == 1


BOX = [EAST_M, NORTH_M, 0, 1, 0, 0, 0, 4, 2, 1.5]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("bounding_box_se3", [BOX, BOX, [*BOX[:7], 4, 0, 1.5]]),
        ("bounding_box_se3", [BOX, BOX, [math.nan, *BOX[1:]]]),
        ("bounding_box_se3", [BOX, BOX, None]),
        ("bounding_box_se3", [BOX, BOX, [*BOX[:9], math.inf]]),
        ("label", [0, 2, 77]),
        ("label", [0, 2, None]),
        ("track_token", ["lead", "walker", ""]),
        ("track_token", ["lead", "walker", None]),
    ],
)
def test_a_box_that_cannot_be_drops_its_present(copy: Log, column: str, value: Any) -> None:
    put(copy, "box_detections_se3", column, {80: value})
    found, dropped = read(copy)
    assert [(drop.id.rpartition("/")[2], drop.reason) for drop in dropped] == [
        (str(START_US + 8_000_000), "bad_box")
    ]
    assert len(found) == 40


def test_lists_of_different_lengths_are_named(copy: Log) -> None:
    put(copy, "box_detections_se3", "track_token", {7: ["lead"]})
    assert "row 8: 1 of track_token and 3 of label" in fail(copy)


def test_two_boxes_of_a_track_in_one_frame_are_named(copy: Log) -> None:
    put(copy, "box_detections_se3", "track_token", {7: ["lead", "lead", "cone"]})
    assert "two different boxes of track lead" in fail(copy)


@pytest.mark.parametrize("name", ["sync", "ego_state_se3", "box_detections_se3"])
@pytest.mark.parametrize("stamp_us", [-1, 2**62, 0])
def test_a_stamp_that_cannot_be_is_an_error(copy: Log, name: str, stamp_us: int) -> None:
    path = put(copy, name, "timestamp_us", {9: stamp_us})
    if stamp_us or name == "sync":
        assert str(path) in fail(copy)
    else:
        assert len(read(copy)[0]) >= 40


def test_a_missing_package_is_answered_with_its_command(
    drive: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "msgpack", None)
    with pytest.raises(LogError, match=r"pip install 'impromptu-vla\[py123d\]'"):
        py123d.logs(drive.root, drive.root)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_flipped_bit_loses_nothing_silently(
    drive: Log, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("flipped")
    shutil.copytree(drive.root, folder / "py123d")
    path = (
        folder
        / "py123d/logs/nuplan_train/drive"
        / f"{data.draw(st.sampled_from(MODALITIES))}.arrow"
    )
    content = bytearray(path.read_bytes())
    bit = data.draw(st.integers(0, 8 * len(content) - 1))
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)
    (log,) = listed(folder)
    try:
        found, dropped = read(log)
    except LogError as error:
        assert str(log.source) in str(error)
    else:
        assert len(found) + len(dropped) >= 41
    shutil.rmtree(folder)
