"""Reads the sizes of images from their first bytes, and notices what cannot be an image."""

import os
import stat
import warnings
from io import BytesIO
from pathlib import Path

from impromptu.image_files import image_fault, open_at_once

_REMEMBERED = 100_000
_HEADS = (1 << 16, 1 << 22)
"""Bytes that are looked at for a header: the second where the first do not do.

A JPEG is read no further: its header is searched byte by byte, for minutes in a large file that is
none. Other formats have theirs where it is found at once.
"""

Size = tuple[int, int]


class ImageSizes:
    """Sizes of image files, each file opened once as long as so many fit the memory.

    Args:
        media_dir: Where paths start; LLaMA-Factory takes a path that leads nowhere from there as
            it is, so from the working folder.
    """

    def __init__(self, media_dir: str) -> None:
        self.media_dir = media_dir
        self._known: dict[int, Size | str] = {}

    def of(self, image: str) -> Size | str:
        """Return (width, height) in pixels, or what is wrong in a word."""
        key = hash(image)
        if key not in self._known:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[key] = self._look(image)
        return self._known[key]

    def _look(self, image: str) -> Size | str:
        for path in (os.path.join(self.media_dir, image), image):
            try:
                mode = os.stat(path).st_mode
            except (OSError, ValueError):  # no file system has such a name
                continue
            if stat.S_ISREG(mode):
                return image_size(path)
            if path == image or os.path.isabs(image):
                return "not_a_file"
        return "missing_image"


def image_size(path: str) -> Size | str:
    """Return (width, height) of an image file, px, or what is wrong with it in a word.

    Nothing is decoded, but files that lack the end of a JPEG or PNG: programs that write something
    behind it exist.
    """
    fault = image_fault(Path(path))
    if fault in ("missing_image", "unreadable_image"):
        return fault
    size = _header(path)
    if not isinstance(size, str) and fault == "truncated_image" and not _decodes(path):
        return fault
    return size


def _header(path: str) -> Size | str:
    size: Size | str = "not_an_image"
    for length in _HEADS:
        try:
            with open(path, "rb", opener=open_at_once) as file:
                head = file.read(length)
        except OSError:
            return "unreadable_image"
        size = _size(BytesIO(head))
        if size != "not_an_image" or len(head) < length:
            return size
    return size if head.startswith(b"\xff\xd8") else _size(path)


def _size(source: str | BytesIO) -> Size | str:
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(source) as image:
                width, height = image.size
    except Image.DecompressionBombError:
        return "too_many_pixels"
    except Exception:  # a damaged header ends in any error of the reader of its format
        return "not_an_image"
    return (width, height) if min(width, height) > 0 else "not_an_image"


def _decodes(path: str) -> bool:
    from PIL import Image

    try:
        with Image.open(path) as image:
            image.load()
    except Exception:  # likewise
        return False
    return True
