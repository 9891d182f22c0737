"""Columns of the nuScenes tables, a block of rows at a time, and what no row of them may be."""

import json
import re
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from impromptu.arrays import Floats
from impromptu.datasets._json_rows import json_rows

_NAME = re.compile(r"[\w.-]{1,100}")
_CHANNEL = re.compile(r"(CAM|LIDAR|RADAR)_[A-Z_]+")
_LIMIT = 2**53
"""Whole numbers, stamps in microseconds among them, are smaller, or damaged."""
_AGAIN = "unpack the metadata archive again"

Row = dict[str, Any]
Columns = TypeVar("Columns", bound=tuple[Any, ...])


def blocks(
    path: Path,
    reader: Callable[[list[Row]], Columns],
    parse_float: Callable[[str], Any] | None = None,
) -> Iterator[Columns]:
    """Yield the columns that a reader makes of some rows at a time, read as ``json_rows`` does.

    Raises:
        ValueError: A table is cut short or the reader refuses a row; the message names file and
            row.
    """
    for first, rows in json_rows(path, parse_float):
        try:
            columns = reader(rows)
        except (KeyError, TypeError, ValueError, OverflowError):
            # One at a time, to name the row that is at fault.
            for number, row in enumerate(rows, start=first):
                yield _columns(path, number, row, reader)
        else:
            yield columns


def _columns(path: Path, number: int, row: Row, reader: Callable[[list[Row]], Columns]) -> Columns:
    try:
        return reader([row])
    except KeyError as error:
        raise ValueError(
            f"{path}: row {number}: expected a field or an earlier table's token {error}; {_AGAIN}"
        ) from error
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{path}: row {number}: {error}, in {row!r:.200}") from error


def unique(path: Path, reader: Callable[[list[Row]], Columns]) -> Iterator[Columns]:
    """Do the same for a table whose tokens, the first column, are all different.

    Raises:
        ValueError: As above, or two are the same.
    """
    hashes = array("q")  # the tokens of a large table would fill the memory
    for columns in blocks(path, reader):
        hashes.extend(map(hash, columns[0]))
        yield columns
    values = np.sort(np.array(hashes))
    # Two tokens may have one hash.
    if twice := set(values[1:][np.diff(values) == 0].tolist()):
        seen = set[str]()
        for columns in blocks(path, reader):
            for token in columns[0]:
                if token in seen:
                    raise same(path, token)
                if hash(token) in twice:
                    seen.add(token)


def same(path: Path, name: str) -> ValueError:
    """Make the error of a table that has a token or name twice."""
    return ValueError(f"{path}: two rows have the same token or name ({name}); {_AGAIN}")


def found(
    path: Path, field: str, names: Sequence[str], tokens: Sequence[str], known: Mapping[str, str]
) -> list[str]:
    """Return what is known under each row's token of another table, that of the field's name.

    Raises:
        ValueError: Nothing is: the row would be lost unseen; the message gives its own token.
    """
    try:
        return [known[token] for token in tokens]
    except KeyError as error:
        lost = next(row for row, token in enumerate(tokens) if token not in known)
        raise ValueError(
            f"{path}: {field}_token of {names[lost]} is {tokens[lost]}, which {field}.json does "
            f"not have; {_AGAIN}"
        ) from error


def _texts(rows: Sequence[Row], field: str) -> list[str]:
    """Return a field that holds texts.

    Raises:
        KeyError, TypeError, ValueError: One has none there.
    """
    column = [row[field] for row in rows]
    try:
        "".join(column).encode()  # half a character of two, which JSON can hold, is no text
    except TypeError as error:
        wrong = next(text for text in column if not isinstance(text, str))
        raise TypeError(f"{field} is {wrong!r:.40}; expected a text") from error
    return column


def _wholes(rows: Sequence[Row], field: str) -> list[int]:
    """Return a field that holds numbers from 0 to below ``_LIMIT``, likewise."""
    column = [row[field] for row in rows]
    whole = {*map(type, column)} <= {int, bool}
    if not whole or not 0 <= min(column, default=0) <= max(column, default=0) < _LIMIT:
        # Of several rows this may be another one, but then they are read one at a time.
        raise ValueError(f"{column[0]!r:.40}; expected a whole number from 0 to {_LIMIT}")
    return column


def _numbers(rows: Sequence[Row], **counts: int) -> Floats:
    """Return fields that hold so many numbers each, side by side, likewise."""
    parts = [_flat(_lists(rows, field, count), count) for field, count in counts.items()]
    return np.concatenate(parts, axis=1)


def _lists(rows: Sequence[Row], field: str, count: int) -> list[Sequence[Any]]:
    """Return a field that holds so many of something, likewise."""
    column = [row[field] for row in rows]
    if wrong := {*map(len, column)} - {count}:
        few = "not enough" if min(wrong) < count else "too many"
        raise ValueError(f"{few} values (expected {count}, got {min(wrong)})")
    return column


def _flat(column: Sequence[Sequence[Any]], count: int) -> Floats:
    values = [*chain.from_iterable(column)]
    try:
        return np.array(array("d", values)).reshape(-1, count)
    except TypeError:  # numbers as texts
        return np.array([*map(float, values)]).reshape(-1, count)


def sensor(rows: list[Row]) -> tuple[list[str], list[str]]:
    tokens, channels = _texts(rows, "token"), _texts(rows, "channel")
    for channel in channels:
        if not _CHANNEL.fullmatch(channel):
            raise ValueError(f"channel {channel!r:.80}; expected CAM_..., LIDAR_... or RADAR_...")
    return tokens, channels


def calibration(
    sensors: Mapping[str, str], rows: list[Row]
) -> tuple[list[str], list[str], list[str], Floats]:
    channels = [sensors[row["sensor_token"]] for row in rows]
    lenses = [json.dumps(row["camera_intrinsic"]) for row in rows]
    return _texts(rows, "token"), channels, lenses, _numbers(rows, rotation=4, translation=3)


def place(rows: list[Row]) -> tuple[list[str], list[str]]:
    return _texts(rows, "token"), _texts(rows, "location")


def scene(rows: list[Row]) -> tuple[list[str], ...]:
    names = _texts(rows, "name")
    for name in names:
        if not _NAME.fullmatch(name):  # paths are made of it
            raise ValueError(f"name {name!r:.80}; expected letters, digits, '.', '_' and '-'")
    return _texts(rows, "token"), names, _texts(rows, "log_token"), _texts(rows, "description")


def sample(rows: list[Row]) -> tuple[list[str], list[str], list[int]]:
    return _texts(rows, "token"), _texts(rows, "scene_token"), _wholes(rows, "timestamp")


def capture(channels: Mapping[str, str], rows: list[Row]) -> tuple[Any, ...]:
    """Keep keyframe images and all sweeps of LIDAR_TOP."""
    kept = []
    for row in rows:
        channel, is_key = channels[row["calibrated_sensor_token"]], row["is_key_frame"]
        if channel == "LIDAR_TOP" or (is_key and channel.startswith("CAM_")):
            kept.append(row)
    fields = "token", "sample_token", "calibrated_sensor_token", "filename", "ego_pose_token"
    sides = [[_side(row[side]) for row in kept] for side in ("width", "height")]
    is_key = [bool(row["is_key_frame"]) for row in kept]
    values = np.array([is_key, _wholes(kept, "timestamp"), *sides], np.float64).T
    return *(_texts(kept, field) for field in fields), values


def _side(value: object) -> int:
    return value if isinstance(value, int) and 0 < value < _LIMIT else 0


def ego_pose(wanted: Mapping[str, int], rows: list[Row]) -> tuple[list[int], Floats]:
    """Return the numbers of those poses that are wanted; of the others only that they are there."""
    _lists(rows, "rotation", 4)
    _lists(rows, "translation", 3)
    kept = [row for row, token in zip(rows, _texts(rows, "token"), strict=True) if token in wanted]
    return [wanted[row["token"]] for row in kept], _numbers(kept, rotation=4, translation=3)


def named(rows: list[Row]) -> tuple[list[str], list[str]]:
    return _texts(rows, "token"), _texts(rows, "name")


def instance(rows: list[Row]) -> tuple[list[str], list[str]]:
    return _texts(rows, "token"), _texts(rows, "category_token")


def box(words: Mapping[str, str], rows: list[Row]) -> tuple[Any, ...]:
    # Older tables leave the visibility and the attributes of some boxes empty.
    visibility = [str(row.get("visibility_token") or "") for row in rows]
    has = [" ".join(map(words.__getitem__, row.get("attribute_tokens") or ())) for row in rows]
    hits = np.array([_wholes(rows, "num_lidar_pts"), _wholes(rows, "num_radar_pts")], np.float64)
    values = np.column_stack([hits.sum(axis=0), _numbers(rows, size=3, rotation=4, translation=3)])
    tokens = (_texts(rows, field) for field in ("token", "sample_token", "instance_token"))
    return *tokens, has, visibility, values
