"""Counts keyframes in damaged files by other means than the adapters; None where that is not easy.

What a keyframe is, is said in each adapter's own words. Files are read with the standard library,
or with pyarrow alone.
"""

import csv
import itertools
import json
import math
import re
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

from pyarrow import feather, parquet

from impromptu.datasets._plain_pickle import read_pickle

PLAIN = re.compile(r"-?\d{1,3}\.\d+")
HALF_US = 500_000


def keyframes(dataset: str, root: Path, logs: Sequence[str]) -> int | None:
    """Count the keyframes of some logs."""
    if dataset == "mapillary_sls":
        return _mapillary(root, logs)
    count = COUNT[dataset]
    counts = [count(root, log) for log in logs]
    return None if None in counts else sum(filter(None, counts))


def _kitti(root: Path, log: str) -> int:
    """Every fifth row."""
    split, _, name = log.partition("_")
    path = root / "data_tracking_oxts" / split / "oxts" / f"{name}.txt"
    return -(-len(path.read_text().splitlines()) // 5)


def _navsim(root: Path, log: str) -> int:
    (path, *_) = (root / "navsim_logs").glob(f"*/{log}.pkl")
    return len(read_pickle(path))


def _once(root: Path, log: str) -> int:
    return len(json.loads((root / f"data/{log}/{log}.json").read_text())["frames"])


def _nuscenes(root: Path, log: str) -> int:
    scenes, rows = (
        json.loads((root / f"v1.0-mini/{table}.json").read_text()) for table in ("scene", "sample")
    )
    (token,) = (scene["token"] for scene in scenes if scene["name"] == log)
    return [row["scene_token"] for row in rows].count(token)


def _argoverse2(root: Path, log: str) -> int | None:
    """Half seconds from the first front image to the last."""
    (folder,) = root.glob(f"*/{log}")
    path = folder / "city_SE3_egovehicle.feather"
    stamps = feather.read_table(path)["timestamp_ns"].to_pylist()
    fronts = (folder / "sensors/cameras/ring_front_center").glob("*.jpg")
    taken = [int(path.stem) for path in fronts if path.stem.isdecimal()]
    taken = [ns for ns in taken if min(stamps) <= ns <= max(stamps)]
    return _half_seconds(min(taken) // 1000, max(taken) // 1000, 25_000) if taken else None


def _half_seconds(first_us: int, last_us: int, slack_us: int) -> int:
    return (last_us - first_us + slack_us) // HALF_US + 1


def _waymo(root: Path, log: str) -> int | None:
    """Half seconds from the first frame to the last, of a record or of a table of poses."""
    records = [*root.glob(f"*/segment-{log}_with_camera_labels.tfrecord")]
    try:
        if records:
            stamps = [_stamp_us(frame) for frame in _payloads(records[0].read_bytes())]
        else:
            (path,) = root.glob(f"*/vehicle_pose/{log}.parquet")
            table = parquet.read_table(path, columns=["key.frame_timestamp_micros"])
            stamps = table.column(0).to_pylist()
    except (IndexError, struct.error):
        return None
    whole = stamps and all(isinstance(stamp, int) for stamp in stamps)
    return _half_seconds(min(stamps), max(stamps), 50_000) if whole else None


def _payloads(data: bytes) -> Iterator[bytes]:
    """Yield what stands between the heads of 12 bytes and the tails of 4."""
    at = 0
    while at < len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        yield data[at + 12 : at + 12 + length]
        at += 16 + length


def _stamp_us(frame: bytes) -> int:
    """Return field 2 of a message, the last one of that name."""
    at, stamp = 0, 0
    while at < len(frame):
        key, at = _varint(frame, at)
        match key & 7:
            case 0:
                value, at = _varint(frame, at)
                stamp = value if key >> 3 == 2 else stamp
            case 1:
                at += 8
            case 2:
                length, at = _varint(frame, at)
                at += length
            case 5:
                at += 4
            case _:
                raise IndexError("a group")
    return stamp


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while data[at] & 0x80:
        value, shift, at = value | (data[at] & 0x7F) << shift, shift + 7, at + 1
    return value | data[at] << shift, at + 1


def _idd(root: Path, log: str) -> int | None:
    """Rows without a place or listed before; of the others, each run's half seconds."""
    drive, _, split = log.partition("_")
    rows = _table(root / "primary" / drive / f"{split}.csv")
    if split == "test":
        return None if rows is None else len(rows)
    if rows is None or not all(_is_plain(row) for row in rows):
        return None
    rows.sort(key=lambda row: int(row["image_idx"]))
    lost, sound, last, day_s = 0, list[tuple[int, float, float]](), -1, 0
    for earlier, row in zip([rows[0], *rows], rows, strict=False):
        day_s += 86_400 * (_seconds(row) - _seconds(earlier) < -43_200)
        if int(row["image_idx"]) == last or not row["latitude"]:
            lost += 1
        else:
            stamp_us = round(1e6 * (day_s + _seconds(row)))
            sound.append((stamp_us, float(row["latitude"]), float(row["longitude"])))
        last = int(row["image_idx"])
    return lost + sum(len({(us - run[0]) // HALF_US for us in run}) for run in _runs(sound))


def _table(path: Path) -> list[dict[str, str]] | None:
    """Read a CSV file without a quote or an odd row."""
    text = path.read_bytes().decode("utf-8", "replace")
    rows = list(csv.DictReader(text.splitlines()))
    odd = '"' in text or any(None in row or None in row.values() for row in rows)
    return None if odd or not rows else rows


def _is_plain(row: dict[str, str]) -> bool:
    places = [row["latitude"], row["longitude"]]
    return all(PLAIN.fullmatch(text) for text in places) or not any(places)


def _seconds(row: dict[str, str]) -> float:
    hours, minutes, seconds, micros = map(int, row["timestamp"].split("-"))
    return 3_600 * hours + 60 * minutes + seconds + micros / 1e6


def _runs(rows: Sequence[tuple[int, float, float]]) -> Iterator[list[int]]:
    """Cut rows where time steps back or on by over 0.35 s, or the place by over 60 m/s."""
    run = list[int]()
    for before, row in itertools.pairwise([*rows[:1], *rows]):
        step_us = row[0] - before[0]
        if run and not (0 < step_us <= 350_000 and _metres(before, row) <= 60e-6 * step_us):
            yield run
            run = []
        run.append(row[0])
    yield run


def _metres(one: tuple[int, float, float], other: tuple[int, float, float]) -> float:
    """Return the distance on a sphere; near enough, as the jumps are of hundreds of metres."""
    north = math.radians(other[1] - one[1])
    east = math.radians(other[2] - one[2]) * math.cos(math.radians(one[1]))
    return 6_371_000 * math.hypot(north, east)


def _mapillary(root: Path, logs: Sequence[str]) -> int | None:
    """Each row of the folders that the logs are parts of; the images of a test folder."""
    found = 0
    for part, city, subset in {_folder(log) for log in logs}:
        folder = root / part / city / subset
        if part == "test":
            found += len(list((folder / "images").glob("*.jpg")))
        elif (rows := _table(folder / "seq_info.csv")) is not None:
            found += len(rows)
        else:
            return None
    return found


def _folder(log: str) -> tuple[str, str, str]:
    city, subset, *_ = log.removeprefix("test_").split("_")
    return "test" if log.startswith("test_") else "train_val", city, subset


COUNT = {
    "argoverse2": _argoverse2,
    "idd": _idd,
    "kitti": _kitti,
    "navsim": _navsim,
    "nuscenes": _nuscenes,
    "once": _once,
    "waymo": _waymo,
}
