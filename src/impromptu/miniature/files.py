"""What the three writers share: places of files, quaternions, tokens, pictures."""

import json
import os
import shutil
from collections.abc import Callable, Iterable
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy.spatial.transform import Rotation

from impromptu.arrays import Floats
from impromptu.geometry import SE3


def token(*parts: object) -> str:
    """Return 32 hexadecimal digits that depend on the parts alone."""
    return blake2b("/".join(map(str, parts)).encode(), digest_size=16).hexdigest()


def quat_wxyz(rotations: Floats) -> Floats:
    """Turn (..., 3, 3) rotations into (..., 4) quaternions, scalar first and not negative."""
    xyzw = Rotation.from_matrix(rotations).as_quat(canonical=True)
    wxyz: Floats = np.roll(xyzw, 1, axis=-1)
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
    """Saves pictures; or, where they do not matter, one picture under every name."""

    def __init__(self, drawn: bool) -> None:
        self._drawn, self._first = drawn, {}  # type: bool, dict[str, Path]

    def save(self, path: Path, draw: Callable[[], Image.Image]) -> None:
        """Save what ``draw`` returns, as JPEG or PNG by the path's suffix."""
        self.write(path, lambda: _save(draw(), path))

    def write(self, path: Path, make: Callable[[], object]) -> None:
        """Make a file, or link to one of its kind and folder that was made before."""
        kind = path.suffix + path.parent.name
        path.parent.mkdir(parents=True, exist_ok=True)
        if self._drawn or kind not in self._first:
            make()
            self._first[kind] = path
            return
        try:
            os.link(self._first[kind], path)
        except OSError:  # too many links to one file, or a file system without them
            shutil.copyfile(self._first[kind], path)
            self._first[kind] = path


def _save(image: Image.Image, path: Path) -> None:
    """Write one picture."""
    if path.suffix == ".png":
        image.save(path, compress_level=6)
    else:
        image.save(path, quality=88, subsampling=0)


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
