"""IDD multimodal: drives in Hyderabad by GPS at 15 Hz, with a stereo pair of cameras.

The ego origin is the GPS antenna and its heading the course, see ``_course``. Stamps are times of
day, IST, without a date. Speeds are backward differences: the car's own come every 1.5 s, in UTC.
Nobody looked for agents.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from impromptu.arrays import Floats, Ints
from impromptu.clip import Camera, Clip
from impromptu.datasets import Dataset, Dropped, Log, LogError, not_found
from impromptu.datasets._course import course_track, east_north_m, half_seconds
from impromptu.datasets._csv import ADVICE, read_columns
from impromptu.datasets._drive import Drive
from impromptu.sampling import windows

MAX_GAP_NS = 350_000_000
"""Rows come every 67 ms; with five or more missing the way between is not known."""
MAX_SPEED_MPS = 60.0
"""A position that needs more is a jump of the GPS, and cuts the drive."""
_SPLITS = "train", "val", "test"
_TIME = re.compile(r"([01][0-9]|2[0-3])-([0-5][0-9])-([0-5][0-9])-([0-9]{1,6})")
_IMAGE = re.compile(r"[0-9]{1,12}")
_HALF_DAY_NS = 12 * 3_600 * 10**9
_DETECTION_KIT = "Annotations", "IDD_Detection"


def logs(root: Path, scratch: Path) -> Sequence[Log]:
    """List the CSV files, as ``d0_train`` and so on; those of the test split have no positions.

    Raises:
        FileNotFoundError: There is none.
    """
    home = root if (root / "primary").is_dir() else root / "idd_multimodal"
    found = [
        Log(f"{path.parent.name}_{path.stem}", path.stem, root, path, (path,))
        for path in sorted((home / "primary").glob("*/*.csv"))
        if path.stem in _SPLITS
    ]
    if found:
        return found
    if any((root / name).exists() for name in _DETECTION_KIT):
        raise not_found(
            DATASET, root, "this is the IDD detection kit, whose images have no poses and no time"
        )
    raise not_found(DATASET, root, "no CSV file of a drive is here")


def clips(log: Log) -> Iterator[Clip | Dropped]:
    """Yield a clip for every half second of a drive, counted anew after each gap and jump.

    Raises:
        LogError: The file is damaged or lacks a column, or a row has no time or image number; the
            message names file and row.
    """
    images, stamps_ns, degrees = _rows(log)
    faults = _faults(images, degrees)
    sound = np.flatnonzero(faults == "")
    drive, index_of = None, dict[int, int]()
    if sound.size:
        stamps_ns, xy_m = stamps_ns[sound], east_north_m(*degrees[sound].T)
        runs = _runs(stamps_ns, xy_m)
        first = half_seconds(stamps_ns, runs)
        index_of = {row: index for index, row in enumerate(sound[first].tolist())}
        drive = _drive(log, stamps_ns, xy_m, runs, first, images[sound[first]])
    for row, (image, fault) in enumerate(zip(images.tolist(), faults.tolist(), strict=True)):
        name = f"idd/{log.id}/{image:07d}"
        if fault:
            yield Dropped(name, fault)
        elif drive and row in index_of:
            yield drive.clip(index_of[row], name)


def _rows(log: Log) -> tuple[Ints, Ints, Floats]:
    """Return image numbers, rising, and their stamps and (n, 2) latitude and longitude.

    Files list a drive's rows in any order; the images' numbers tell the order of time.
    """
    path, places = log.source, () if log.split == "test" else ("latitude", "longitude")
    columns = read_columns(path, ("timestamp", "image_idx"), places)
    numbers = [_image_number(path, *row) for row in enumerate(columns["image_idx"], 2)]
    times_ns = [_time_of_day_ns(path, *row) for row in enumerate(columns["timestamp"], 2)]
    images = np.array(numbers, dtype=np.int64)
    degrees = np.full((len(images), 2), np.nan)
    for column, place in enumerate(places):
        degrees[:, column] = columns[place]
    order = np.argsort(images, kind="stable")
    stamps_ns = np.array(times_ns, dtype=np.int64)[order]
    midnights = np.cumsum(np.diff(stamps_ns, prepend=stamps_ns[:1]) < -_HALF_DAY_NS)
    return images[order], stamps_ns + 2 * _HALF_DAY_NS * midnights, degrees[order]


def _image_number(path: Path, row: int, text: str) -> int:
    if not _IMAGE.fullmatch(text):
        raise LogError(f"{path}:{row}: image_idx is {text!r}; expected digits: {ADVICE}")
    return int(text)


def _time_of_day_ns(path: Path, row: int, text: str) -> int:
    if not (fields := _TIME.fullmatch(text)):
        raise LogError(
            f"{path}:{row}: timestamp is {text!r}; expected HH-MM-SS-microseconds: {ADVICE}"
        )
    hours, minutes, seconds, microseconds = map(int, fields.groups())
    return ((hours * 60 + minutes) * 60 + seconds) * 10**9 + microseconds * 1000


def _faults(images: Ints, degrees: Floats) -> NDArray[np.str_]:
    """Tell why each row can give no clip; empty where it can."""
    again = np.diff(images, prepend=-1) == 0
    placed = (np.abs(degrees) <= [90, 180]).all(axis=-1)
    return np.where(again, "image_listed_twice", np.where(placed, "", "no_position"))


def _runs(stamps_ns: Ints, xy_m: Floats) -> Ints:
    """Number the stretches between gaps, jumps and steps back in time."""
    step_ns = np.diff(stamps_ns)
    moved_m = np.linalg.norm(np.diff(xy_m, axis=0), axis=-1)
    cut = (step_ns <= 0) | (step_ns > MAX_GAP_NS) | (moved_m > MAX_SPEED_MPS * step_ns / 1e9)
    return np.append(0, np.cumsum(cut))


def _drive(
    log: Log, stamps_ns: Ints, xy_m: Floats, runs: Ints, presents: Ints, images: Ints
) -> Drive:
    track, bodies = course_track(stamps_ns, xy_m, runs, MAX_GAP_NS)
    return Drive(
        dataset="idd",
        log=log,
        presents_ns=stamps_ns[presents],
        ego=windows(track, stamps_ns[presents], bodies[presents][:, None]),
        cameras=_cameras(log.source.parent, images),
    )


def _cameras(drive: Path, images: Ints) -> list[tuple[Camera, ...]]:
    """Return the pair of images of each number; some copies keep both beside the CSV files."""
    beside = drive / "rightCamImgs"
    secondary = drive.parents[1] / "secondary" / drive.name / "rightCamImgs"
    left, right = drive / "leftCamImgs", beside if beside.is_dir() else secondary
    return [
        (Camera("LEFT", left / f"{image:07d}.jpg"), Camera("RIGHT", right / f"{image:07d}.jpg"))
        for image in images.tolist()
    ]


DATASET = Dataset(
    home="idd",
    title="IDD multimodal",
    url="https://idd.insaan.iiit.ac.in/dataset/download/",
    licence="research only, on registration",
    size="three routes, d0 to d2, 15 Hz; sizes are told on registration",
    tree="""primary/{d0,d1,d2}/{train,val,test}.csv (test has no positions)
primary/{d0,d1,d2}/leftCamImgs/0000000.jpg
secondary/{d0,d1,d2}/rightCamImgs/0000000.jpg""",
    splits=("train", "val"),
    surround=("LEFT", "RIGHT"),
    forward=("LEFT",),
    logs=logs,
    clips=clips,
)
