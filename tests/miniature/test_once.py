from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from impromptu import miniature
from impromptu.files import read_json
from impromptu.miniature import once


@pytest.fixture(scope="module")
def root(small: Path) -> Path:
    return small / "once"


def content(root: Path, number: int) -> dict[str, Any]:
    name = f"{number:06d}"
    found: dict[str, Any] = read_json(root / "data" / name / f"{name}.json")
    return found


def test_the_lists_name_each_sequence_once(tmp_path: Path) -> None:
    miniature.write(tmp_path, datasets=["once"], logs=5, duration_s=1.0, images=False)
    lists = {
        name: (tmp_path / "once" / "ImageSets" / f"{name}.txt").read_text().split()
        for name in once.LISTS
    }
    assert lists == {
        "train": ["000000", "000002"],
        "raw_small": ["000001"],
        "val": ["000003"],
        "test": ["000004"],
    }
    for number, labelled in enumerate((True, False, True, True, False)):
        frames = content(tmp_path / "once", number)["frames"]
        assert any("annos" in frame for frame in frames) == labelled


def test_poses_are_of_the_lidar_since_the_first_frame(root: Path) -> None:
    """The world's ego goes forward; its lidar's y axis points back."""
    drives = list(miniature.drives("once", 0, 2, 6.0))
    for number, drive in enumerate(drives):
        frames = content(root, number)["frames"]
        t_s = np.array([int(frame["frame_id"]) % 10**6 for frame in frames]) / 1000
        lidars = [ego @ once.EGO_SE3_LIDAR for ego in drive.world.world_SE3_egos(t_s)]
        for frame, lidar in zip(frames, lidars, strict=True):
            if any(frame["pose"]):
                here = lidars[0].inverse() @ lidar
                turned = Rotation.from_quat(frame["pose"][:4]).as_matrix()
                np.testing.assert_allclose(turned, here.rotation, atol=1e-9)
                np.testing.assert_allclose(frame["pose"][4:], here.translation_m, atol=1e-9)
        assert frames[-1]["pose"][5] < -3


def test_one_drive_lost_a_pose_and_the_other_frames(root: Path) -> None:
    frames = [content(root, number)["frames"] for number in (0, 1)]
    assert [sum(not any(frame["pose"]) for frame in each) for each in frames] == [1, 0]
    steps = [np.diff([int(frame["frame_id"]) for frame in each]) for each in frames]
    assert (np.abs(steps[0] - 500) <= 1).all()
    assert sorted(steps[1])[-1] == pytest.approx(2000, abs=4)
    assert (np.sort(steps[1])[:-1] <= 501).all()


def test_each_frame_has_an_image_of_each_camera_but_one(root: Path) -> None:
    for number in (0, 1):
        names = [frame["frame_id"] for frame in content(root, number)["frames"]]
        folder = root / "data" / f"{number:06d}"
        for camera in content(root, number)["calib"]:
            images = {path.stem for path in (folder / camera).glob("*.jpg")}
            assert set(names) - images == ({names[1]} if camera == "cam03" else set())


def test_labels_lie_on_bodies_that_the_picture_shows(root: Path) -> None:
    """The nearest car ahead, put through the calibration, falls on the car's own colour."""
    [drive] = [drive for drive in miniature.drives("once", 0, 2, 6.0) if drive.index == 0]
    found = content(root, 0)
    frame = found["frames"][4]
    boxes = np.array(frame["annos"]["boxes_3d"])
    t_s = np.array([int(frame["frame_id"]) % 10**6 / 1000])
    world_SE3_lidar = drive.world.world_SE3_egos(t_s)[0] @ once.EGO_SE3_LIDAR
    centers_m = world_SE3_lidar.transform(boxes[:, :3])
    theirs = drive.world.boxes(t_s)
    gaps_m = np.linalg.norm(centers_m[:, None] - theirs.centre_m[0], axis=-1)
    assert gaps_m.min(axis=1).max() < 1e-5
    body = gaps_m.argmin(axis=1)
    np.testing.assert_allclose(boxes[:, 3:6], theirs.size_m[body], atol=1e-6)
    calibration = found["calib"]["cam03"]
    velo_to_cam = np.linalg.inv(calibration["cam_to_velo"])
    seen = np.column_stack([boxes[:, :3], np.ones(len(boxes))]) @ velo_to_cam.T
    pixels = seen[:, :3] @ np.array(calibration["cam_intrinsic"]).T
    pixels = pixels[:, :2] / pixels[:, 2:]
    with Image.open(root / "data" / "000000" / "cam03" / f"{frame['frame_id']}.jpg") as image:
        picture, (width, height) = np.asarray(image.convert("RGB"), dtype=float), image.size
    inside = (seen[:, 2] > 4) & (seen[:, 2] < 25) & (pixels > 0).all(axis=1)
    inside &= (pixels < (width, height)).all(axis=1)
    assert inside.any()
    nearest = int(np.flatnonzero(inside)[seen[inside, 2].argmin()])
    x, y = np.floor(pixels[nearest]).astype(int)
    shown = picture[y, x] / np.linalg.norm(picture[y, x])
    paint = np.array(drive.world.bodies[int(body[nearest])].colour, dtype=float)
    assert shown @ paint / np.linalg.norm(paint) > 0.95
