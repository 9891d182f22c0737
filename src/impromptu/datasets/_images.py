"""Sizes of a camera's images, and the names of those that are inside other files."""

import warnings
from collections.abc import Iterable
from pathlib import Path

from PIL import Image

from impromptu.datasets import Log


def extracted(log: Log, view: str, stamp_ns: int, ending: str = ".jpg") -> Path:
    """Return where an image goes that is inside a log's files."""
    folder = (log.extract_dir or log.root.parent) / f"{log.root.name}_extracted"
    camera = f"camera_{view.replace(' ', '_')}"
    return folder / log.split / log.id / "images" / camera / f"{stamp_ns // 1000}{ending}"


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
