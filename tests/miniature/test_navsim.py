import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from impromptu import miniature
from impromptu.geometry import rotations, yaws_rad
from impromptu.miniature import navsim

Frame = dict[str, Any]


@pytest.fixture(scope="module")
def root(small: Path) -> Path:
    return small / "navsim"


def frames_of(root: Path, split: str) -> list[Frame]:
    [path] = (root / "navsim_logs" / split).iterdir()
    found: list[Frame] = pickle.loads(path.read_bytes())  # noqa: S301 - our own
    return found


@pytest.fixture(params=("trainval", "test"))
def frames(request: pytest.FixtureRequest, root: Path) -> list[Frame]:
    return frames_of(root, request.param)


def test_matrices_and_quaternions_agree(frames: list[Frame]) -> None:
    for frame in frames:
        ego2global = frame["ego2global"]
        if frame["ego2global_rotation"].any():
            turn = rotations(frame["ego2global_rotation"])
            np.testing.assert_allclose(ego2global[:3, :3], turn)
        np.testing.assert_array_equal(ego2global[:3, 3], frame["ego2global_translation"])
        np.testing.assert_allclose(frame["lidar2global"], ego2global @ frame["lidar2ego"])


def test_the_first_drive_lost_a_pose(root: Path) -> None:
    """13 frames in 6 s; four fifths into them is the eleventh."""
    lost = {
        split: [not frame["ego2global_rotation"].any() for frame in frames_of(root, split)]
        for split in ("trainval", "test")
    }
    assert lost["trainval"] == [row == 10 for row in range(13)]
    assert not any(lost["test"])


def test_logged_motion_is_the_slope_of_the_way(frames: list[Frame]) -> None:
    """Over half a second, in the axes of its middle: 0.1 m/s and 0.5 m/s2 at most apart."""
    before, after = frames[0], frames[1]
    step_s = (after["timestamp"] - before["timestamp"]) / 1e6
    moved_m = after["ego2global_translation"] - before["ego2global_translation"]
    velocity = (before["ego2global"][:3, :3].T @ moved_m)[:2] / step_s
    states = np.array([before["ego_dynamic_state"], after["ego_dynamic_state"]])
    np.testing.assert_allclose(velocity, states[:, :2].mean(axis=0), atol=0.2)
    assert states[0, 0] > 1
    change = np.diff(states[:, 0])[0] / step_s
    assert change == pytest.approx(states[:, 2].mean(), abs=0.5)


def test_the_second_drive_lost_two_frames(root: Path) -> None:
    steps = {
        split: np.diff([frame["timestamp"] for frame in frames_of(root, split)]) / 1e6
        for split in ("trainval", "test")
    }
    assert np.abs(steps["trainval"] - 0.5).max() < 0.001
    assert np.sort(steps["test"])[-1] == pytest.approx(1.5, abs=0.001)
    assert len(steps["trainval"]) - len(steps["test"]) == 2


def test_commands_tell_of_the_turn_to_come(tmp_path: Path) -> None:
    miniature.write(tmp_path, datasets=["navsim"], logs=4, duration_s=20.0, images=False)
    told: list[set[int]] = []
    for path in sorted((tmp_path / "navsim" / "navsim_logs").rglob("*.pkl")):
        frames = pickle.loads(path.read_bytes())  # noqa: S301 - our own
        yaw = np.unwrap([yaws_rad(frame["ego2global"][:3, :3]) for frame in frames])
        places = [int(np.argmax(frame["driving_command"])) for frame in frames]
        assert all(frame["driving_command"].sum() == 1 for frame in frames)
        for row, place in enumerate(places[:-9]):
            if frames[row + 8]["timestamp"] - frames[row]["timestamp"] < 4_100_000:
                turned = yaw[row + 8] - yaw[row]
                if abs(abs(turned) - 0.35) > 0.02:
                    assert place == (0 if turned > 0.35 else 2 if turned < -0.35 else 1)
        assert places[-1] == 3
        told.append(set(places))
    assert {0, 1, 2, 3} == set.union(*told)


@pytest.mark.parametrize("split", ["trainval", "test"])
def test_all_named_images_are_there_but_one(root: Path, split: str) -> None:
    frames, blobs = frames_of(root, split), root / "sensor_blobs" / split
    images = [blobs / camera["data_path"] for frame in frames for camera in frame["cams"].values()]
    assert len(set(images)) == 8 * len(frames)
    assert [image for image in images if not image.is_file()] == [
        blobs / frames[1]["cams"]["CAM_L1"]["data_path"]
    ]


def test_tracks_stay_and_labels_lie_on_bodies(root: Path) -> None:
    """Parked cars stay where they are in the global frame; a label falls on its body's colour."""
    frames = frames_of(root, "trainval")
    [drive] = [drive for drive in miniature.drives("navsim", 0, 2, 6.0) if drive.index == 0]
    world_SE3_global = navsim.GLOBAL_SE3_WORLD.inverse()
    columns: dict[str, int] = {}
    for frame in frames:
        t_s = np.array([frame["timestamp"] % 10**9 / 1e6])
        theirs = drive.world.boxes(t_s)
        boxes = frame["anns"]["gt_boxes"]
        placed = np.column_stack([boxes[:, :3], np.ones(len(boxes))]) @ frame["lidar2global"].T
        centers_m = world_SE3_global.transform(placed[:, :3])
        gaps_m = np.linalg.norm(centers_m[:, None] - theirs.centre_m[0], axis=-1)
        assert gaps_m.min(axis=1).max() < 1e-5
        body = gaps_m.argmin(axis=1)
        np.testing.assert_allclose(boxes[:, 3:6], theirs.size_m[body])
        speed = np.linalg.norm(frame["anns"]["gt_velocity_3d"], axis=1)
        np.testing.assert_allclose(speed, theirs.speed_mps[0, body], atol=1e-9)
        for track, column in zip(frame["anns"]["track_tokens"], body.tolist(), strict=True):
            assert columns.setdefault(track, column) == column
    assert len(set(columns.values())) == len(columns) > 5


def test_the_front_camera_shows_the_nearest_body_where_its_label_is(root: Path) -> None:
    [drive] = [drive for drive in miniature.drives("navsim", 0, 2, 6.0) if drive.index == 0]
    frame = frames_of(root, "trainval")[4]
    camera, boxes = frame["cams"]["CAM_F0"], frame["anns"]["gt_boxes"]
    seen = (boxes[:, :3] - camera["sensor2lidar_translation"]) @ camera["sensor2lidar_rotation"]
    pixels = seen @ camera["cam_intrinsic"].T
    pixels = pixels[:, :2] / pixels[:, 2:]
    with Image.open(root / "sensor_blobs" / "trainval" / camera["data_path"]) as image:
        picture, (width, height) = np.asarray(image.convert("RGB"), dtype=float), image.size
    inside = (seen[:, 2] > 4) & (seen[:, 2] < 30) & (pixels > 0).all(axis=1)
    inside &= (pixels < (width, height)).all(axis=1)
    assert inside.any()
    nearest = int(np.flatnonzero(inside)[seen[inside, 2].argmin()])
    x, y = np.floor(pixels[nearest]).astype(int)
    theirs = drive.world.boxes(np.array([frame["timestamp"] % 10**9 / 1e6]))
    there = frame["lidar2global"] @ [*boxes[nearest, :3], 1]
    center_m = navsim.GLOBAL_SE3_WORLD.inverse().transform(there[:3])
    body = int(np.linalg.norm(theirs.centre_m[0] - center_m, axis=-1).argmin())
    shown, paint = picture[y, x], np.array(drive.world.bodies[body].colour, dtype=float)
    assert shown @ paint / np.linalg.norm(shown) / np.linalg.norm(paint) > 0.95
