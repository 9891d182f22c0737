"""ONCE: a hand-made sequence, its faults, and what the miniature's world knows of its clips."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from impromptu.clip import Clip
from impromptu.datasets import Dropped, LogError, keyframes, once
from impromptu.files import read_json, write_json

Content = dict[str, Any]
HALF = float(np.sqrt(0.5))
START_MS = 1_616_100_000_000
SEQUENCE = "000042"


def camera(looks: str, focal_px: float = 800.0) -> Content:
    """Return a calibration by where the camera looks, in lidar axes x left, y back, z up."""
    z = {"ahead": (0, -1, 0), "left": (1, 0, 0), "back": (0, 1, 0), "right": (-1, 0, 0)}[looks]
    down = (0, 0, -1)
    rotation = np.column_stack([np.cross(down, z), down, z])
    top = np.column_stack([rotation, [0.1, -0.4, -0.3]])
    return {
        "cam_to_velo": [*top.tolist(), [0, 0, 0, 1]],
        "cam_intrinsic": [[focal_px, 0, 960], [0, focal_px, 510], [0, 0, 1]],
        "distortion": [0.0] * 8,
    }


def frame(row: int) -> Content:
    """Drive along the first frame's -y axis at 10 m/s; a car is 15 m ahead, 3 m to the right."""
    return {
        "sequence_id": SEQUENCE,
        "frame_id": str(START_MS + 500 * row),
        "pose": [0.0, 0, 0, 1, 0, -5.0 * row, 0],
        "annos": {
            "names": ["Car", "Pedestrian"],
            "boxes_3d": [[-3, -15, -1, 4.5, 2, 1.5, -np.pi / 2], [2, -8, -1, 0.6, 0.6, 1.7, 0]],
        },
    }


def sequence() -> Content:
    frames = [frame(row) for row in range(16)]
    return {"calib": {"cam01": camera("ahead"), "cam07": camera("back")}, "frames": frames}


def write(root: Path, content: object, name: str = SEQUENCE) -> Path:
    write_json(root / "data" / name / f"{name}.json", content)
    for split, names in (("train", "000000"), ("val", "000042\n000043"), ("test", "000050\n")):
        path = root / "ImageSets" / f"{split}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(names, encoding="utf-8")
    return root


def read(root: Path) -> list[Clip | Dropped]:
    (log,) = once.logs(root, root / "scratch")
    return list(once.clips(log))


def read_clips(root: Path) -> list[Clip]:
    return [clip for clip in read(root) if isinstance(clip, Clip)]


def test_forward_is_against_the_lidars_y_axis(tmp_path: Path) -> None:
    clip = read_clips(write(tmp_path, sequence()))[4]
    assert (clip.id, clip.split) == (f"once/{SEQUENCE}/{START_MS + 2000}", "val")
    assert clip.timestamp_ns == (START_MS + 2000) * 1_000_000
    np.testing.assert_allclose(clip.observation.past.xy_m, [[5 * k, 0] for k in range(-4, 1)])
    np.testing.assert_allclose(clip.future.xy_m, [[5 * k, 0] for k in range(1, 11)])
    status = clip.observation.status
    assert status is not None
    assert not status.logged
    np.testing.assert_allclose(status.velocity_mps, [10, 0])


def test_a_left_turn_is_to_the_left(tmp_path: Path) -> None:
    """A quarter turn about z, scalar last; then the first frame's x axis, its left, is ahead."""
    content = sequence()
    for row, each in enumerate(content["frames"]):
        each["pose"] = [0, 0, HALF, HALF, 5.0 * row, 0, 0]
    content["frames"][5]["pose"] = [0, 0, 0, 1, 25.0, 0, 0]
    clips = read_clips(write(tmp_path, content))
    np.testing.assert_allclose(clips[4].future.xy_m[0], [5, 0], atol=1e-9)
    np.testing.assert_allclose(clips[5].future.xy_m[0], [0, 5], atol=1e-9)
    assert clips[4].future.yaw_rad is not None
    np.testing.assert_allclose(clips[4].future.yaw_rad[:2], [-np.pi / 2, 0], atol=1e-9)


def test_agents_are_known_in_one_frame_alone(tmp_path: Path) -> None:
    clips = read_clips(write(tmp_path, sequence()))
    pedestrian, car = clips[4].observation.agents
    assert (car.id, car.category, car.kind) == (f"{START_MS + 2000}-0", "Car", "vehicle")
    assert (pedestrian.category, pedestrian.kind) == ("Pedestrian", "pedestrian")
    np.testing.assert_allclose(car.center_m, [15, -3, -1], atol=1e-9)
    np.testing.assert_allclose(car.yaw_rad, 0, atol=1e-9)
    np.testing.assert_allclose(pedestrian.center_m, [8, 2, -1], atol=1e-9)
    np.testing.assert_allclose(pedestrian.yaw_rad, np.pi / 2, atol=1e-9)
    assert car.velocity_mps is None
    assert clips[4].agent_futures == {}


def test_a_frame_without_labels_is_not_annotated(tmp_path: Path) -> None:
    content = sequence()
    del content["frames"][1]["annos"]
    content["frames"][2]["annos"] = {"names": [], "boxes_3d": []}
    seen = [clip.observation for clip in read_clips(write(tmp_path, content))]
    assert [here.annotated for here in seen[:3]] == [True, False, True]
    assert [len(here.agents) for here in seen[:3]] == [2, 0, 0]


def test_where_a_camera_looks_tells_its_view(tmp_path: Path) -> None:
    content = sequence()
    content["calib"] = {
        **{"cam01": camera("ahead", 900), "cam03": camera("ahead", 500)},
        **{"cam05": camera("right"), "cam07": camera("back"), "cam09": camera("left")},
        "cam08": camera("left", 400) | {"cam_to_velo": np.zeros((4, 4)).tolist()},
    }
    folder = tmp_path / "data" / SEQUENCE
    (folder / "cam03").mkdir(parents=True)
    Image.new("RGB", (192, 102)).save(folder / "cam03" / f"{START_MS + 1000}.jpg")
    cameras = read_clips(write(tmp_path, content))[3].observation.cameras
    assert [(each.view, each.image.parent.name) for each in cameras] == [
        ("FRONT", "cam03"),
        ("LEFT", "cam09"),
        ("BACK", "cam07"),
        ("RIGHT", "cam05"),
    ]
    front = cameras[0]
    assert front.image.name == f"{START_MS + 1500}.jpg"
    assert front.size_px == (192, 102)
    assert cameras[1].size_px is None
    assert front.intrinsics_px is not None
    assert front.intrinsics_px[0, 0] == 500
    assert front.ego_SE3_camera is not None
    np.testing.assert_allclose(front.ego_SE3_camera.translation_m, [0.4, 0.1, -0.3])
    np.testing.assert_allclose(front.ego_SE3_camera.rotation[:, 0], [0, -1, 0], atol=1e-12)
    np.testing.assert_allclose(front.ego_SE3_camera.rotation[:, 2], [1, 0, 0], atol=1e-12)


@pytest.mark.parametrize("pose", [[0.0] * 7, [0.0, 0, 0, 2, 0, 0, 0], None])
def test_a_frame_without_a_sound_pose_is_dropped_and_parts_its_sides(
    tmp_path: Path, pose: list[float] | None
) -> None:
    content = sequence()
    content["frames"][8]["pose"] = pose
    found = read(write(tmp_path, content))
    assert found[8] == Dropped(f"once/{SEQUENCE}/{START_MS + 4000}", "no_ego_pose")
    clips = [clip for clip in found if isinstance(clip, Clip)]
    assert len(clips) == 15
    assert [len(clip.future) for clip in clips[6:9]] == [1, 0, 6]
    assert [len(clip.observation.past) for clip in clips[7:10]] == [7, 1, 2]


def test_a_gap_in_time_parts_its_sides(tmp_path: Path) -> None:
    content = sequence()
    for late in content["frames"][8:]:
        late["frame_id"] = str(int(late["frame_id"]) + 1500)
    clips = read_clips(write(tmp_path, content))
    assert [len(clip.future) for clip in clips[6:9]] == [1, 0, 7]
    assert [len(clip.observation.past) for clip in clips[7:9]] == [7, 1]


def test_stamps_count_not_places_in_the_list(tmp_path: Path) -> None:
    """Frames 0.4 and 0.6 s apart, in reverse order."""
    content = sequence()
    for row, each in enumerate(content["frames"]):
        early_ms = 100 * (row % 2)
        each["frame_id"] = str(int(each["frame_id"]) - early_ms)
        each["pose"][5] += early_ms / 100
    content["frames"].reverse()
    clips = read_clips(write(tmp_path, content))
    assert [clip.timestamp_ns for clip in clips] == sorted(clip.timestamp_ns for clip in clips)
    np.testing.assert_allclose(clips[4].future.xy_m[:, 0], 5 * np.arange(1, 11))
    # The last frame is 0.1 s early for the last point.
    np.testing.assert_allclose(clips[10].future.xy_m[:, 0], 5 * np.arange(1, 6))


def test_a_frame_with_a_box_that_is_none_is_dropped(tmp_path: Path) -> None:
    content = sequence()
    content["frames"][5]["annos"]["boxes_3d"][0][3] = -1
    found = read(write(tmp_path, content))
    assert found[5] == Dropped(f"once/{SEQUENCE}/{START_MS + 2500}", "bad_box")
    assert sum(isinstance(clip, Clip) for clip in found) == 15


def test_sequences_that_are_not_held_out_are_for_training(tmp_path: Path) -> None:
    for name in ("000000", "000043", "000050", "000099"):
        write(tmp_path, sequence(), name)
    found = [(log.id, log.split) for log in once.logs(tmp_path, tmp_path)]
    assert found == [
        ("000000", "train"),
        ("000043", "val"),
        ("000050", "test"),
        ("000099", "train"),
    ]


@pytest.mark.parametrize("split", ["val", "test"])
def test_without_the_lists_nothing_is_taken_for_training(tmp_path: Path, split: str) -> None:
    (write(tmp_path, sequence()) / "ImageSets" / f"{split}.txt").unlink()
    with pytest.raises(FileNotFoundError, match=f"ImageSets/{split}.txt is missing; expected"):
        once.logs(tmp_path, tmp_path)


def test_an_empty_folder_is_answered_with_what_to_download(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no sequence is in data; expected ONCE as"):
        once.logs(tmp_path, tmp_path)


def sets(*path: str | int, value: object) -> Callable[[Content], object]:
    def spoil(content: Content) -> object:
        part: Any = content
        for name in path[:-1]:
            part = part[name]
        part[path[-1]] = value
        return content

    return spoil


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda content: content["frames"], "expected an object with frames and calib"),
        (sets("frames", value=None), "expected a list of frames, got None"),
        (sets("frames", 3, value=7), "frame 3: expected a dictionary, got 7"),
        (sets("frames", 3, "frame_id", value=7), "frame 3: frame_id: expected a text, got 7"),
        (sets("frames", 3, "frame_id", value="1e9"), "frame 3: its stamp is nan"),
        (sets("frames", 3, "frame_id", value=str(START_MS)), "frame 3: has the stamp of frame 0"),
        (sets("frames", 3, "pose", value=[0, 1]), "frame 3: pose: expected 7 numbers, got"),
        (sets("frames", 3, "pose", value="x"), "frame 3: pose: expected 7 numbers, got 'x'"),
        (sets("frames", 3, "annos", value=[1]), "frame 3: annos: expected a dictionary"),
        (sets("frames", 3, "annos", "names", value=["Car"]), "names: expected one for each of 2"),
        (sets("frames", 3, "annos", "boxes_3d", value=[[1]]), "boxes_3d: expected n x 7 numbers"),
        (sets("calib", value={}), "calib: expected a camera that looks ahead"),
        (sets("calib", value=[]), "calib: expected an object of cameras"),
        (sets("calib", "cam01", value=3), "calib: cam01: expected a dictionary, got 3"),
        (sets("calib", "cam01", "cam_to_velo", value=[]), "cam_to_velo: expected 4 x 4 numbers"),
        (sets("calib", value={"cam01": camera("left")}), "expected a camera that looks ahead"),
    ],
)
def test_a_fault_of_a_sequence_is_named(
    tmp_path: Path, spoil: Callable[[Content], object], message: str
) -> None:
    with pytest.raises(LogError, match=rf"{SEQUENCE}\.json.*{message}"):
        read(write(tmp_path, spoil(sequence())))


def test_a_file_cut_short_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, sequence()) / "data" / SEQUENCE / f"{SEQUENCE}.json"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(LogError, match=rf"{SEQUENCE}\.json:\d+:\d+: not valid JSON"):
        read(tmp_path)


def test_frames_in_are_clips_and_dropped_out(miniatures: Path) -> None:
    root = miniatures / "once"
    for log in once.logs(root, root):
        found = list(once.clips(log))
        frames = read_json(log.source)["frames"]
        assert len(found) == len(frames)
        zero = [frame["frame_id"] for frame in frames if not any(frame["pose"][:4])]
        lost = [item.id.rpartition("/")[2] for item in found if isinstance(item, Dropped)]
        assert lost == zero
        assert len(zero) == (log.id == "000000")


def test_a_sequence_without_its_file_is_a_log_that_fails(tmp_path: Path) -> None:
    write(tmp_path, sequence())
    for name in ("000007/cam01", "lidar"):
        (tmp_path / "data" / name).mkdir(parents=True)
    lost, whole = once.logs(tmp_path, tmp_path)
    assert (lost.id, whole.id) == ("000007", SEQUENCE)
    with pytest.raises(LogError, match="000007.json: expected a file, but it is none"):
        list(keyframes(once.DATASET, lost))


@pytest.mark.parametrize("text", ["000042\n00004\n", "000042,000043", "00004\xff"])
def test_a_list_that_is_damaged_moves_nothing_into_train(tmp_path: Path, text: str) -> None:
    lists = write(tmp_path, sequence()) / "ImageSets"
    (lists / "val.txt").write_text(text, encoding="latin1")
    with pytest.raises(ValueError, match=r"val\.txt:[12]: '0000.*expected six digits"):
        once.logs(tmp_path, tmp_path)
