"""navsim: a hand-made log, its faults, and what the miniature's world knows of its logs."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from impromptu.cli import main
from impromptu.clip import Clip
from impromptu.datasets import Dropped, LogError, navsim
from impromptu.files import read_json

Frame = dict[str, Any]
HALF = float(np.sqrt(0.5))
START_US = 1_622_700_000_000_000
# The lidar is turned by a quarter to the left: its x axis is the ego's y axis.
LIDAR2EGO = np.array([[0.0, -1, 0, 1], [1, 0, 0, 0], [0, 0, 1, 2], [0, 0, 0, 1]])
# In lidar axes: a camera that looks along the ego's x axis, so along the lidar's -y.
LOOKS_AHEAD = np.array([[-1.0, 0, 0], [0, 0, -1], [0, -1, 0]])
K = np.array([[1000.0, 0, 960], [0, 1000, 540], [0, 0, 1]])


def frame(row: int) -> Frame:
    """Drive north at 10 m/s behind a car that keeps 15 m ahead; pass a parked one 60 m ahead."""
    ahead_m = np.array([15.0, 60 - 5 * row, 15.0])
    # 3 m to the right of the ego, in the lidar's frame: x is ego y, y is 1 m less ego x.
    centers_m = np.column_stack([[-3.0, -3, 3], 1 - ahead_m, [-1.25, -1.25, -1]])
    return {
        "token": f"{row:016x}",
        "timestamp": START_US + 500_000 * row,
        "ego2global_translation": np.array([587_700.0, 4_476_000 + 5.0 * row, 600]),
        "ego2global_rotation": [HALF, 0, 0, HALF],
        "ego_dynamic_state": [10.0, 0.5, 0.25 * row, -0.1],
        "lidar2ego": LIDAR2EGO,
        "driving_command": np.array([0, 1, 0, 0]),
        "cams": {
            name: {
                "data_path": f"log/{name}/{row:016x}.jpg",
                "sensor2lidar_rotation": LOOKS_AHEAD,
                "sensor2lidar_translation": np.array([0.2, -0.5, -0.4]),
                "cam_intrinsic": K,
                "distortion": np.zeros(5),
            }
            for name in navsim.CAMERAS
        },
        "anns": {
            "gt_boxes": np.column_stack([centers_m, [[4.5, 2, 1.5, -np.pi / 2]] * 3]),
            "gt_names": np.array(["vehicle", "vehicle", "traffic_cone"]),
            "gt_velocity_3d": np.full((3, 3), 99.0),
            "track_tokens": ["car", "parked", "cone"],
        },
    }


def write(root: Path, frames: object, folder: str = "trainval", log: str = "log") -> Path:
    path = root / "navsim_logs" / folder / f"{log}.pkl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(frames))
    return root


def drive() -> list[Frame]:
    return [frame(row) for row in range(16)]


def read(root: Path) -> list[Clip | Dropped]:
    (log,) = navsim.logs(root, root / "scratch")
    return list(navsim.clips(log))


def read_clips(root: Path) -> list[Clip]:
    return [clip for clip in read(root) if isinstance(clip, Clip)]


def test_the_ego_and_its_logged_motion(tmp_path: Path) -> None:
    clip = read_clips(write(tmp_path, drive()))[4]
    assert (clip.id, clip.split) == ("navsim/log/0000000000000004", "train")
    assert clip.timestamp_ns == 1000 * (START_US + 2_000_000)
    assert clip.observation.command == "go straight"
    np.testing.assert_allclose(
        clip.observation.past.xy_m, [[5 * k, 0] for k in range(-4, 1)], atol=1e-6
    )
    np.testing.assert_allclose(clip.future.xy_m, [[5 * k, 0] for k in range(1, 11)], atol=1e-6)
    for row, status in enumerate(clip.observation.statuses):
        assert status is not None
        assert status.logged
        assert status.acceleration_mps2 is not None
        np.testing.assert_array_equal(status.velocity_mps, [10, 0.5])
        np.testing.assert_array_equal(status.acceleration_mps2, [0.25 * row, -0.1])


def test_agents_stand_in_the_lidars_frame_and_move_over_the_ground(tmp_path: Path) -> None:
    """Velocities are differences with the past, not the logged ones, which know the future."""
    clip = read_clips(write(tmp_path, drive()))[4]
    agents = {agent.id: agent for agent in clip.observation.agents}
    words = {name: (agent.category, agent.kind) for name, agent in agents.items()}
    assert words == {
        "car": ("vehicle", "vehicle"),
        "parked": ("vehicle", "vehicle"),
        "cone": ("traffic cone", "object"),
    }
    np.testing.assert_allclose(agents["car"].center_m, [15, -3, 0.75], atol=1e-6)
    np.testing.assert_allclose(agents["parked"].center_m, [40, -3, 0.75], atol=1e-6)
    np.testing.assert_allclose(agents["cone"].center_m, [15, 3, 1], atol=1e-6)
    np.testing.assert_allclose(agents["car"].yaw_rad, 0, atol=1e-9)
    for name, forward_mps in (("car", 10), ("parked", 0)):
        velocity_mps = agents[name].velocity_mps
        assert velocity_mps is not None
        np.testing.assert_allclose(velocity_mps, [forward_mps, 0], atol=1e-6)
    np.testing.assert_allclose(
        clip.agent_futures["car"].xy_m[:, 0], 15 + 5 * np.arange(1, 11), atol=1e-6
    )


def test_cameras_are_in_the_order_of_prompts_and_where_they_are_mounted(tmp_path: Path) -> None:
    image = tmp_path / "sensor_blobs/trainval/log/CAM_F0/0000000000000002.jpg"
    image.parent.mkdir(parents=True)
    Image.new("RGB", (192, 108)).save(image)
    cameras = read_clips(write(tmp_path, drive()))[3].observation.cameras
    assert tuple(camera.view for camera in cameras) == navsim.DATASET.surround
    assert {camera.image.parent.name: camera.view for camera in cameras} == {
        **{"CAM_F0": "FRONT", "CAM_L0": "FRONT LEFT", "CAM_R0": "FRONT RIGHT"},
        **{"CAM_L1": "LEFT", "CAM_R1": "RIGHT"},
        **{"CAM_L2": "BACK LEFT", "CAM_R2": "BACK RIGHT", "CAM_B0": "BACK"},
    }
    front = cameras[0]
    assert front.image == image.with_name("0000000000000003.jpg")
    assert front.size_px == (192, 108)
    assert cameras[1].size_px is None
    assert front.ego_SE3_camera is not None
    assert front.intrinsics_px is not None
    np.testing.assert_array_equal(front.intrinsics_px, K)
    np.testing.assert_allclose(front.ego_SE3_camera.translation_m, [1.5, 0.2, 1.6])
    np.testing.assert_allclose(front.ego_SE3_camera.rotation[:, 2], [1, 0, 0], atol=1e-12)


def test_a_camera_that_is_absent_or_not_calibrated(tmp_path: Path) -> None:
    frames = drive()
    del frames[3]["cams"]["CAM_L0"]
    frames[3]["cams"]["CAM_F0"]["sensor2lidar_rotation"] = np.zeros((3, 3))
    cameras = read_clips(write(tmp_path, frames))[3].observation.cameras
    assert len(cameras) == 7
    assert (cameras[0].view, cameras[0].intrinsics_px) == ("FRONT", None)
    assert cameras[1].view == "FRONT RIGHT"


@pytest.mark.parametrize(
    ("told", "command"),
    [
        ([1, 0, 0, 0], "turn left"),
        ([0, 1, 0, 0], "go straight"),
        ([0, 0, 1, 0], "turn right"),
        ([0, 0, 0, 1], None),
        ([0, 0, 0, 0], None),
        ([1, 0, 1, 0], None),
    ],
)
def test_the_command_is_one_of_three_or_unknown(
    tmp_path: Path, told: list[int], command: str | None
) -> None:
    frames = drive()
    frames[0]["driving_command"] = np.array(told)
    del frames[1]["driving_command"]
    commands = [clip.observation.command for clip in read_clips(write(tmp_path, frames))]
    assert commands[:3] == [command, None, "go straight"]


def test_a_dropped_frame_parts_what_lies_on_its_sides(tmp_path: Path) -> None:
    frames = drive()
    del frames[8]
    clips = read_clips(write(tmp_path, frames))
    assert [len(clip.future) for clip in clips[5:10]] == [2, 1, 0, 6, 5]
    assert [len(clip.observation.past) for clip in clips[7:10]] == [7, 1, 2]
    assert "car" not in clips[7].agent_futures
    first_after = {agent.id: agent for agent in clips[8].observation.agents}
    assert first_after["car"].velocity_mps is None


def test_frames_may_jitter_and_lie_in_any_order(tmp_path: Path) -> None:
    frames = drive()
    for row, late_us in enumerate(np.tile([0, 300, -40_000, 20_000], 4).tolist()):
        frames[row]["timestamp"] += late_us
        frames[row]["ego2global_translation"][1] += 1e-5 * late_us
    clips = read_clips(write(tmp_path, frames[::-1]))
    assert [clip.id[-2:] for clip in clips] == [f"{row:02x}" for row in range(16)]
    np.testing.assert_allclose(clips[4].future.xy_m[:, 0], 5 * np.arange(1, 11), atol=1e-6)
    assert all(status and status.logged for status in clips[4].observation.statuses)


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("ego2global_rotation", [0.0, 0, 0, 0], "no_ego_pose"),
        ("ego2global_translation", [np.nan, 0, 0], "no_ego_pose"),
        ("gt_boxes", [[1.0, 2, 3, 4.5, 0, 1.5, 0]] * 3, "bad_box"),
    ],
)
def test_an_unsound_frame_is_dropped(
    tmp_path: Path, field: str, value: list[Any], reason: str
) -> None:
    frames = drive()
    (frames[5] if field in frames[5] else frames[5]["anns"])[field] = np.array(value)
    found = read(write(tmp_path, frames))
    assert found[5] == Dropped("navsim/log/0000000000000005", reason)
    assert sum(isinstance(clip, Clip) for clip in found) == 15


def test_frames_without_annotations_are_told_from_empty_ones(tmp_path: Path) -> None:
    frames = drive()
    frames[1]["anns"] = None
    frames[2]["anns"] = {"gt_boxes": np.zeros((0, 7)), "gt_names": [], "track_tokens": []}
    seen = [clip.observation for clip in read_clips(write(tmp_path, frames))]
    assert [here.annotated for here in seen[:4]] == [True, False, True, True]
    assert [len(here.agents) for here in seen[:4]] == [3, 0, 0, 3]


def drops(field: str) -> Callable[[list[Frame]], object]:
    return lambda frames: [{k: v for k, v in frame.items() if k != field} for frame in frames]


def sets(row: int, *path: str, value: object) -> Callable[[list[Frame]], object]:
    def spoil(frames: list[Frame]) -> object:
        part = frames[row]
        for name in path[:-1]:
            part = part[name]
        part[path[-1]] = value
        return frames

    return spoil


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda frames: {"infos": frames}, "expected a list of frames, got"),
        (lambda frames: [], "expected a list of frames, got"),
        (lambda frames: [frames[0], 7], "frame 1: expected a dictionary, got 7"),
        (drops("timestamp"), "frame 0: timestamp: expected one number, got None"),
        (drops("lidar2ego"), "frame 0: lidar2ego: expected 4 x 4 numbers, got None"),
        (sets(2, "token", value=7), "frame 2: token: expected a text, got 7"),
        (sets(2, "token", value=f"{1:016x}"), "two frames have one token"),
        (sets(2, "timestamp", value=START_US), "frame 2: has the stamp of frame 0"),
        (sets(2, "timestamp", value=float("nan")), "frame 2: its stamp is nan"),
        (sets(3, "ego_dynamic_state", value=[1, 2]), "ego_dynamic_state: expected 4 numbers"),
        (sets(3, "cams", value=[]), r"frame 3: cams: expected a dictionary, got \[\]"),
        (sets(3, "cams", "CAM_B0", "data_path", value=0), "frame 3: cams: CAM_B0: data_path: exp"),
        (sets(3, "anns", "gt_boxes", value=np.zeros((2, 9))), "gt_boxes: expected n x 7 numbers"),
        (
            sets(3, "anns", "gt_names", value=["vehicle"]),
            "anns: gt_names: expected one for each of 3",
        ),
        (sets(3, "anns", "track_tokens", value=["a"] * 3), "a track has two boxes in one frame"),
    ],
)
def test_a_fault_of_a_log_is_named(
    tmp_path: Path, spoil: Callable[[list[Frame]], object], message: str
) -> None:
    with pytest.raises(LogError, match=rf"log\.pkl.*{message}"):
        read(write(tmp_path, spoil(drive())))


def test_a_log_without_a_usable_pose_says_so(tmp_path: Path) -> None:
    frames = [frame(row) | {"ego2global_rotation": [0.0] * 4} for row in range(3)]
    with pytest.raises(LogError, match=r"log\.pkl: 3 poses, none usable"):
        read(write(tmp_path, frames))


def test_the_folder_tells_the_split_and_a_log_counts_once(tmp_path: Path) -> None:
    for folder, log in (("trainval", "b"), ("mini", "a"), ("mini", "c"), ("test", "c")):
        write(tmp_path, drive(), folder, log)
    found = [(log.id, log.split) for log in navsim.logs(tmp_path, tmp_path)]
    assert found == [("a", "train"), ("b", "train"), ("c", "test")]


def test_an_empty_folder_is_answered_with_what_to_download(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no log is in navsim_logs/{trainval,test,mini}"):
        navsim.logs(tmp_path, tmp_path)


def test_a_link_in_place_of_the_folder_serves(
    miniatures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The published step links the download into the repository; image paths go by the link."""
    data_raw, out = tmp_path / "repository" / "data_raw", tmp_path / "repository" / "out"
    data_raw.mkdir(parents=True)
    (data_raw / "navsim").symlink_to(miniatures / "navsim")
    flags = ["--data_raw", str(data_raw), "--datasets", "navsim", "--out", str(out)]
    assert main(["generate", *flags, "--workers", "1"]) == 0
    samples = read_json(out / "navsim" / "q6_train.json")
    images = [image for sample in samples for image in sample["images"]]
    assert images[0].startswith("../data_raw/navsim/sensor_blobs/trainval/")
    assert all(os.path.isfile(out / image) for image in images)
    planned = read_json(out / "navsim" / "q7_train.json")
    assert [Path(image).parent.name for image in planned[0]["images"]] == [
        "CAM_F0",
        "CAM_R0",
        "CAM_L0",
    ]
    counts = read_json(out / "manifest.json")["datasets"]["navsim"]["train"]
    assert counts["clips"] == 18  # 19 frames in 9 s, and one lost its pose
    assert counts["keyframes_dropped"] == {"no_ego_pose": 1}


def test_what_the_world_knows_is_what_the_clips_tell(miniatures: Path) -> None:
    """The pickles' second account of the poses, 4 x 4 matrices, against ours."""
    met = 0
    for log in navsim.logs(miniatures / "navsim", miniatures):
        frames = {
            frame["timestamp"]: frame
            for frame in pickle.loads(log.source.read_bytes())  # noqa: S301 - our own
        }
        for clip in navsim.clips(log):
            if not isinstance(clip, Clip):
                assert clip.reason == "no_ego_pose"
                continue
            now = frames[clip.timestamp_ns // 1000]
            lidar2ego = np.linalg.inv(now["ego2global"]) @ now["lidar2global"]
            boxes = now["anns"]["gt_boxes"]
            ours = {agent.id: agent.center_m for agent in clip.observation.agents}
            for name, box in zip(now["anns"]["track_tokens"], boxes, strict=True):
                there = lidar2ego @ [*box[:3], 1]
                np.testing.assert_allclose(ours[name], there[:3], atol=1e-6)
                met += 1
    assert met > 100
