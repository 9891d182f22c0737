"""Files in the place of images: what each is called."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from impromptu.image_files import image_fault


def cut(path: Path) -> None:
    Image.new("RGB", (4, 4)).save(path)
    path.write_bytes(path.read_bytes()[:-20])


@pytest.mark.parametrize(
    ("make", "fault"),
    [
        (lambda path: Image.new("RGB", (4, 4)).save(path), ""),
        (cut, "truncated_image"),
        (lambda path: path.write_bytes(b""), "not_an_image"),
        (lambda path: None, "missing_image"),
        (lambda path: path.symlink_to("nowhere"), "missing_image"),
        (lambda path: path.symlink_to(path), "unreadable_image"),
        (Path.mkdir, "unreadable_image"),
        (os.mkfifo, "unreadable_image"),
    ],
)
def test_each_fault_has_its_word(
    tmp_path: Path, make: Callable[[Path], object], fault: str
) -> None:
    make(tmp_path / "a.png")
    assert image_fault(tmp_path / "a.png") == fault
