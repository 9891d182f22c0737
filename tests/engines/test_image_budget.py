from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from impromptu.engines._image_budget import open_image


def _save(path: Path, size_px: tuple[int, int], mode: str = "RGB") -> Path:
    Image.new(mode, size_px).save(path)
    return path


@pytest.mark.parametrize(
    ("size_px", "expected_px"),
    [
        ((1600, 900), (682, 384)),  # sqrt(262144 / 1440000) is 0.42667
        ((512, 512), (512, 512)),  # just within
        ((400, 225), (400, 225)),
        ((16, 16), (32, 32)),  # sqrt(1024 / 256) is 2
        ((200, 10), (200, 28)),  # enough pixels, but thinner than one merged patch
        ((6000, 28), (5040, 28)),  # longer than 200 to 1 becomes 180 to 1
        ((28, 6000), (28, 5040)),
    ],
)
def test_sizes_by_hand(
    tmp_path: Path, size_px: tuple[int, int], expected_px: tuple[int, int]
) -> None:
    image = open_image(_save(tmp_path / "a.png", size_px), 262_144, 1_024)
    assert image.size == expected_px


def test_any_mode_becomes_rgb(tmp_path: Path) -> None:
    for mode in ("L", "P", "RGBA", "1"):
        assert open_image(_save(tmp_path / "a.png", (40, 40), mode), 10_000, 1).mode == "RGB"


@given(
    width=st.integers(8, 400),
    height=st.integers(8, 400),
    mode=st.sampled_from(["RGB", "L", "P", "RGBA"]),
    max_pixels=st.integers(2_000, 100_000),
    min_pixels=st.integers(1, 2_000),
)
@settings(max_examples=40, deadline=None)
def test_pixels_are_those_of_llamafactory(
    tmp_path_factory: pytest.TempPathFactory,
    width: int,
    height: int,
    mode: str,
    max_pixels: int,
    min_pixels: int,
) -> None:
    mm_plugin = pytest.importorskip("llamafactory.data.mm_plugin", reason="needs the train extra")
    rng = np.random.default_rng(width * height)
    noise = Image.fromarray(rng.integers(0, 255, (height, width, 3), dtype=np.uint8))
    path = tmp_path_factory.mktemp("image") / "noise.png"
    noise.convert(mode).save(path)
    plugin = mm_plugin.get_mm_plugin("qwen2_vl", "<|image_pad|>")
    (theirs,) = plugin._regularize_images(
        [str(path)], image_max_pixels=max_pixels, image_min_pixels=min_pixels
    )["images"]
    ours = open_image(path, max_pixels, min_pixels)
    assert ours.size == theirs.size
    assert ours.tobytes() == theirs.tobytes()


@pytest.mark.parametrize("cut", [0, 60, 2_000])
def test_a_file_that_is_no_image_is_named(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "broken.png"
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(OSError, match=r"broken.png: not a readable image"):
        open_image(path, 10_000, 1)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"gone.png: no such image"):
        open_image(tmp_path / "gone.png", 10_000, 1)
