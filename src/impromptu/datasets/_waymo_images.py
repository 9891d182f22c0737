"""Write the images of a Waymo segment out once, as the very bytes they are inside its file."""

import os
import tempfile
from pathlib import Path

from impromptu.datasets import Log, LogError
from impromptu.datasets._waymo_segment import Image

EXTRACTED = "_extracted"
"""Ending of the folder, beside the dataset's, that images are written to."""


def extracted_folder(log: Log) -> Path:
    """Return where a segment's images go."""
    return log.root.with_name(log.root.name + EXTRACTED) / log.split / log.id / "images"


def jpeg(folder: Path, view: str, stamp_ns: int) -> Path:
    """Return where an image goes, under its segment's folder."""
    return folder / f"camera_{view.replace(' ', '_')}" / f"{stamp_ns // 1000}.jpg"


def extract(image: Image, path: Path) -> None:
    """Write an image, unless it is there already at its full size.

    Raises:
        LogError: It cannot be written.
    """
    try:
        if not path.is_file() or image.size not in (None, path.stat().st_size):
            path.parent.mkdir(parents=True, exist_ok=True)
            _place(path, image.content())
    except OSError as error:
        raise LogError(
            f"{path}: the image cannot be written ({error.strerror}); make room, or the folder "
            "writable, or link a read-only download into a data_raw folder of your own"
        ) from error


def _place(path: Path, content: bytes) -> None:
    """Let a file appear under its name only when complete.

    It is not synced: a size that differs after a crash has it written again.
    """
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).chmod(0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
