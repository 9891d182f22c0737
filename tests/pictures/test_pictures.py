"""Pictures as files: what is on them, what is not, and that they never differ for nothing."""

import io
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from impromptu import pictures
from impromptu.arrays import Floats
from impromptu.clip import Camera, Clip, Trajectory
from impromptu.pictures import Paths

GREY = 120


def _pixels(content: bytes, size_px: tuple[int, int]) -> Floats:
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGB").resize(size_px), dtype=np.float64)


def test_the_true_path_is_painted_green_where_it_goes(camera: Camera, clip: Clip) -> None:
    straight = Trajectory(clip.future.t_s, np.array([[4.0, 0], [8, 0], [12, 0]]))
    content = pictures.front_jpeg(camera, Paths(clip.observation.past, straight, {}))
    picture = _pixels(content, (400, 200))
    # 5 m ahead of the camera the ground is 100 * 1.5 / 5 = 30 pixels below the middle, and the
    # car's 1.85 m are 100 * 1.85 / 5 = 37 pixels wide, half of them on either side of x = 200.
    red, green, _ = picture[130, 190]
    assert green > red + 30
    assert np.abs(picture[130, [170, 230]] - GREY).max() < 10
    assert np.abs(picture[90] - GREY).max() < 10  # nothing above the horizon


def test_a_path_behind_the_camera_is_not_drawn(camera: Camera, paths: Paths) -> None:
    behind = Trajectory(np.array([0.5, 1.0]), np.array([[-2.0, 0], [-9, 3]]))
    drawn = pictures.front_jpeg(camera, replace(paths, predicted={"a": behind}))
    assert drawn == pictures.front_jpeg(camera, replace(paths, predicted={"a": None}))
    ahead = Trajectory(np.array([0.5, 1.0]), np.array([[4.0, 0], [9, 3]]))
    assert drawn != pictures.front_jpeg(camera, replace(paths, predicted={"a": ahead}))


def test_a_reversing_truth_paints_nothing(camera: Camera, paths: Paths) -> None:
    behind = Trajectory(np.array([0.5, 1.0]), np.array([[-2.0, 0], [-4, 0]]))
    content = pictures.front_jpeg(camera, replace(paths, truth=behind, predicted={}))
    assert np.abs(_pixels(content, (400, 200)) - GREY).max() < 6


def test_the_front_picture_keeps_the_image_shape(camera: Camera, paths: Paths) -> None:
    with Image.open(io.BytesIO(pictures.front_jpeg(camera, paths))) as image:
        assert image.size == (960, 480)


def test_same_bytes_again_and_whatever_the_user_likes(
    camera: Camera, clip: Clip, paths: Paths
) -> None:
    def all_three() -> list[bytes]:
        return [
            pictures.front_jpeg(camera, paths),
            pictures.above_png(clip.observation.agents, paths),
            pictures.wide_png(camera, clip.observation.agents, paths),
        ]

    first = all_three()
    with mpl.rc_context({"font.size": 20, "axes.grid": True, "savefig.facecolor": "black"}):
        assert all_three() == first
    assert not any(word in content for content in first for word in (b"Matplotlib", b"tEXt"))


@pytest.mark.parametrize("size_px", [(1600, 900), (310, 94), (194, 256)])
def test_the_wide_picture_has_room_for_any_image(
    camera: Camera, clip: Clip, paths: Paths, tmp_path: Path, size_px: tuple[int, int]
) -> None:
    Image.new("RGB", size_px, (GREY, GREY, GREY)).save(tmp_path / "other.png")
    content = pictures.wide_png(
        replace(camera, image=tmp_path / "other.png"), clip.observation.agents, paths
    )
    with Image.open(io.BytesIO(content)) as image:
        assert image.height == 334
        # The image as high as the picture or 7 inches wide, and 4.5 inches beside it.
        front_in = min(3.8 * size_px[0] / size_px[1], 7.0)
        assert abs(image.width - 88 * (front_in + 4.5)) < 2


def test_only_a_calibrated_front_camera_with_its_image_can_be_drawn_on(
    camera: Camera, clip: Clip, tmp_path: Path
) -> None:
    def seen(*cameras: Camera) -> Camera | None:
        observation = replace(clip.observation, cameras=cameras)
        return pictures.front_camera(replace(clip, observation=observation))

    assert seen(replace(camera, view="BACK"), camera) is camera
    assert seen(replace(camera, view="FRONT LEFT")) is None
    assert seen(replace(camera, image=tmp_path / "absent.png")) is None
    assert seen(replace(camera, intrinsics_px=None)) is None
    assert seen(replace(camera, ego_SE3_camera=None)) is None
