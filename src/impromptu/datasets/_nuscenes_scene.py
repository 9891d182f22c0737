"""A scene out of the index of the nuScenes tables."""

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, compress, repeat
from operator import not_
from pathlib import Path

import numpy as np

from impromptu.arrays import Bools, Floats, Ints
from impromptu.datasets._nuscenes_index import beside

SCENES = "SELECT name FROM scene ORDER BY name"
PLACE = "SELECT location, description FROM scene WHERE name = :scene AND location IS NOT NULL"
KEYFRAMES = "SELECT token, timestamp_us FROM keyframe WHERE scene = :scene ORDER BY timestamp_us"
"""Token and stamp of a scene's keyframes, in the order of time."""
_CAPTURES = """
SELECT channel, intrinsics, pose, texts, numbers, poses FROM capture
JOIN calibration ON calibration.token = capture.calibration JOIN ego ON ego.capture = capture.id
WHERE scene = :scene ORDER BY capture.id"""
_BOXES = "SELECT texts, numbers FROM box WHERE scene = :scene ORDER BY rowid"


@dataclass(frozen=True, slots=True, eq=False)
class Captures:
    """Images or sweeps of a scene, one a row. Poses are qw, qx, qy, qz, x, y, z.

    Attributes:
        channels: Which sensor took it.
        intrinsics: Its pinhole matrix as the table has it, in JSON.
        mounts: (n, 7) its pose in the ego frame.
        samples: Token of its keyframe.
        files: Path below the dataset's folder.
        is_key: (n,) whether it is of the keyframe, not from after it.
        timestamps_us: (n,).
        sizes_px: (n, 2) width and height, 0 where they are not known.
        egos: (n, 7) the ego's pose in the world; what the tables lack is NaN.
    """

    channels: Sequence[str]
    intrinsics: Sequence[str]
    mounts: Floats
    samples: Sequence[str]
    files: Sequence[str]
    is_key: Bools
    timestamps_us: Ints
    sizes_px: Ints
    egos: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Annotations:
    """The boxes of a scene in the world, one a row.

    Attributes:
        tokens, samples, instances: Its own, its keyframe's and its track's.
        categories, attributes: Their names, those of attributes with blanks between.
        visibilities: The token, or nothing.
        points: (n,) of lidar and radar.
        sizes_m: (n, 3) width, length, height.
        poses: (n, 7) qw, qx, qy, qz, x, y, z.
    """

    tokens: Sequence[str]
    samples: Sequence[str]
    instances: Sequence[str]
    categories: Sequence[str]
    attributes: Sequence[str]
    visibilities: Sequence[str]
    points: Floats
    sizes_m: Floats
    poses: Floats


def captures(path: Path, scene: str) -> tuple[Captures, Captures]:
    """Return all LIDAR_TOP sweeps of a scene, and its keyframe images.

    Raises:
        OSError: The index is gone or damaged.
    """
    pieces = query(path, _CAPTURES, scene)
    is_sweep = [piece["channel"] == "LIDAR_TOP" for piece in pieces]
    return (
        _captures([*compress(pieces, is_sweep)]),
        _captures([*compress(pieces, map(not_, is_sweep))]),
    )


def _captures(pieces: Sequence[sqlite3.Row]) -> Captures:
    samples, files = _texts(pieces, 2)
    values = _numbers([piece["numbers"] for piece in pieces], 4)
    counts = [len(piece["numbers"]) // 32 for piece in pieces]
    return Captures(
        channels=_repeated([piece["channel"] for piece in pieces], counts),
        intrinsics=_repeated([piece["intrinsics"] for piece in pieces], counts),
        mounts=np.repeat(_numbers([piece["pose"] for piece in pieces], 7), counts, axis=0),
        samples=samples,
        files=files,
        is_key=values[:, 0] > 0,
        timestamps_us=values[:, 1].astype(np.int64),
        sizes_px=values[:, 2:].astype(np.int64),
        egos=_numbers([piece["poses"] for piece in pieces], 7),
    )


def annotations(path: Path, scene: str) -> Annotations:
    """Return the boxes of a scene; ``path`` is the captures' half.

    Raises:
        OSError: The index is gone or damaged.
    """
    pieces = query(beside(path), _BOXES, scene)
    values = _numbers([piece["numbers"] for piece in pieces], 11)
    tokens, samples, instances, categories, attributes, visibilities = _texts(pieces, 6)
    return Annotations(
        tokens=tokens,
        samples=samples,
        instances=instances,
        categories=categories,
        attributes=attributes,
        visibilities=visibilities,
        points=values[:, 0],
        sizes_m=values[:, 1:4],
        poses=values[:, 4:],
    )


def query(path: Path, what: str, scene: str = "") -> list[sqlite3.Row]:
    """Return all rows of one of this module's queries, about one scene.

    Raises:
        OSError: The index is gone or damaged.
    """
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as db:
            db.row_factory = sqlite3.Row
            return db.execute(what, {"scene": scene}).fetchall()
    except sqlite3.Error as error:
        raise OSError(f"{path}: {error}; delete this index and run again") from error


def _texts(pieces: Sequence[sqlite3.Row], count: int) -> list[list[str]]:
    """Return columns of texts."""
    parts = [json.loads(piece["texts"]) for piece in pieces]
    return [list(chain.from_iterable(part[at] for part in parts)) for at in range(count)]


def _numbers(parts: Sequence[bytes], count: int) -> Floats:
    """Return (n, count) numbers."""
    return np.frombuffer(b"".join(parts)).reshape(-1, count)


def _repeated(texts: Sequence[str], counts: Sequence[int]) -> list[str]:
    return list(chain.from_iterable(map(repeat, texts, counts)))
