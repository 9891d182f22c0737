"""The nuScenes tables, gigabytes of JSON, streamed once into a small SQLite file by scene."""

import json
import os
import re
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from impromptu.datasets._json_rows import json_rows
from impromptu.files import fingerprint

VERSIONS = "v1.0-trainval", "v1.0-test", "v1.0-mini"
"""All that are present are read, in this order; what an earlier one holds is not read again."""
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
_LAYOUT = 3
"""Raised with every change of the schema, so that an older index is not taken for a current one."""
_SCHEMA = """
CREATE TABLE calibration (token TEXT PRIMARY KEY, channel TEXT, intrinsics TEXT,
    qw REAL, qx REAL, qy REAL, qz REAL, x REAL, y REAL, z REAL);
CREATE TABLE place (token TEXT PRIMARY KEY, location TEXT);
CREATE TABLE scene (token TEXT PRIMARY KEY, name TEXT UNIQUE, place TEXT, description TEXT);
CREATE TABLE sample (token TEXT PRIMARY KEY, scene TEXT, timestamp_us INTEGER);
CREATE TABLE capture (token TEXT PRIMARY KEY, sample TEXT, calibration TEXT, pose TEXT,
    is_key INTEGER, timestamp_us INTEGER, file TEXT, width INTEGER, height INTEGER,
    qw REAL, qx REAL, qy REAL, qz REAL, x REAL, y REAL, z REAL);
CREATE INDEX capture_pose ON capture (pose);
CREATE TABLE category (token TEXT PRIMARY KEY, name TEXT);
CREATE TABLE instance (token TEXT PRIMARY KEY, category TEXT);
CREATE TABLE box (token TEXT PRIMARY KEY, sample TEXT, instance TEXT, visibility TEXT,
    attributes TEXT, points INTEGER, length REAL, width REAL, height REAL,
    qw REAL, qx REAL, qy REAL, qz REAL, x REAL, y REAL, z REAL);
"""
_BY_SCENE = """
CREATE INDEX sample_scene ON sample (scene);
CREATE INDEX capture_sample ON capture (sample);
CREATE INDEX box_sample ON box (sample);
"""
_STORE = {
    "calibrated_sensor": "INSERT OR IGNORE INTO calibration VALUES (?,?,?, ?,?,?,?, ?,?,?)",
    "log": "INSERT OR IGNORE INTO place VALUES (?,?)",
    "scene": "INSERT OR IGNORE INTO scene VALUES (?,?,?,?)",
    "sample": "INSERT OR IGNORE INTO sample VALUES (?,?,?)",
    "sample_data": "INSERT OR IGNORE INTO capture (token, sample, calibration, pose, is_key,"
    " timestamp_us, file, width, height) VALUES (?,?,?,?,?, ?,?,?,?)",
    "ego_pose": "UPDATE capture SET qw=?, qx=?, qy=?, qz=?, x=?, y=?, z=? WHERE pose=?",
    "category": "INSERT OR IGNORE INTO category VALUES (?,?)",
    "instance": "INSERT OR IGNORE INTO instance VALUES (?,?)",
    "sample_annotation": "INSERT OR IGNORE INTO box VALUES (?,?,?,?,?, ?, ?,?,?, ?,?,?,?, ?,?,?)",
}

SCENES = "SELECT name FROM scene ORDER BY name"
PLACE = """
SELECT place.location, scene.description FROM scene JOIN place ON scene.place = place.token
WHERE scene.name = :scene"""
SAMPLES = """
SELECT sample.token, sample.timestamp_us FROM sample JOIN scene ON sample.scene = scene.token
WHERE scene.name = :scene ORDER BY sample.timestamp_us"""
"""Token and stamp of a scene's keyframes, in the order of time."""
CAPTURES = """
SELECT c.sample, k.channel, c.is_key, c.timestamp_us, c.file, c.width, c.height, k.intrinsics,
    k.qw, k.qx, k.qy, k.qz, k.x, k.y, k.z, c.qw, c.qx, c.qy, c.qz, c.x, c.y, c.z
FROM scene JOIN sample ON sample.scene = scene.token JOIN capture AS c ON c.sample = sample.token
JOIN calibration AS k ON k.token = c.calibration WHERE scene.name = :scene"""
"""Keyframe images and all LIDAR_TOP sweeps of a scene."""
CALIBRATION, EGO_POSE = slice(8, 15), slice(15, 22)
"""Where the row of a capture has them, each as qw, qx, qy, qz, x, y, z."""
BOXES = """
SELECT sample.timestamp_us, b.token, b.instance, category.name, b.visibility, b.attributes,
    b.points, b.length, b.width, b.height, b.qw, b.qx, b.qy, b.qz, b.x, b.y, b.z
FROM scene JOIN sample ON sample.scene = scene.token JOIN box AS b ON b.sample = sample.token
JOIN instance ON instance.token = b.instance JOIN category ON category.token = instance.category
WHERE scene.name = :scene"""
"""A scene's boxes in the world."""
BOX_NUMBERS = slice(7, 17)
"""Where the row of a box has length, width, height, qw, qx, qy, qz, x, y, z."""

_NAME = re.compile(r"[\w.-]{1,100}")
_CHANNEL = re.compile(r"(CAM|LIDAR|RADAR)_[A-Z_]+")
_LIMIT = 2**53
"""Whole numbers, stamps in microseconds among them, are smaller, or damaged."""
_NAMES = (
    ("sample", "scene", "scene"),
    ("sample_data", "sample", "sample"),
    ("instance", "category", "category"),
    ("sample_annotation", "instance", "instance"),
    ("sample_annotation", "sample", "sample"),
)
"""(table, field, table): a row whose field names no row of the other would be lost unseen."""
_STORED_AS = {"sample_data": "capture", "sample_annotation": "box"}

Row = dict[str, Any]
Values = tuple[Any, ...]


def paths(root: Path) -> list[Path]:
    """Return where the tables of every version folder under ``root`` should be."""
    folders = [root / version for version in VERSIONS if (root / version).is_dir()]
    return [folder / f"{table}.json" for folder in folders for table in TABLES]


def index(root: Path, tables: Sequence[Path], scratch: Path) -> Path:
    """Return the index of the tables; build it unless these were indexed before.

    Raises:
        ValueError: A table is cut short or a row lacks a field; the message names file and row.
    """
    target = scratch / f"nuscenes-{fingerprint(tables, root)[:16]}-{_LAYOUT}.sqlite"
    if not target.is_file():
        _build(list(dict.fromkeys(table.parent for table in tables)), target)
    return target


def _build(folders: list[Path], target: Path) -> None:
    """Write the index under another name, and give it its own when complete."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    os.close(handle)
    try:
        with closing(sqlite3.connect(temporary)) as db:
            # No journal: a build that is cut short is thrown away whole.
            db.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;" + _SCHEMA)
            for folder in folders:
                _add(db, folder, is_first=folder == folders[0])
            db.executescript(_BY_SCENE)
            db.commit()
        os.replace(temporary, target)
    except sqlite3.Error as error:
        raise OSError(
            f"{target}: cannot write the index of {folders[0].parent}: {error}"
        ) from error
    finally:
        Path(temporary).unlink(missing_ok=True)


def _add(db: sqlite3.Connection, folder: Path, *, is_first: bool) -> None:
    channels: dict[str, str] = dict(_rows(folder / "sensor.json", _sensor))
    if len(set(channels.values())) < len(channels):
        raise ValueError(f"{folder / 'sensor.json'}: two sensors of one channel; unpack it again")
    named = _rows(folder / "attribute.json", lambda row: _texts(row, "token", "name"))
    attributes: dict[str, str] = dict(named)
    used: dict[str, str] = {}

    def calibration(row: Row) -> Values:
        (token,) = _texts(row, "token")
        used[token] = channel = channels[row["sensor_token"]]
        return token, channel, json.dumps(row["camera_intrinsic"]), *_pose(row)

    def capture(row: Row) -> Values | None:
        channel, is_key = used[row["calibrated_sensor_token"]], bool(row["is_key_frame"])
        if channel != "LIDAR_TOP" and not (is_key and channel.startswith("CAM_")):
            return None
        tokens = _texts(row, "token", "sample_token", "calibrated_sensor_token", "ego_pose_token")
        sides = (row[side] for side in ("width", "height"))
        size = (side if isinstance(side, int) and 0 < side < _LIMIT else 0 for side in sides)
        return *tokens, is_key, _whole(row["timestamp"]), *_texts(row, "filename"), *size

    readers = {
        "calibrated_sensor": calibration,
        "log": lambda row: _texts(row, "token", "location"),
        "scene": _scene,
        "sample": lambda row: (*_texts(row, "token", "scene_token"), _whole(row["timestamp"])),
        "sample_data": capture,
        "ego_pose": lambda row: (*_pose(row), *_texts(row, "token")),
        "category": lambda row: _texts(row, "token", "name"),
        "instance": lambda row: _texts(row, "token", "category_token"),
        "sample_annotation": lambda row: _box(row, attributes),
    }
    for table, reader in readers.items():
        path = folder / f"{table}.json"
        # A later version repeats scenes of an earlier one; within one, a token is unique.
        store = _STORE[table].replace(" OR IGNORE", "" if is_first else " OR IGNORE")
        try:
            db.executemany(store, _rows(path, reader))
        except sqlite3.IntegrityError as error:
            raise ValueError(
                f"{path}: two rows have the same token or name ({error}); "
                "unpack the metadata archive again"
            ) from error
    for table, field, other in _NAMES:
        _check_names(db, folder, table, field, other)


def _check_names(db: sqlite3.Connection, folder: Path, table: str, field: str, named: str) -> None:
    """Refuse a row that belongs to nothing.

    Raises:
        ValueError: There is one; the message gives its token.
    """
    rows = _STORED_AS.get(table, table)
    lost = db.execute(  # the words are our own
        f"SELECT token, {field} FROM {rows} WHERE {field} NOT IN (SELECT token FROM {named})"  # noqa: S608
    ).fetchone()
    if lost:
        raise ValueError(
            f"{folder / table}.json: {field}_token of {lost[0]} is {lost[1]}, which "
            f"{named}.json does not have; unpack the metadata archive again"
        )


def _rows(path: Path, reader: Callable[[Row], Values | None]) -> Iterator[Values]:
    """Yield what to store of each row; None stores nothing."""
    for number, row in json_rows(path):
        try:
            stored = reader(row)
        except KeyError as error:
            raise ValueError(
                f"{path}: row {number}: expected a field or an earlier table's token {error}; "
                "unpack the metadata archive again"
            ) from error
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"{path}: row {number}: {error}, in {row!r:.200}") from error
        if stored is not None:
            yield stored


def _texts(row: Row, *fields: str) -> tuple[str, ...]:
    texts = tuple([row[field] for field in fields])
    for field, text in zip(fields, texts, strict=True):
        if not isinstance(text, str):
            raise TypeError(f"{field} is {text!r:.40}; expected a text")
    "".join(texts).encode()  # half a character of two, which JSON can hold, is no text
    return texts


def _whole(value: object) -> int:
    if not isinstance(value, int) or not 0 <= value < _LIMIT:
        raise ValueError(f"{value!r:.40}; expected a whole number from 0 to {_LIMIT}")
    return value


def _sensor(row: Row) -> Values:
    token, channel = _texts(row, "token", "channel")
    if not _CHANNEL.fullmatch(channel):
        raise ValueError(f"channel {channel!r:.80}; expected CAM_..., LIDAR_... or RADAR_...")
    return token, channel


def _scene(row: Row) -> Values:
    token, name, *rest = _texts(row, "token", "name", "log_token", "description")
    if not _NAME.fullmatch(name):  # paths are made of it
        raise ValueError(f"name {name!r:.80}; expected letters, digits, '.', '_' and '-'")
    return token, name, *rest


def _pose(row: Row) -> Values:
    qw, qx, qy, qz = map(float, row["rotation"])
    x, y, z = map(float, row["translation"])
    return qw, qx, qy, qz, x, y, z


def _box(row: Row, attributes: Mapping[str, str]) -> Values:
    width, length, height = map(float, row["size"])
    points = _whole(row["num_lidar_pts"]) + _whole(row["num_radar_pts"])
    tokens = _texts(row, "token", "sample_token", "instance_token")
    # Older tables leave the visibility and the attributes of some boxes empty.
    visibility = row.get("visibility_token") or ""
    words = " ".join(attributes[token] for token in row.get("attribute_tokens") or ())
    return *tokens, visibility, words, points, length, width, height, *_pose(row)


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
