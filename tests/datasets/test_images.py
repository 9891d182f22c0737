"""Sizes of images: the first that is one tells, whatever the others are."""

import os
import struct
import zlib
from pathlib import Path

from PIL import Image

from impromptu.datasets._images import first_size_px


def header(width: int, height: int) -> bytes:
    """Return the head of a PNG of some size."""
    content = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    head = struct.pack(">I", 13) + content + struct.pack(">I", zlib.crc32(content))
    return b"\x89PNG\r\n\x1a\n" + head


def test_a_header_beyond_any_camera_is_passed_over(tmp_path: Path) -> None:
    """Pillow warns above 89 million pixels, and refuses above twice as many."""
    paths = [tmp_path / name for name in "abcdefg"]
    paths[1].mkdir()
    paths[2].write_text("no picture")
    os.mkfifo(paths[3])
    paths[4].write_bytes(header(12_000, 12_000))
    paths[5].write_bytes(header(2**31 - 1, 2**31 - 1))
    assert first_size_px(paths[:-1]) is None
    Image.new("RGB", (8, 6)).save(paths[6], "PNG")
    assert first_size_px(paths) == (8, 6)
