"""What the writers share: drives, tokens, axes, and files of pictures and rows."""

import json
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator
from PIL import Image
from scipy.spatial.transform import Rotation

from impromptu.arrays import Floats
from impromptu.geometry import SE3
from impromptu.miniature.render import Studio
from impromptu.miniature.world import World


@dataclass(frozen=True, slots=True, eq=False)
class Drive:
    """One drive to be written, as the ``index``-th log of ``count`` in its dataset.

    Attributes:
        rng: For what the world does not decide: jitter of stamps.
    """

    index: int
    count: int
    studio: Studio
    duration_s: float
    rng: Generator

    @property
    def world(self) -> World:
        """Its world."""
        return self.studio.world

    @property
    def first_split(self) -> bool:
        """Whether it belongs to the dataset's first split (train), as the larger half does."""
        return self.index < self.count - self.count // 2


def token(*parts: object) -> str:
    """Return 32 hexadecimal digits that depend on the parts alone."""
    return blake2b("/".join(map(str, parts)).encode(), digest_size=16).hexdigest()


def quat_wxyz(rotations: Floats) -> Floats:
    """Turn (..., 3, 3) rotations into (..., 4) quaternions, scalar first and not negative."""
    xyzw = Rotation.from_matrix(rotations.reshape(-1, 3, 3)).as_quat(canonical=True)
    wxyz: Floats = np.roll(xyzw, 1, axis=-1).reshape(*rotations.shape[:-2], 4)
    return wxyz


def camera_axes(yaw_deg: float, pitch_deg: float = 0.0, roll_deg: float = 0.0) -> Floats:
    """Return the (3, 3) rotation from camera axes (x right, y down, z ahead) to the ego's.

    Args:
        yaw_deg: Where the camera looks, counter-clockwise from straight ahead.
        pitch_deg: How far it looks down.
        roll_deg: How far it is tilted about its own view.
    """
    level = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
    turn = Rotation.from_euler("ZYX", [yaw_deg, pitch_deg, roll_deg], degrees=True)
    rotation: Floats = turn.as_matrix() @ level
    return rotation


class Pictures:
    """Writes sensors' files; or, where they do not matter, one file under every name.

    Attributes:
        drawn: Whether every file has its own content.
    """

    def __init__(self, drawn: bool) -> None:
        self.drawn = drawn
        self._first: dict[tuple[str, str], Path] = {}

    def save_all(self, paths: Sequence[Path], draw: Callable[[int], Image.Image]) -> None:
        """Save pictures as JPEG or PNG, by their paths' suffix."""
        for i, path in enumerate(paths):
            self._place(path, lambda: _encoded(draw(i), path.suffix))  # noqa: B023 - called at once

    def jpegs(self, count: int, draw: Callable[[int], Image.Image]) -> list[bytes]:
        """Return pictures as JPEG files' bytes, for formats that hold them inside."""
        if self.drawn:
            return [_encoded(draw(i), ".jpg") for i in range(count)]
        return [_encoded(draw(0), ".jpg")] * count if count else []

    def write(self, path: Path, content: bytes) -> None:
        """Write a file that is no picture."""
        self._place(path, lambda: content)

    def _place(self, path: Path, make: Callable[[], bytes]) -> None:
        """Make a file, or link to the first one of its folder's name and kind."""
        kind = path.parent.name, path.suffix
        path.parent.mkdir(parents=True, exist_ok=True)
        if self.drawn or kind not in self._first:
            path.write_bytes(make())
            self._first[kind] = path
            return
        try:
            os.link(self._first[kind], path)
        except OSError:  # too many links to one file, or a file system without them
            shutil.copyfile(self._first[kind], path)
            self._first[kind] = path


def _encoded(image: Image.Image, suffix: str) -> bytes:
    """Return a picture's file."""
    buffer = BytesIO()
    if suffix == ".png":
        image.save(buffer, "PNG", compress_level=4)
    else:
        image.save(buffer, "JPEG", quality=88)
    return buffer.getvalue()


class Rows:
    """Writes a JSON list row by row, one a line, so that no table need fit in memory."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file, self._count = path.open("w", encoding="utf-8"), 0

    def add(self, rows: Iterable[dict[str, Any]]) -> None:
        """Append rows."""
        for row in rows:
            self._file.write("[\n" if not self._count else ",\n")
            self._file.write(json.dumps(row, separators=(", ", ": "), allow_nan=False))
            self._count += 1

    def close(self) -> None:
        """End the list."""
        self._file.write("\n]\n" if self._count else "[]\n")
        self._file.close()


def moved(outer: SE3, rotations: Floats, positions_m: Floats) -> tuple[Floats, Floats]:
    """Express (n, 3, 3) rotations and (n, 3) positions in the outer frame."""
    return outer.rotation @ rotations, outer.transform(positions_m)
