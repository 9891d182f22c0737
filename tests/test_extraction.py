"""Images inside other files, written out: once, whole, whoever else does so, or told why not."""

import os
import resource
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from impromptu.clip import Camera, PackedImage
from impromptu.extraction import ShownImages

JPEG = b"\xff\xd8\xff one picture \xff\xd9"


def camera(path: Path, content: bytes = JPEG, size: int | None = len(JPEG)) -> Camera:
    return Camera("FRONT", path, packed=PackedImage(size, lambda: content))


def never() -> bytes:
    raise AssertionError("read, though it is there")


def test_an_image_is_written_as_it_is_and_once(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "1.jpg"
    assert ShownImages(keep=False).fault(camera(path)) == ""
    assert path.read_bytes() == JPEG
    for size in len(JPEG), None:
        there = Camera("FRONT", path, packed=PackedImage(size, never))
        assert ShownImages(keep=False).fault(there) == ""
    assert os.listdir(path.parent) == ["1.jpg"]
    assert path.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("size", [len(JPEG), None])
@pytest.mark.parametrize("torn", [b"", JPEG[:9]])
def test_a_file_that_is_not_whole_is_written_again(
    tmp_path: Path, size: int | None, torn: bytes
) -> None:
    path = tmp_path / "1.jpg"
    path.write_bytes(torn)
    assert ShownImages(keep=False).fault(camera(path, size=size)) == ""
    assert path.read_bytes() == JPEG


def test_what_is_no_image_inside_is_none_outside(tmp_path: Path) -> None:
    shown = ShownImages(keep=False)
    assert shown.fault(camera(tmp_path / "1.jpg", b"text", 4)) == "not_an_image"
    assert shown.fault(camera(tmp_path / "2.jpg", JPEG[:-2], 14)) == "truncated_image"
    assert shown.fault(Camera("FRONT", tmp_path / "3.jpg")) == "missing_image"


def test_many_at_once_leave_one_whole_file(tmp_path: Path) -> None:
    content = b"\xff\xd8\xff" + os.urandom(300_000) + b"\xff\xd9"
    one = camera(tmp_path / "x" / "1.jpg", content, len(content))
    with ThreadPoolExecutor(8) as pool:
        faults = list(pool.map(lambda _: ShownImages(keep=False).fault(one), range(40)))
    assert set(faults) == {""}
    assert one.image.read_bytes() == content
    assert os.listdir(tmp_path / "x") == ["1.jpg"]


def a_file_in_the_way(folder: Path) -> Path:
    (folder / "x").write_text("in the way")
    return folder / "x" / "1.jpg"


def a_folder_of_its_name(folder: Path) -> Path:
    (folder / "1.jpg").mkdir()
    return folder / "1.jpg"


@pytest.mark.parametrize("obstacle", [a_file_in_the_way, a_folder_of_its_name])
def test_what_cannot_be_written_is_told_or_kept(
    tmp_path: Path, obstacle: Callable[[Path], Path]
) -> None:
    path = obstacle(tmp_path)
    message = f"{path}: an image inside a record cannot be written out .*--extract_dir DIR"
    with pytest.raises(OSError, match=message) as raised:
        ShownImages(keep=False).fault(camera(path))
    shown = ShownImages(keep=True)
    assert shown.fault(camera(path)) == "unwritten_image"
    assert shown.unwritten == str(raised.value)
    assert len(os.listdir(tmp_path)) == 1, "no temporary file stays"


def test_where_room_ends_within_an_image_nothing_stays(tmp_path: Path) -> None:
    content = JPEG[:3] + bytes(200_000) + JPEG[-2:]
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(OSError, match="1.jpg: an image inside a record .* make room, or"):
            ShownImages(keep=False).fault(camera(tmp_path / "1.jpg", content, len(content)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert os.listdir(tmp_path) == []


def test_each_is_looked_at_once(tmp_path: Path) -> None:
    shown = ShownImages(keep=False)
    assert shown.fault(Camera("FRONT", tmp_path / "1.jpg")) == "missing_image"
    (tmp_path / "1.jpg").write_bytes(JPEG)
    assert shown.fault(Camera("FRONT", tmp_path / "1.jpg")) == "missing_image"
