"""Waymo: a hand-made segment in both releases, its faults, and what its own messages read."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from impromptu.arrays import Floats
from impromptu.clip import Camera, Clip
from impromptu.datasets import Dropped, LogError, waymo
from impromptu.datasets._waymo_record import read_record
from impromptu.extraction import ShownImages
from impromptu.files import read_json
from impromptu.generation import generate
from impromptu.miniature.wire import content, doubles, whole
from impromptu.part import Recipe
from impromptu.tfrecord import framed, masked_crc32c, spans

START_US = 1_550_000_000_000_000
NAME = "123_456_000_476_000"
JPEG = b"\xff\xd8 not decoded here \xff\xd9"
Label = tuple[str, int, Sequence[float], int]
CAR: Label = ("car", 1, (15, -3, 0.75, 4.5, 2.0, 1.5, 0.0), 5)


def pose(t_s: float) -> list[float]:
    """Drive north (global y) at 10 m/s, far away."""
    return [0, -1, 0, 5000, 1, 0, 0, 2000 + 10 * t_s, 0, 0, 1, 30, 0, 0, 0, 1]


def labels(t_s: float) -> list[Label]:
    """A car keeps 15 m ahead; a walker stands; nobody's lidar sees the cyclist; a sign."""
    return [
        CAR,
        ("walker", 2, (60 - 10 * t_s, 3, 0.9, 0.6, 0.6, 1.8, np.pi / 2), 9),
        ("cyclist", 4, (30 - 10 * t_s, 5, 0.9, 1.8, 0.6, 1.8, 0.0), 0),
        ("sign", 3, (20 - 10 * t_s, 6, 2.5, 0.1, 0.6, 0.6, 0.0), 3),
    ]


EXTRINSIC = [0, -1, 0, 1.5, 1, 0, 0, 0.25, 0, 0, 1, 2, 0, 0, 0, 1]
"""Of a camera that looks left."""


def calibration(camera: int) -> bytes:
    lens = doubles(2, [800, 810, 400, 300, 0.1, 0, 0, 0, 0])
    size = whole(4, 1920) + whole(5, 1280)
    return content(2, whole(1, camera) + lens + content(3, doubles(1, EXTRINSIC)) + size)


def image(camera: int, t_s: float, jpeg: bytes = JPEG) -> bytes:
    taken = content(3, doubles(1, pose(t_s + 0.05)))
    return content(4, whole(1, camera) + content(2, jpeg) + taken + doubles(7, [1.5]))


def label(name: str, kind: int, box: Sequence[float], points: int) -> bytes:
    x, y, z, length, width, height, heading = box
    fields = enumerate((x, y, z, width, length, height, heading), start=1)
    packed = b"".join(doubles(number, [value]) for number, value in fields)
    speed = content(2, doubles(1, [0.5]))
    message = content(1, packed) + speed + whole(3, kind) + content(4, name.encode())
    return content(6, message + whole(7, points) + whole(13, 1))


def frame(
    t_ms: int,
    transform: Sequence[float] | None = None,
    images: Iterable[int] = (),
    shown: Iterable[Label] | None = None,
    extra: bytes = b"",
) -> bytes:
    t_s = t_ms / 1000
    shown = labels(t_s) if shown is None else shown
    return b"".join(
        (
            content(1, content(1, NAME.encode()) + calibration(1) + content(3, b"")),
            whole(2, START_US + 1000 * t_ms),
            content(3, doubles(1, pose(t_s) if transform is None else transform)),
            *(image(camera, t_s, JPEG + bytes([camera])) for camera in images),
            *(label(*one) for one in shown),
            extra,
        )
    )


def drive(last_ms: int = 8_000) -> list[bytes]:
    return [frame(t_ms) for t_ms in range(0, last_ms + 1, 100)]


def write(root: Path, frames: Iterable[bytes], split: str = "validation") -> Path:
    folder = root / "waymo" / split
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"segment-{NAME}_with_camera_labels.tfrecord"
    path.write_bytes(b"".join(map(framed, frames)))
    return path


def read(root: Path) -> list[Clip | Dropped]:
    (log,) = waymo.logs(root / "waymo", root / "scratch")
    return list(waymo.clips(log))


def read_clips(root: Path) -> list[Clip]:
    return [item for item in read(root) if isinstance(item, Clip)]


def dropped(root: Path) -> list[tuple[int, str]]:
    """Return (ms, reason) of each keyframe without a clip."""
    found = [item for item in read(root) if isinstance(item, Dropped) and item.keyframe]
    return [((int(d.id.rpartition("/")[2]) - START_US) // 1000, d.reason) for d in found]


def stamps_ms(clips: Sequence[Clip]) -> list[int]:
    return [(clip.timestamp_ns // 1000 - START_US) // 1000 for clip in clips]


def test_every_half_second_is_a_present(tmp_path: Path) -> None:
    write(tmp_path, drive())
    clips = read_clips(tmp_path)
    assert stamps_ms(clips) == list(range(0, 8001, 500))
    assert clips[2].id == f"waymo/{NAME}/{START_US + 1_000_000}"
    assert (clips[2].split, clips[2].log) == ("val", NAME)
    views = [camera.view for camera in clips[2].observation.cameras]
    assert views == ["FRONT", "FRONT LEFT", "FRONT RIGHT", "SIDE LEFT", "SIDE RIGHT"]
    assert not clips[2].observation.cameras[0].image.exists()


def test_the_way_is_in_the_present_frame(tmp_path: Path) -> None:
    write(tmp_path, drive())
    clip = read_clips(tmp_path)[8]
    np.testing.assert_allclose(clip.future.xy_m, [[5 * k, 0] for k in range(1, 9)], atol=1e-9)
    np.testing.assert_allclose(clip.observation.past.xy_m[:, 0], np.arange(-30, 1, 5), atol=1e-9)
    status = clip.observation.status
    assert status is not None
    assert not status.logged
    np.testing.assert_allclose(status.velocity_mps, [10, 0], atol=1e-9)


def test_agents_move_over_the_ground(tmp_path: Path) -> None:
    write(tmp_path, drive())
    clip = read_clips(tmp_path)[2]
    agents = {agent.id: agent for agent in clip.observation.agents}
    assert list(agents) == ["sign", "car", "cyclist", "walker"]  # 11.7, 15.3, 20.6, 50.1 m away
    assert [(a.category, a.kind, a.observed) for a in agents.values()] == [
        ("Sign", "object", True),
        ("Vehicle", "vehicle", True),
        ("Cyclist", "cyclist", False),
        ("Pedestrian", "pedestrian", True),
    ]
    np.testing.assert_allclose(agents["car"].center_m, [15, -3, 0.75], atol=1e-9)
    np.testing.assert_array_equal(agents["car"].size_m, [4.5, 2.0, 1.5])
    np.testing.assert_allclose(agents["walker"].yaw_rad, np.pi / 2)
    for name, speed in (("car", 10), ("walker", 0)):
        velocity = agents[name].velocity_mps
        assert velocity is not None
        np.testing.assert_allclose(velocity, [speed, 0], atol=1e-6)
    np.testing.assert_allclose(
        clip.agent_futures["car"].xy_m, [[15 + 5 * k, -3] for k in range(1, 11)], atol=1e-6
    )
    assert read_clips(tmp_path)[0].observation.agents[0].velocity_mps is None


def test_a_camera_is_where_it_was_at_its_exposure(tmp_path: Path) -> None:
    """50 ms after the present the ego is 0.5 m on; the camera looks left."""
    write(tmp_path, [frame(0, images=[1, 2])])
    front, left = read_clips(tmp_path)[0].observation.cameras[:2]
    assert front.size_px == (1920, 1280)
    assert front.intrinsics_px is not None
    assert front.ego_SE3_camera is not None
    assert front.intrinsics_px.tolist() == [[800, 0, 400], [0, 810, 300], [0, 0, 1]]
    np.testing.assert_allclose(front.ego_SE3_camera.translation_m, [2.0, 0.25, 2.0], atol=1e-9)
    forward, left_of_it, up = front.ego_SE3_camera.rotation @ [[0, -1, 0], [0, 0, -1], [1, 0, 0]]
    axes = np.column_stack([forward, left_of_it, up]).T
    np.testing.assert_allclose(axes, np.reshape(EXTRINSIC, (4, 4))[:3, :3], atol=1e-9)
    assert left.intrinsics_px is None


def content_of(camera: Camera) -> bytes | None:
    return camera.packed.content() if camera.packed else None


def test_images_are_given_as_they_are_and_not_written(tmp_path: Path) -> None:
    write(tmp_path, [frame(t, images=[1, 5, 8]) for t in range(0, 1100, 100)])
    for clip in read_clips(tmp_path):
        contents = [content_of(camera) for camera in clip.observation.cameras]
        assert contents == [JPEG + b"\x01", None, None, None, JPEG + b"\x05"]
        front = clip.observation.cameras[0]
        assert front.packed and front.packed.size == len(JPEG) + 1
        folder = tmp_path / "waymo_extracted" / "val" / NAME / "images"
        assert front.image == folder / "camera_FRONT" / f"{clip.timestamp_ns // 1000}.jpg"
    assert [path.name for path in tmp_path.iterdir()] == ["waymo"]


def test_where_images_go_is_a_choice(tmp_path: Path) -> None:
    write(tmp_path, [frame(0, images=[1])])
    (log,) = waymo.logs(tmp_path / "waymo", tmp_path / "scratch")
    (clip,) = waymo.clips(replace(log, extract_dir=tmp_path / "mine"))
    assert isinstance(clip, Clip)
    right = clip.observation.cameras[2].image
    folder = tmp_path / "mine" / "waymo_extracted" / "val" / NAME / "images"
    assert right == folder / "camera_FRONT_RIGHT" / f"{START_US}.jpg"


def test_a_link_to_a_download_keeps_it_clean(tmp_path: Path) -> None:
    write(tmp_path / "download", [frame(0, images=[1])])
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "waymo").symlink_to(tmp_path / "download" / "waymo")
    (clip,) = read_clips(tmp_path / "mine")
    assert clip.observation.cameras[0].image.is_relative_to(tmp_path / "mine" / "waymo_extracted")
    assert [path.name for path in (tmp_path / "download").iterdir()] == ["waymo"]


def test_a_lost_frame_is_bridged_and_longer_gaps_are_not(tmp_path: Path) -> None:
    lost = {700, *range(1500, 2000, 100), *range(3400, 3700, 100)}
    write(tmp_path, [frame(t) for t in range(0, 5001, 100) if t not in lost])
    assert dropped(tmp_path) == [(1500, "no_frame"), (3500, "no_frame")]
    clips = read_clips(tmp_path)
    assert [len(clip.future) for clip in clips] == [2, 1, 0, 2, 1, 0, 2, 1, 0]


def test_a_frame_in_place_of_a_lost_one(tmp_path: Path) -> None:
    write(tmp_path, [frame(t) for t in (0, 100, 200, 300, 400, 540, 600, 960)])
    assert stamps_ms(read_clips(tmp_path)) == [0, 540, 960]


BAD_POSE = [2.0, *pose(0)[1:]]


@pytest.mark.parametrize("bad", (BAD_POSE, [], [np.nan] * 16, [1e300] * 16, pose(0)[:15]))
def test_a_bad_pose_is_bridged(tmp_path: Path, bad: list[float]) -> None:
    frames = drive(1000)
    frames[5] = frame(500, bad)
    write(tmp_path, frames)
    assert stamps_ms(read_clips(tmp_path)) == [0, 500, 1000]
    np.testing.assert_allclose(read_clips(tmp_path)[0].future.xy_m, [[5, 0], [10, 0]], atol=1e-9)


def test_where_the_ego_is_not_known_there_is_no_clip(tmp_path: Path) -> None:
    frames = drive(1000)
    frames[4:7] = [frame(t, BAD_POSE) for t in (400, 500, 600)]
    write(tmp_path, frames)
    assert dropped(tmp_path) == [(500, "no_ego_pose")]
    between = [i.reason for i in read(tmp_path) if isinstance(i, Dropped) and not i.keyframe]
    assert between == ["unusable_pose"] * 2


@pytest.mark.parametrize("frames", ([], [frame(0, BAD_POSE)]))
def test_no_usable_pose_fails_the_log(tmp_path: Path, frames: list[bytes]) -> None:
    write(tmp_path, frames)
    with pytest.raises(LogError, match=f"{NAME}.*tfrecord: poses: {len(frames)} poses, none"):
        read(tmp_path)


def test_two_poses_of_one_stamp_must_agree(tmp_path: Path) -> None:
    write(tmp_path, [frame(0, images=[1]), frame(0, shown=[]), frame(100)])
    (clip,) = read_clips(tmp_path)
    assert clip.observation.cameras[0].packed
    write(tmp_path, [frame(0), frame(0, pose(1))])
    with pytest.raises(LogError, match="rows 1 and 2 have one stamp"):
        read(tmp_path)


@pytest.mark.parametrize(
    "bad",
    (
        ("x", 1, (15, -3, np.nan, 4.5, 2, 1.5, 0), 5),
        ("x", 1, (15, -3, 0, 4.5, 0, 1.5, 0), 5),
        ("x", 1, (1e200, -3, 0, 4.5, 2, 1.5, 0), 5),
        ("", 1, (15, -3, 0, 4.5, 2, 1.5, 0), 5),
        CAR,  # a second time
    ),
)
def test_a_bad_box_drops_its_present(tmp_path: Path, bad: Label) -> None:
    frames = drive(1000)
    frames[5] = frame(500, shown=[CAR, bad])
    frames[7] = frame(700, shown=[CAR, bad])
    write(tmp_path, frames)
    assert dropped(tmp_path) == [(500, "bad_box")]
    assert read_clips(tmp_path)[0].agent_futures["car"].xy_m[:, 0].tolist() == pytest.approx(
        [20, 25]
    )


def test_no_labels_are_told_from_nobody_there(tmp_path: Path) -> None:
    write(tmp_path, [frame(t, shown=[] if t == 500 else None) for t in (0, 500, 1000)])
    assert [c.observation.annotated for c in read_clips(tmp_path)] == [True, False, True]
    write(tmp_path, [frame(t, shown=[]) for t in (0, 100)])
    assert [c.observation.annotated for c in read_clips(tmp_path)] == [False]


def test_unknown_fields_and_types_are_passed_over(tmp_path: Path) -> None:
    """In any order: here what is known comes after what is not, and the lidar."""
    strange = content(5, b"\xff" * 9000) + content(99, b"new") + doubles(1000, [1]) + whole(50, 7)
    tram: Label = ("tram", 9, CAR[2], 1)
    write(tmp_path, [strange + frame(t, shown=[tram], extra=strange) for t in (0, 100)])
    (clip,) = read_clips(tmp_path)
    (agent,) = clip.observation.agents
    assert (agent.category, agent.kind) == ("Unknown", "object")


def test_the_lidar_stays_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames of real size: 2.2 MB of images and 2.5 MB of lidar."""
    jpeg, lidar = bytes(440_000), content(5, bytes(500_000)) * 5
    images = b"".join(image(camera, 0, jpeg) for camera in range(1, 6))
    many = [label(f"track {i}", 1, CAR[2], 1) for i in range(100)]
    path = write(tmp_path, [frame(t, extra=b"".join([images, lidar, *many])) for t in (0, 100)])
    sizes, pread = list[int](), os.pread

    def watched(file: int, size: int, at: int) -> bytes:
        sizes.append(size)
        return pread(file, size, at)

    monkeypatch.setattr(os, "pread", watched)
    assert len(read_record(path).labels.ids) == 208
    assert 0 < sum(sizes) < 0.05 * path.stat().st_size


@pytest.mark.parametrize(
    ("damage", "message"),
    (
        (lambda data: data[:-1], "record 3 at byte .*the file ends within it"),
        (lambda data: b"\x01" + data[1:], "record 1 at byte 0: the checksum"),
        (lambda data: data[:12] + b"\x0b" + data[13:], "byte 12: not a protobuf field"),
        (lambda data: framed(whole(9, 1)) + data, "record 1: a frame without a stamp"),
        (lambda data: framed(frame(9_999_999)) + data, "frame 1 is stamped .* from others"),
        (lambda data: framed(frame(5, extra=content(6, b"\x0b"))), "byte .*: not a protobuf field"),
        (lambda data: framed(frame(5, extra=content(4, b"\x0b"))), "byte .*: not a protobuf field"),
    ),
)
def test_damage_is_told(tmp_path: Path, damage: Callable[[bytes], bytes], message: str) -> None:
    path = write(tmp_path, drive(200))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(LogError, match=f"{path}: .*{message}"):
        read(tmp_path)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=4))
def test_any_damage_gives_clips_or_says_why(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]]
) -> None:
    root = tmp_path_factory.mktemp("damaged")
    frames = [bytearray(frame(t, images=[1])) for t in range(0, 1100, 100)]
    for at, value in changes:
        changed = frames[at % len(frames)]
        changed[at % len(changed)] = value
    write(root, map(bytes, frames))
    try:
        found = read(root)
    except LogError as error:
        assert NAME in str(error)
    else:
        names = [item.id for item in found]
        assert len(set(names)) == len(names) >= 2


def test_where_there_is_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="neither a record nor .*\n.*training"):
        waymo.logs(tmp_path, tmp_path)


def table(root: Path, component: str, columns: dict[str, Any], split: str = "validation") -> Path:
    path = root / "waymo" / split / component / f"{NAME}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.table(columns), path, row_group_size=3)
    return path


def prefixed(component: str, columns: dict[str, Any]) -> dict[str, Any]:
    return {k if k.startswith("key.") else f"[{component}].{k}": v for k, v in columns.items()}


def write_tables(root: Path, t_ms: Sequence[int], cameras: Sequence[int]) -> None:
    """Write what ``frame`` writes, as tables."""
    stamps = [START_US + 1000 * t for t in t_ms]
    way = [pose(t / 1000) for t in t_ms]
    columns = {"key.frame_timestamp_micros": stamps, "world_from_vehicle.transform": way}
    table(root, "vehicle_pose", prefixed("VehiclePoseComponent", columns))
    shown = [
        (stamp, *one) for stamp, t in zip(stamps, t_ms, strict=True) for one in labels(t / 1e3)
    ]
    boxes = np.array([box for _, _, _, box, _ in shown], dtype=np.float64)
    names = ("center.x", "center.y", "center.z", "size.x", "size.y", "size.z", "heading")
    columns = {
        "key.frame_timestamp_micros": [row[0] for row in shown],
        "key.laser_object_id": [row[1] for row in shown],
        "type": [row[2] for row in shown],
        "num_lidar_points_in_box": [row[4] for row in shown],
        **{f"box.{name}": boxes[:, place] for place, name in enumerate(names)},
    }
    table(root, "lidar_box", prefixed("LiDARBoxComponent", columns))
    lens = {"f_u": 800.0, "f_v": 810.0, "c_u": 400.0, "c_v": 300.0}
    columns = {
        "key.camera_name": [1],
        "extrinsic.transform": [[float(value) for value in EXTRINSIC]],
        **{"width": [1920], "height": [1280]},
        **{f"intrinsic.{name}": [value] for name, value in lens.items()},
    }
    table(root, "camera_calibration", prefixed("CameraCalibrationComponent", columns))
    rows = [(stamp, t, c) for stamp, t in zip(stamps, t_ms, strict=True) for c in cameras]
    columns = {
        "key.frame_timestamp_micros": [stamp for stamp, _, _ in rows],
        "key.camera_name": [camera for _, _, camera in rows],
        "image": [JPEG + bytes([camera]) for _, _, camera in rows],
        "pose.transform": [pose(t / 1000 + 0.05) for _, t, _ in rows],
    }
    table(root, "camera_image", prefixed("CameraImageComponent", columns))


def told(clip: Clip) -> list[object]:
    """Return what a clip says, in plain values."""
    seen = clip.observation
    cameras = [
        (c.view, c.image.name, c.size_px, c.ego_SE3_camera and c.ego_SE3_camera.translation_m)
        for c in seen.cameras
    ]
    agents = [(a.id, a.kind, a.observed, a.center_m, a.size_m, a.yaw_rad) for a in seen.agents]
    ways = [way.xy_m for way in (seen.past, clip.future, *clip.agent_futures.values())]
    return [clip.id, clip.split, clip.timestamp_ns, repr(cameras), repr(agents), repr(ways)]


def test_both_releases_give_the_same_clips(tmp_path: Path) -> None:
    t_ms, cameras = range(0, 3001, 100), (1, 2)
    write(tmp_path / "v1", [frame(t, images=cameras) for t in t_ms])
    write_tables(tmp_path / "v2", t_ms, cameras)
    first, second = (read_clips(tmp_path / release) for release in ("v1", "v2"))
    assert [told(clip) for clip in first] == [told(clip) for clip in second]
    for one, other in zip(first, second, strict=True):
        for camera, its in zip(one.observation.cameras, other.observation.cameras, strict=True):
            assert content_of(camera) == content_of(its)


def test_an_image_that_the_tables_lack_is_a_missing_one(tmp_path: Path) -> None:
    """Front and front left at 0, 0.5 and 1 s; the row of the one at 0.5 s is taken out."""
    write_tables(tmp_path / "raw", range(0, 1001, 500), (1, 2))
    folder = tmp_path / "raw" / "waymo" / "validation" / "camera_image"
    (path,) = folder.iterdir()
    whole = parquet.read_table(path)
    parquet.write_table(pa.concat_tables([whole.slice(0, 3), whole.slice(4)]), path)
    recipe = Recipe(("scene_description",))
    generate(tmp_path / "raw", tmp_path / "out", ["waymo"], None, recipe, 1)
    entry = read_json(tmp_path / "out" / "manifest.json")["datasets"]["waymo"]["val"]
    assert entry["clips"] == 3
    # Of five cameras three have no image at all; the images that are there are no real ones.
    assert entry["questions"]["q5"]["dropped"] == {"missing_image": 3 * 3 + 1, "not_an_image": 5}


def test_poses_alone_are_enough(tmp_path: Path) -> None:
    write_tables(tmp_path, range(0, 1001, 100), ())
    for component in ("lidar_box", "camera_calibration", "camera_image"):
        next((tmp_path / "waymo" / "validation" / component).iterdir()).unlink()
    clips = read_clips(tmp_path)
    assert stamps_ms(clips) == [0, 500, 1000]
    assert not clips[0].observation.annotated
    assert len(clips[0].observation.cameras) == 5


def test_a_segment_in_both_releases_is_read_once(tmp_path: Path) -> None:
    write(tmp_path, drive(100))
    write_tables(tmp_path, (0, 100), ())
    (log,) = waymo.logs(tmp_path / "waymo", tmp_path)
    assert log.source.suffix == ".tfrecord"
    log.source.unlink()
    (log,) = waymo.logs(tmp_path / "waymo", tmp_path)
    assert [path.parent.name for path in log.inputs] == [
        "vehicle_pose",
        "lidar_box",
        "camera_calibration",
    ]


def test_faults_of_tables_are_told(tmp_path: Path) -> None:
    write_tables(tmp_path, range(0, 501, 100), ())
    transform = "[VehiclePoseComponent].world_from_vehicle.transform"
    for columns, message in (
        ({"key.frame_timestamp_micros": [1]}, "no column .*world_from_vehicle"),
        ({"key.frame_timestamp_micros": [None, 1], transform: [pose(0)] * 2}, "row 1: key.frame"),
        ({"key.frame_timestamp_micros": [1], transform: [[1.0]]}, "1 poses, none usable"),
    ):
        path = table(tmp_path, "vehicle_pose", columns)
        with pytest.raises(LogError, match=f"{NAME}.parquet: .*{message}"):
            read(tmp_path)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(LogError, match=f"{NAME}.parquet: not a whole Parquet file"):
        read(tmp_path)


@pytest.fixture()
def real(samples: Path, tmp_path: Path) -> Path:
    """Link to the samples, so that images would be named elsewhere."""
    (tmp_path / "waymo").symlink_to(samples / "waymo")
    return tmp_path / "waymo"


def test_the_real_segments(real: Path) -> None:
    found = {log.id: (log, list(waymo.clips(log))) for log in waymo.logs(real, real)}
    counts = {name[:4]: (log.split, len(clips)) for name, (log, clips) in found.items()}
    assert counts == {"eb4b": ("train", 40), "1024": ("val", 1), "1071": ("val", 1)} | {
        "1002": ("train", 40)
    }
    assert all(isinstance(clip, Clip) for _, clips in found.values() for clip in clips)
    (clip,) = found["1024360143612057520_3580_000_3600_000"][1]
    assert isinstance(clip, Clip)
    contents = [content_of(camera) or b"" for camera in clip.observation.cameras]
    assert [content[:2] for content in contents] == [b"\xff\xd8"] * 5
    assert len(clip.observation.agents) == 75


def test_the_checksum_of_real_records(real: Path) -> None:
    path = next((real / "validation").glob("segment-1024*"))
    data = path.read_bytes()
    ((start, end),) = spans(data)
    assert len(data) == end + 4
    assert masked_crc32c(data[start:end]) == int.from_bytes(data[end:], "little")


@pytest.fixture()
def messages() -> Any:
    return pytest.importorskip(
        "waymo_open_dataset.dataset_pb2",
        reason="needs waymo-open-dataset-tf-2-12-0, installed with --no-deps, and protobuf",
    )


def box_row(box: Any) -> list[float]:
    size = box.length, box.width, box.height
    return [box.center_x, box.center_y, box.center_z, *size, box.heading]


def agrees(path: Path, messages: Any) -> None:
    """Compare all that is read of a record with what its own messages say."""
    data, segment = path.read_bytes(), read_record(path)
    frames = [messages.Frame.FromString(data[a:b]) for a, b in spans(data)]
    theirs = [label for one in frames for label in one.laser_labels]
    assert segment.stamps_ns.tolist() == [1000 * one.timestamp_micros for one in frames]
    matrices: Floats = np.array([one.pose.transform for one in frames]).reshape(-1, 4, 4)
    np.testing.assert_array_equal(segment.world_SE3_ego.rotations, matrices[:, :3, :3])
    np.testing.assert_array_equal(segment.world_SE3_ego.translations_m, matrices[:, :3, 3])
    assert list(segment.labels.ids) == [label.id for label in theirs]
    assert segment.labels.types.tolist() == [label.type for label in theirs]
    assert segment.labels.points.tolist() == [x.num_lidar_points_in_box for x in theirs]
    boxes = np.array([box_row(label.box) for label in theirs])
    np.testing.assert_array_equal(segment.labels.boxes, boxes)
    for camera in frames[0].context.camera_calibrations:
        mine = segment.calibrations[camera.name]
        assert mine.size_px == (camera.width, camera.height)
        k = mine.intrinsics_px
        assert [k[0, 0], k[1, 1], k[0, 2], k[1, 2]] == list(camera.intrinsic[:4])
        origin = np.reshape(camera.extrinsic.transform, (4, 4))[:3, 3]
        np.testing.assert_array_equal(mine.ego_SE3_camera.translations_m, origin)
    for one, images in zip(frames, segment.images(segment.stamps_ns), strict=True):
        assert {name: image.packed.content() for name, image in images.items()} == {
            image.name: image.image for image in one.images
        }


@pytest.mark.filterwarnings("ignore")
def test_its_own_messages_say_the_same_of_real_records(real: Path, messages: Any) -> None:
    paths = sorted(real.glob("*/*.tfrecord"))
    assert len(paths) == 3
    for path in paths:
        agrees(path, messages)


@pytest.mark.filterwarnings("ignore")
def test_its_own_messages_say_the_same_of_the_miniature(miniatures: Path, messages: Any) -> None:
    for path in (miniatures / "waymo").glob("*/*.tfrecord"):
        agrees(path, messages)


def test_a_copy_under_another_name_is_told_and_a_renamed_file_is_read(tmp_path: Path) -> None:
    path = write(tmp_path, drive(1000))
    copy = path.with_name("segment-mine.tfrecord")
    copy.write_bytes(path.read_bytes())
    first, second = waymo.logs(tmp_path / "waymo", tmp_path)
    assert (first.id, second.id) == (NAME, "mine")
    assert len(list(waymo.clips(first))) == 3
    with pytest.raises(LogError, match=f"mine.tfrecord: it holds segment {NAME}, as {path} does"):
        list(waymo.clips(second))
    path.unlink()
    assert len(read_clips(tmp_path)) == 3


PARTS = "[VehiclePoseComponent].", "[LiDARBoxComponent].", "[CameraCalibrationComponent]."


@pytest.mark.parametrize(
    ("component", "column", "values", "message"),
    (
        ("vehicle_pose", "key.frame_timestamp_micros", "x", "holds string; expected int64"),
        ("lidar_box", f"{PARTS[1]}box.size.x", [1.0], "holds list.*; expected double"),
        ("camera_calibration", f"{PARTS[2]}width", "wide", "holds string; expected int64"),
        (
            "camera_image",
            "[CameraImageComponent].pose.transform",
            1.5,
            "holds double; expected list",
        ),
        ("camera_image", "[CameraImageComponent].image", 7, "image cannot be read"),
    ),
)
def test_a_column_of_another_type_is_told(
    tmp_path: Path, component: str, column: str, values: object, message: str
) -> None:
    write_tables(tmp_path, range(0, 501, 100), (1,))
    path = tmp_path / "waymo" / "validation" / component / f"{NAME}.parquet"
    whole = parquet.ParquetFile(path).read()
    place = whole.column_names.index(column)
    spoilt = whole.set_column(place, column, pa.array([values] * whole.num_rows))
    parquet.write_table(spoilt, path)
    shown = ShownImages(keep=True)
    with pytest.raises(LogError, match=f"{component}/{NAME}.parquet: .*{message}"):
        for clip in read_clips(tmp_path):
            [shown.fault(camera) for camera in clip.observation.cameras]


def test_an_image_that_a_table_lacks_is_no_image(tmp_path: Path) -> None:
    write_tables(tmp_path, range(0, 501, 100), (1,))
    path = tmp_path / "waymo/validation/camera_image" / f"{NAME}.parquet"
    whole = parquet.ParquetFile(path).read()
    column = "[CameraImageComponent].image"
    nothing = pa.array([None] * whole.num_rows, pa.binary())
    place = whole.column_names.index(column)
    parquet.write_table(whole.set_column(place, column, nothing), path)
    cameras = [camera for clip in read_clips(tmp_path) for camera in clip.observation.cameras]
    shown = ShownImages(keep=True)
    assert {shown.fault(c) for c in cameras if c.view == "FRONT"} == {"not_an_image"}


@settings(max_examples=60, deadline=None)
@given(at=st.integers(0, 10**6), value=st.integers(0, 255), kept=st.integers(0, 10**6))
@example(at=27, value=27, kept=1783)  # a stamp beyond all time
def test_any_damage_to_a_table_gives_clips_or_says_why(
    tmp_path_factory: pytest.TempPathFactory, at: int, value: int, kept: int
) -> None:
    root = tmp_path_factory.mktemp("tables")
    write_tables(root, range(0, 501, 100), (1,))
    tables = sorted((root / "waymo" / "validation").rglob("*.parquet"))
    data = bytearray((path := tables[at % len(tables)]).read_bytes())
    data[at % len(data)] = value
    path.write_bytes(data[: kept if kept < len(data) else None])
    try:
        found = read(root)
    except LogError as error:
        assert NAME in str(error)
    else:
        assert {item.id for item in found if isinstance(item, Clip)}
