"""The nuScenes tables, gigabytes of JSON, streamed once into two small SQLite files by scene.

One has the captures and the ego's poses, the other the boxes; they are built apart, so that two
processes can do it at the same time. What a scene has of a table lies there in a few pieces, its
texts column by column as JSON and its numbers as float64: rows of their own, each with keys to
find it by, take several times as long to write and to read.
"""

import json
import os
import sqlite3
import tempfile
from collections.abc import Container, Hashable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np

from impromptu.arrays import Floats, Ints
from impromptu.datasets import _nuscenes_columns as read
from impromptu.datasets._nuscenes_columns import blocks, found, same, unique
from impromptu.files import fingerprint

VERSIONS = "v1.0-trainval", "v1.0-test", "v1.0-mini"
"""All that are present are read, in this order; a scene of an earlier one is not read again."""
TABLES = (
    "log",
    "sensor",
    "calibrated_sensor",
    "scene",
    "sample",
    "sample_data",
    "ego_pose",
    "category",
    "attribute",
    "instance",
    "sample_annotation",
)
_LAYOUT = 4
"""Raised with every change of the schema, so that an older index is not taken for a current one."""
Half = Literal["captures", "boxes"]
_SCHEMA = {
    "captures": """
CREATE TABLE scene (name TEXT PRIMARY KEY, location TEXT, description TEXT);
CREATE TABLE keyframe (scene TEXT, token TEXT, timestamp_us INTEGER);
CREATE TABLE calibration (token TEXT PRIMARY KEY, channel TEXT, intrinsics TEXT, pose BLOB);
CREATE TABLE capture (id INTEGER PRIMARY KEY, scene TEXT, calibration TEXT, texts TEXT,
    numbers BLOB);
CREATE TABLE ego (capture INTEGER PRIMARY KEY, poses BLOB);
""",
    "boxes": "CREATE TABLE box (scene TEXT, texts TEXT, numbers BLOB);",
}
_BY_SCENE = {
    "captures": """
CREATE INDEX keyframe_scene ON keyframe (scene);
CREATE INDEX capture_scene ON capture (scene);
""",
    "boxes": "CREATE INDEX box_scene ON box (scene);",
}

Key = TypeVar("Key", bound=Hashable)


def paths(root: Path) -> list[Path]:
    """Return where the tables of every version folder under ``root`` should be."""
    folders = [root / version for version in VERSIONS if (root / version).is_dir()]
    return [folder / f"{table}.json" for folder in folders for table in TABLES]


def index(half: Half, root: Path, tables: Sequence[Path], scratch: Path) -> Path:
    """Return one half of the index of the tables; build it unless these were indexed before.

    Raises:
        ValueError: A table is cut short or a row lacks a field; the message names file and row.
    """
    target = scratch / f"nuscenes-{fingerprint(tables, root)[:16]}-{_LAYOUT}-{half}.sqlite"
    if not target.is_file():
        _build(half, list(dict.fromkeys(table.parent for table in tables)), target)
    return target


def beside(captures: Path) -> Path:
    """Return where the boxes are that belong to these captures."""
    return captures.with_name(captures.name.replace("-captures.", "-boxes."))


def _build(half: Half, folders: Sequence[Path], target: Path) -> None:
    """Write the index under another name, and give it its own when complete."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    os.close(handle)
    try:
        with closing(sqlite3.connect(temporary)) as db:
            # No journal: a build that is cut short is thrown away whole.
            db.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;" + _SCHEMA[half])
            held = set[str]()
            for folder in folders:
                scenes = _scenes(folder, held)
                (_add_captures if half == "captures" else _add_boxes)(db, folder, scenes)
                held.update(name for name, *_ in scenes.rows)
            db.executescript(_BY_SCENE[half])
            db.commit()
        os.replace(temporary, target)
    except sqlite3.Error as error:
        raise OSError(
            f"{target}: cannot write the index of {folders[0].parent}: {error}"
        ) from error
    finally:
        Path(temporary).unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class _Scenes:
    """The scenes of a version that no earlier one holds.

    Attributes:
        rows: Of each scene its name, token of its place, and description.
        keyframes: Scene, token and stamp of each.
        of_sample: Each sample's scene; of an earlier version's scenes, the empty name.
    """

    rows: Sequence[tuple[str, str, str]]
    keyframes: Sequence[tuple[str, str, int]]
    of_sample: Mapping[str, str]


def _scenes(folder: Path, held: Container[str]) -> _Scenes:
    names, rows = dict[str, str](), dict[str, tuple[str, str, str]]()
    for columns in unique(path := folder / "scene.json", read.scene):
        for token, *row in zip(*columns, strict=True):
            name, place, description = row
            if name in rows:
                raise same(path, name)
            names[token] = "" if name in held else name
            if name not in held:
                rows[name] = name, place, description
    of_sample, keyframes = dict[str, str](), list[tuple[str, str, int]]()
    for tokens, of, stamps_us in unique(path := folder / "sample.json", read.sample):
        scenes = found(path, "scene", tokens, of, names)
        of_sample.update(zip(tokens, scenes, strict=True))
        new = zip(scenes, tokens, stamps_us, strict=True)
        keyframes.extend(keyframe for keyframe in new if keyframe[0])
    return _Scenes([*rows.values()], keyframes, of_sample)


def _add_captures(db: sqlite3.Connection, folder: Path, scenes: _Scenes) -> None:
    places = dict[str, str]()
    for tokens, locations in unique(folder / "log.json", read.place):
        places.update(zip(tokens, locations, strict=True))
    located = ((name, places.get(place), said) for name, place, said in scenes.rows)
    db.executemany("INSERT INTO scene VALUES (?,?,?)", located)
    db.executemany("INSERT INTO keyframe VALUES (?,?,?)", scenes.keyframes)
    channels = _add_calibrations(db, folder)
    wanted, slots = dict[str, int](), dict[int, Ints]()
    path = folder / "sample_data.json"
    for tokens, samples, of, files, poses, values in unique(path, partial(read.capture, channels)):
        names = found(path, "sample", tokens, samples, scenes.of_sample)
        at = np.array([wanted.setdefault(pose, len(wanted)) for pose in poses])
        for (scene, calibration), rows in _groups([*zip(names, of, strict=True)]):
            if scene:
                piece = scene, calibration, _texts((samples, files), rows), values[rows].tobytes()
                added = db.execute("INSERT INTO capture VALUES (NULL,?,?,?,?)", piece)
                slots[added.lastrowid or 0] = at[rows]
    poses = _ego_poses(folder, wanted)
    pieces = ((key, poses[rows].tobytes()) for key, rows in slots.items())
    db.executemany("INSERT INTO ego VALUES (?,?)", pieces)


def _add_calibrations(db: sqlite3.Connection, folder: Path) -> dict[str, str]:
    """Return the channel of each calibrated sensor."""
    sensors: dict[str, str] = {}
    for tokens, channels in blocks(folder / "sensor.json", read.sensor):
        sensors.update(zip(tokens, channels, strict=True))
    if len({*sensors.values()}) < len(sensors):
        raise ValueError(f"{folder / 'sensor.json'}: two sensors of one channel; unpack it again")
    used = dict[str, str]()
    path = folder / "calibrated_sensor.json"
    for tokens, channels, lenses, mounts in unique(path, partial(read.calibration, sensors)):
        used.update(zip(tokens, channels, strict=True))
        rows = zip(tokens, channels, lenses, map(np.ndarray.tobytes, mounts), strict=True)
        db.executemany("INSERT OR IGNORE INTO calibration VALUES (?,?,?,?)", rows)
    return used


def _ego_poses(folder: Path, wanted: Mapping[str, int]) -> Floats:
    """Return (n, 7) poses, each where it is wanted; what the table lacks is NaN."""
    poses = np.full((len(wanted), 7), np.nan)
    path, reader = folder / "ego_pose.json", partial(read.ego_pose, wanted)
    # Most are not wanted, and a text takes less time to make than a number.
    for at, values in blocks(path, reader, parse_float=str):
        poses[at] = values
    return poses


def _add_boxes(db: sqlite3.Connection, folder: Path, scenes: _Scenes) -> None:
    words, categories, instances = dict[str, str](), dict[str, str](), dict[str, str]()
    for tokens, names in blocks(folder / "attribute.json", read.named):
        words.update(zip(tokens, names, strict=True))
    for tokens, names in unique(folder / "category.json", read.named):
        categories.update(zip(tokens, names, strict=True))
    for tokens, of in unique(path := folder / "instance.json", read.instance):
        names = found(path, "category", tokens, of, categories)
        instances.update(zip(tokens, names, strict=True))
    path = folder / "sample_annotation.json"
    for tokens, samples, of, *texts, values in unique(path, partial(read.box, words)):
        names = found(path, "sample", tokens, samples, scenes.of_sample)
        columns = tokens, samples, of, found(path, "instance", tokens, of, instances), *texts
        for scene, rows in _groups(names):
            if scene:
                piece = scene, _texts(columns, rows), values[rows].tobytes()
                db.execute("INSERT INTO box VALUES (?,?,?)", piece)


def _groups(keys: Sequence[Key]) -> Iterable[tuple[Key, Sequence[int]]]:
    """Return the rows of each key, in their order."""
    if len({*keys}) == 1:  # most blocks are of one scene
        return [(keys[0], range(len(keys)))]
    groups = dict[Key, list[int]]()
    for row, key in enumerate(keys):
        groups.setdefault(key, []).append(row)
    return groups.items()


def _texts(columns: Iterable[Sequence[str]], rows: Sequence[int]) -> str:
    return json.dumps([[column[row] for row in rows] for column in columns])
