"""Mapillary SLS: the frames of one city's query or database folder, cut into sub-scenes.

The one place where they are cut, for clips and for links to images alike.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impromptu.arrays import Bools, Floats, Ints
from impromptu.datasets import LogError
from impromptu.datasets._csv import ADVICE, read_columns
from impromptu.files import fingerprint

MAX_STEP_M = 50.0
"""Steps between frames are 1 to 13 m, rarely 40; further is a jump of the source's positions."""
MAX_UTM_M = 2e7
TABLES = "seq_info.csv", "postprocessed.csv", "raw.csv"
SUBSETS = "query", "database"
_KEY = re.compile(r"[\w-]+")


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A stretch of a sequence without a hole: frame numbers rise by one and no step is a jump.

    Attributes:
        name: ``<sequence>-<first frame number>``.
        keys: The names of its (n,) frames' images.
        xy_m: (n, 2) easting and northing.
        placed: (n,) whether a frame has one known place. Those that have follow on one another;
            one that has not cuts its sequence, and is counted with the scene it ends.
        faults: (n,) why a frame can give no clip, in snake case; empty where it can.
    """

    name: str
    keys: Sequence[str]
    xy_m: Floats
    placed: Bools
    faults: NDArray[np.str_]


def folders(root: Path, part: str) -> list[Path]:
    """List the query and database folders of all cities of ``train_val`` or ``test``."""
    found = (path for subset in SUBSETS for path in (root / part).glob(f"*/{subset}"))
    return sorted(path for path in found if path.is_dir())


def tables(folder: Path) -> tuple[Path, ...]:
    """Return those tables of a folder that exist."""
    return tuple(path for name in TABLES if (path := folder / name).is_file())


def read_scenes(folder: Path) -> dict[str, Scene]:
    """Return the sub-scenes of a folder by name, in a fixed order.

    Raises:
        LogError: A table is missing or damaged or lacks a column, or a key is none.
    """
    return _read_scenes(folder, fingerprint(tables(folder), folder))


@lru_cache(maxsize=1)
def _read_scenes(folder: Path, state: str) -> dict[str, Scene]:
    """Read a folder's tables once: its scenes are asked for one after another."""
    path = folder / TABLES[0]
    table = read_columns(path, ("key", "sequence_key"), integers=("frame_number",))
    _check_keys(path, table["key"])
    _check_keys(path, table["sequence_key"])
    if not len(table["key"]):
        return {}
    order = np.lexsort([table["frame_number"], table["sequence_key"].astype(np.str_)])
    keys, sequences, numbers = (table[name][order] for name in table)
    xy_m, faults = _joined(folder, keys)
    faults[_again(keys) | (_follows(sequences, numbers, 0))] = "listed_twice"
    placed = ~np.isin(faults, _UNPLACED)
    starts = _starts(sequences, numbers, xy_m, placed).tolist()
    parts = [slice(*ends) for ends in zip(starts, [*starts[1:], len(keys)], strict=True)]
    names = [f"{sequences[start]}-{numbers[start]}" for start in starts]
    return {
        name: Scene(name, keys[part].tolist(), xy_m[part], placed[part], faults[part])
        for name, part in zip(names, parts, strict=True)
    }


_UNPLACED = "listed_twice", "not_in_postprocessed", "not_in_raw", "no_position"


def _check_keys(path: Path, keys: NDArray[Any]) -> None:
    """Refuse keys that are no plain names: paths are made of them."""
    for row, key in enumerate(keys.tolist(), start=2):
        if not _KEY.fullmatch(key):
            raise LogError(f"{path}:{row}: {key!r}; expected letters, digits, _ and -: {ADVICE}")


def _joined(folder: Path, keys: NDArray[Any]) -> tuple[Floats, NDArray[np.str_]]:
    """Look frames up in the other tables: (n, 2) positions, NaN where unknown, and faults."""
    places = read_columns(
        folder / "postprocessed.csv", ("key", "view_direction"), ("easting", "northing")
    )
    raw = read_columns(folder / "raw.csv", ("key", "pano"))
    place, image = _rows_of(places["key"], keys), _rows_of(raw["key"], keys)
    easting_northing = np.column_stack([places["easting"], places["northing"]])
    # No place on earth has larger ones, not even beside its own zone.
    easting_northing[~(np.abs(easting_northing) < MAX_UTM_M)] = np.nan
    # Row -1 stands for a key that a table lacks: each table is looked up with one row added.
    xy_m = np.vstack([easting_northing, [[np.nan, np.nan]]])[place]
    faults = np.select(
        [
            place < 0,
            image < 0,
            np.isnan(xy_m).any(axis=-1),
            np.append(raw["pano"], "")[image] == "True",
            np.append(places["view_direction"], "")[place] != "Forward",
        ],
        ["not_in_postprocessed", "not_in_raw", "no_position", "panorama", "not_forward"],
        "",
    )
    return xy_m, faults


def _rows_of(listed: NDArray[Any], keys: NDArray[Any]) -> Ints:
    """Return the row of each key in a table, -1 where it is not there."""
    row_of = {key: row for row, key in enumerate(listed.tolist())}
    return np.array([row_of.get(key, -1) for key in keys.tolist()], dtype=np.int64)


def _again(keys: NDArray[Any]) -> Bools:
    again = np.ones(len(keys), dtype=bool)
    again[np.unique(keys, return_index=True)[1]] = False
    return again


def _follows(sequences: NDArray[Any], numbers: Ints, step: int) -> Bools:
    """Tell which of (n,) frames have a number higher by ``step`` than the one before."""
    follows = np.zeros(len(numbers), dtype=bool)
    follows[1:] = (sequences[1:] == sequences[:-1]) & (np.diff(numbers) == step)
    return follows


def _starts(sequences: NDArray[Any], numbers: Ints, xy_m: Floats, placed: Bools) -> Ints:
    """Return the sorted frames that begin a sub-scene: its first placed one, as a rule."""
    near = np.zeros(len(numbers), dtype=bool)
    near[1:] = np.linalg.norm(np.diff(xy_m, axis=0), axis=-1) <= MAX_STEP_M
    near[1:] &= placed[:-1]
    first = np.ones(len(numbers), dtype=bool)
    first[1:] = sequences[1:] != sequences[:-1]
    return np.flatnonzero(first | (placed & ~(near & _follows(sequences, numbers, 1))))
