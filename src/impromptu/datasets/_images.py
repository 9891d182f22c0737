"""Sizes of a camera's images."""

from collections.abc import Iterable
from pathlib import Path

from PIL import Image


def first_size_px(images: Iterable[Path]) -> tuple[int, int] | None:
    """Return the size of the first image that is there; a camera's are all of one size."""
    for path in images:
        try:
            with Image.open(path) as image:
                return image.width, image.height
        except OSError:
            continue
    return None
