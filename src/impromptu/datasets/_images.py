"""Sizes of a camera's images."""

import warnings
from collections.abc import Iterable
from pathlib import Path

from PIL import Image


def first_size_px(images: Iterable[Path]) -> tuple[int, int] | None:
    """Return the size of the first image that is there; a camera's are all of one size."""
    for path in images:
        if path.is_file():
            try:
                # Pillow warns of images too large for a camera: of those whose header is damaged.
                with warnings.catch_warnings(action="error"), Image.open(path) as image:
                    return image.width, image.height
            except (OSError, Image.DecompressionBombError, Image.DecompressionBombWarning):
                continue
    return None
