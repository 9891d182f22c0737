"""Mapillary street-level sequences: images and their places, without time.

The ego origin is the camera, and its heading the course, see ``_course``. A log is a sub-scene.
How much time passes between frames is known nowhere: only where the user states a rate does a clip
have a past and a future. Nobody looked for agents.
"""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from impromptu.arrays import Ints
from impromptu.clip import Camera, Clip
from impromptu.datasets import Dataset, Dropped, Log, LogError, not_found
from impromptu.datasets._course import course_track, half_seconds
from impromptu.datasets._drive import Drive
from impromptu.datasets._mapillary_scenes import Scene, folders, read_scenes, tables
from impromptu.sampling import windows

_VAL_CITIES = "cph", "sf"


def logs(root: Path, scratch: Path) -> Sequence[Log]:
    """List the sub-scenes as ``<city>_<subset>_<sequence>-<first frame number>``.

    A folder that cannot be read is one log, that tells why; so is one of the test split, which
    has no positions.

    Raises:
        FileNotFoundError: There is no folder of train_val.
    """
    if not (posed := folders(root, "train_val")):
        raise not_found(DATASET, root, "no train_val/<city>/query or database is here")
    found = [log for folder in posed for log in _logs(root, folder)]
    return found + [
        Log(f"test_{_prefix(folder)}", "test", root, folder) for folder in folders(root, "test")
    ]


def _prefix(folder: Path) -> str:
    return f"{folder.parent.name}_{folder.name}"


def _logs(root: Path, folder: Path) -> list[Log]:
    split, files = "val" if folder.parent.name in _VAL_CITIES else "train", tables(folder)
    try:
        names = [f"{_prefix(folder)}_{name}" for name in read_scenes(folder)]
    except LogError:  # told by ``clips``, so that the other folders are still read
        names = [_prefix(folder)]
    return [Log(name, split, root, folder, files) for name in names]


def clips(log: Log) -> Iterator[Clip | Dropped]:
    """Yield a clip for every frame; at a stated rate above 2 Hz, for one in each half second.

    Raises:
        LogError: A table of the folder is missing or damaged or lacks a column.
    """
    if log.split == "test":
        for image in sorted((log.source / "images").glob("*.jpg")):
            yield Dropped(f"mapillary_sls/{log.id}/{image.stem}", "no_position")
        return
    scene = read_scenes(log.source)[log.id.removeprefix(f"{_prefix(log.source)}_")]
    placed = np.flatnonzero(scene.placed)
    drive, presents = _drive(log, scene, placed) if placed.size else (None, placed)
    index_of = {frame: index for index, frame in enumerate(presents.tolist())}
    for frame, (key, fault) in enumerate(zip(scene.keys, scene.faults.tolist(), strict=True)):
        name = f"mapillary_sls/{log.id}/{key}"
        if fault:
            yield Dropped(name, fault)
        elif drive and frame in index_of:
            yield drive.clip(index_of[frame], name)


def _drive(log: Log, scene: Scene, placed: Ints) -> tuple[Drive, Ints]:
    """Return the drive along the placed frames, and which of them are presents."""
    stamps_ns, runs, gap_ns = _times(len(placed), log.frames_hz)
    track, bodies = course_track(stamps_ns, scene.xy_m[placed], runs, gap_ns)
    first = half_seconds(stamps_ns, runs)
    presents, images = placed[first], log.source / "images"
    drive = Drive(
        dataset="mapillary_sls",
        log=log,
        presents_ns=stamps_ns[first],
        ego=windows(track, stamps_ns[first], bodies[first][:, None]),
        cameras=[(Camera("FRONT", images / f"{scene.keys[i]}.jpg"),) for i in presents.tolist()],
        tags={"location": log.source.parent.name},
    )
    return drive, presents


def _times(frames: int, rate_hz: float | None) -> tuple[Ints, Ints, int]:
    """Return (n,) stamps, (n,) runs, and the longest step between stamps.

    Without time each frame is a run of its own: nothing is known of what was before or after it.
    """
    order = np.arange(frames)
    if rate_hz is None:
        return np.zeros_like(order), order, 0
    stamps_ns = np.round(order * (1e9 / rate_hz)).astype(np.int64)
    return stamps_ns, np.zeros_like(order), math.ceil(1e9 / rate_hz)


DATASET = Dataset(
    home="mapillary_sls",
    title="Mapillary street-level sequences",
    url="https://www.mapillary.com/dataset/places",
    licence="research only, on registration",
    size="1.6 million images of 30 cities",
    tree="""train_val/<city>/{query,database}/{seq_info,postprocessed,raw}.csv
train_val/<city>/{query,database}/images/<key>.jpg
test/<city>/{query,database}/ (no positions)""",
    splits=("train", "val"),
    surround=("FRONT",),
    forward=("FRONT",),
    logs=logs,
    clips=clips,
)
