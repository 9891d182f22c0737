import os
import time
from pathlib import Path

import pytest
from PIL import Image

from impromptu.preflight.image_sizes import ImageSizes, image_size


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Image.new("RGB", (160, 90), 50).save(tmp_path / "a.jpg")
    Image.new("RGB", (31, 17), 50).save(tmp_path / "a.png")
    Image.new("RGB", (31, 17), 50).save(tmp_path / "a.bmp")
    return tmp_path


def spoil(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    return str(path)


def test_sizes_of_headers(folder: Path) -> None:
    sizes = ImageSizes(str(folder))
    assert [sizes.of(f"a.{end}") for end in ("jpg", "png", "bmp")] == [
        (160, 90),
        (31, 17),
        (31, 17),
    ]
    assert sizes.of(str(folder / "a.jpg")) == (160, 90)


def test_a_path_that_leads_nowhere_is_taken_from_here(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    assert ImageSizes(str(folder / "elsewhere")).of("a.jpg") == (160, 90)
    assert ImageSizes(str(folder / "elsewhere")).of("b.jpg") == "missing_image"


def test_what_is_no_file_is_never_opened(folder: Path) -> None:
    (folder / "folder.jpg").mkdir()
    os.mkfifo(folder / "pipe.jpg")
    (folder / "loop.jpg").symlink_to(folder / "loop.jpg")
    (folder / "dead.jpg").symlink_to(folder / "gone")
    sizes = ImageSizes(str(folder))
    for name in ("loop.jpg", "dead.jpg", "nul\0.jpg", "n" * 300, "", "http://a/b.jpg"):
        assert sizes.of(name) in ("missing_image", "not_a_file"), name
    for name in ("folder.jpg", "pipe.jpg", "."):
        assert sizes.of(str(folder / name)) == "not_a_file"
        assert sizes.of(name) in ("missing_image", "not_a_file")


def test_cut_short_is_told_from_a_longer_end(folder: Path) -> None:
    whole = (folder / "a.jpg").read_bytes()
    assert image_size(spoil(folder / "b.jpg", whole[:-40])) == "truncated_image"
    assert image_size(spoil(folder / "c.jpg", whole + b"made by a camera" * 9)) == (160, 90)
    png = (folder / "a.png").read_bytes()
    assert image_size(spoil(folder / "b.png", png[:-30])) == "truncated_image"


def test_what_is_no_image(folder: Path) -> None:
    assert image_size(spoil(folder / "b.jpg", b"")) == "not_an_image"
    assert image_size(spoil(folder / "c.jpg", b"hello" * 100)) == "not_an_image"
    assert image_size(spoil(folder / "d.jpg", b"\xff\xd8\xff" + bytes(300))) == "not_an_image"


def test_100_mb_are_no_image_quickly(folder: Path) -> None:
    path = folder / "b.jpg"
    with path.open("wb") as file:
        file.write(b"\xff\xd8\xff\xe0\x00\x10" + bytes(14))
        file.truncate(100 << 20)
    began_s = time.process_time()
    assert image_size(str(path)) == "not_an_image"
    assert time.process_time() - began_s < 6


def test_a_bomb_is_refused_as_pillow_does(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The header of a PNG says 65,000 x 65,000."""
    # Pillow's own limit, which libraries that other tests import take away.
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1 << 27)
    png = bytearray((folder / "a.png").read_bytes())
    png[16:24] = (65_000).to_bytes(4, "big") * 2
    crc = __import__("zlib").crc32(bytes(png[12:29]))
    png[29:33] = crc.to_bytes(4, "big")
    assert image_size(spoil(folder / "b.png", bytes(png))) == "too_many_pixels"


def test_each_file_is_opened_once(folder: Path) -> None:
    sizes = ImageSizes(str(folder))
    assert sizes.of("a.jpg") == (160, 90)
    (folder / "a.jpg").unlink()
    assert sizes.of("a.jpg") == (160, 90)
