"""The images of one camera along a log: their places, sizes, and names if inside other files."""

import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from impromptu.arrays import Floats, assembled, floats
from impromptu.clip import Camera, PackedImage
from impromptu.datasets import Log
from impromptu.poses import Poses

NO_LENS = np.full((3, 3), np.nan)
"""The pinhole matrix of a camera that has no calibration."""


def images_of(
    view: str,
    images: Sequence[Path],
    size_px: tuple[int, int] | None,
    intrinsics_px: Floats,
    now_SE3_camera: Poses,
    packed: Sequence[PackedImage | None] = (),
) -> list[Camera]:
    """Return n images of one camera, each calibrated where matrix and pose are known.

    Args:
        view: As in ``Camera``; likewise ``size_px``.
        images: (n,)
        size_px: Of all.
        intrinsics_px: (3, 3) of all or (n, 3, 3) of each; NaN where not known.
        now_SE3_camera: (n,) the camera in the ego frame of the present.
        packed: (n,) as in ``Camera``; or none at all.
    """
    matrices = np.broadcast_to(intrinsics_px, (len(images), 3, 3))
    known = now_SE3_camera.valid & np.isfinite(matrices).all(axis=(-1, -2))
    matrices = np.where(known[:, None, None], matrices, 0.0)
    rows = zip(
        images,
        floats(matrices, None, 3, 3, name="Camera.intrinsics_px"),
        now_SE3_camera.se3s(),
        known.tolist(),
        packed or [None] * len(images),
        strict=True,
    )
    return [
        assembled(Camera, view, image, size_px, *((matrix, pose) if ok else (None, None)), one)
        for image, matrix, pose, ok, one in rows
    ]


def extracted(log: Log, view: str) -> Path:
    """Return the folder that one camera's images go to which are inside a log's files."""
    folder = (log.extract_dir or log.root.parent) / f"{log.root.name}_extracted"
    return folder / log.split / log.id / "images" / f"camera_{view.replace(' ', '_')}"


def extracted_name(stamp_ns: int, ending: str = ".jpg") -> str:
    """Return the name of one of them there."""
    return f"{stamp_ns // 1000}{ending}"


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
