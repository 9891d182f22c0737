"""Write an image as ``torch.save`` would write its tensor, without torch.

The archive is a zip of stored entries: ``data.pkl``, a program that makes a contiguous uint8
tensor of H x W x 3, and ``data/0``, its bytes.
"""

import io
import struct
import zipfile

import numpy as np
from numpy.typing import NDArray

_DATE = (1980, 1, 1, 0, 0, 0)


def rgb_archive(image: NDArray[np.uint8]) -> bytes:
    """Return the archive of an (H, W, 3) image."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in (
            ("data.pkl", _program(*image.shape)),
            ("byteorder", b"little"),
            ("data/0", image.tobytes()),
            ("version", b"3\n"),
        ):
            archive.writestr(zipfile.ZipInfo(f"archive/{name}", _DATE), content)
    return buffer.getvalue()


def _program(height: int, width: int, channels: int) -> bytes:
    """Return the pickle, protocol 2, of a contiguous uint8 tensor in storage 0."""
    storage = (b"((" + _text("storage") + b"ctorch\nByteStorage\n" + _text("0") + _text("cpu")) + (
        _integer(height * width * channels) + b"tQ"
    )
    shape = b"".join(map(_integer, (height, width, channels))) + b"\x87"
    steps = b"".join(map(_integer, (width * channels, channels, 1))) + b"\x87"
    hooks = b"ccollections\nOrderedDict\n)R"
    rebuild = b"ctorch._utils\n_rebuild_tensor_v2\n"
    return b"\x80\x02" + rebuild + storage + _integer(0) + shape + steps + b"\x89" + hooks + b"tR."


def _text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def _integer(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)
