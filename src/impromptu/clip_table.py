"""What is known of every clip of a split beyond its questions: log, tags, poses and boxes.

Generation writes one Parquet file a dataset split, a row a clip; scores read it to tell groups
apart and to see what a path runs into. Nothing of it ever enters a prompt.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from impromptu.arrays import Bools, Floats, Ints
from impromptu.clip import Agent, Kind, PathWord, SpeedWord
from impromptu.geometry import SE2

KINDS: tuple[Kind, ...] = get_args(Kind)
_WORLD = "world_x_m", "world_y_m", "world_yaw_rad"
_PLANNING = "planning_x_m", "planning_y_m", "planning_yaw_rad"
_BOX = "box_x_m", "box_y_m", "box_yaw_rad", "box_length_m", "box_width_m"
_TEXTS = pa.list_(pa.string())
_NUMBERS = pa.list_(pa.float64())

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("log", pa.string(), nullable=False),
        pa.field("timestamp_ns", pa.int64(), nullable=False),
        pa.field("tags", pa.map_(pa.string(), pa.string()), nullable=False),
        pa.field("speed_mps", pa.float64()),
        pa.field("speed_word", pa.string()),
        pa.field("path_word", pa.string()),
        *(pa.field(name, pa.float64(), nullable=False) for name in _WORLD),
        *(pa.field(name, pa.float64()) for name in _PLANNING),
        pa.field("box_id", _TEXTS, nullable=False),
        pa.field("box_kind", _TEXTS, nullable=False),
        pa.field("box_category", _TEXTS, nullable=False),
        *(pa.field(name, _NUMBERS, nullable=False) for name in _BOX),
        pa.field("box_observed", pa.list_(pa.bool_()), nullable=False),
    ]
)
"""Columns of the file. Boxes are those of the clip's own keyframe, in its present ego frame."""


def clip_file(dataset: str, split: str) -> Path:
    """Return where generation writes the clips of one dataset split, in its output folder."""
    return Path("clips", f"{dataset}_{split}.parquet")


@dataclass(frozen=True, eq=False)
class ClipTable:
    """The n clips of one split, and all their b boxes one clip after the other.

    Attributes:
        source: Where they were read from, for messages.
        ids, logs: (n,) texts.
        timestamps_ns: (n,)
        tags: (n,) such as location, time_of_day and weather, where known.
        speeds_mps: (n,) NaN where not known.
        speed_words, path_words: (n,) the ego's strict meta-action, None where not known.
        world: (n, 3) x, y, yaw of the ego, metres and radians.
        planning: (n, 3) x, y, yaw of the planning frame in the ego's; NaN where there is none.
        box_starts: (n + 1,) where each clip's boxes begin and end.
        box_ids: (b,) numbers, the same for boxes of one id.
        box_poses: (b, 3) x, y, yaw in the ego frame of their clip.
        box_sizes_m: (b, 2) length, width.
        box_kinds: (b,) positions in ``KINDS``.
        box_observed: (b,)
    """

    source: str
    ids: Sequence[str]
    logs: Sequence[str]
    timestamps_ns: Ints
    tags: Sequence[Mapping[str, str]]
    speeds_mps: Floats
    speed_words: Sequence[SpeedWord | None]
    path_words: Sequence[PathWord | None]
    world: Floats
    planning: Floats
    box_starts: Ints
    box_ids: Ints
    box_poses: Floats
    box_sizes_m: Floats
    box_kinds: Ints
    box_observed: Bools

    @cached_property
    def row_of(self) -> dict[str, int]:
        """The row of each clip id."""
        return {name: row for row, name in enumerate(self.ids)}

    def agents(self, row: int) -> list[Agent]:
        """Return what stands around a clip, as high as the ground: no height is kept."""
        boxes = range(int(self.box_starts[row]), int(self.box_starts[row + 1]))
        return [
            Agent(
                id=str(self.box_ids[box]),
                category=KINDS[self.box_kinds[box]],
                kind=KINDS[self.box_kinds[box]],
                center_m=np.append(self.box_poses[box, :2], 0.0),
                size_m=np.append(self.box_sizes_m[box], 0.0),
                yaw_rad=float(self.box_poses[box, 2]),
            )
            for box in boxes
        ]

    def ego_SE2_planning(self, row: int) -> SE2 | None:
        """Return the planning frame of a clip; None where there is none."""
        x_m, y_m, yaw_rad = self.planning[row].tolist()
        return None if np.isnan(yaw_rad) else SE2(yaw_rad, np.array([x_m, y_m]))


def read(path: Path) -> ClipTable:
    """Read a clip table.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no Parquet file, has other columns, or a value is missing, unknown or
            not finite; the message names file, column and what to do.
    """
    try:
        table = pq.read_table(path, columns=SCHEMA.names).cast(SCHEMA)
        table.validate(full=True)
    except FileNotFoundError:
        raise
    except (pa.ArrowException, KeyError, ValueError, OSError) as error:
        raise _unusable(path, f"no clip table ({error})") from error
    columns = {name: table[name].combine_chunks() for name in SCHEMA.names}
    _require_whole(path, columns)
    world, planning = (_stack(columns, names) for names in (_WORLD, _PLANNING))
    starts, boxes = _boxes(path, columns)
    if not np.isfinite(world).all() or not np.isfinite(boxes).all():
        raise _unusable(path, "a pose or a box has values that are not finite")
    return ClipTable(
        source=str(path),
        ids=columns["id"].to_pylist(),
        logs=columns["log"].to_pylist(),
        timestamps_ns=columns["timestamp_ns"].to_numpy(),
        tags=[dict(pairs) for pairs in columns["tags"].to_pylist()],
        speeds_mps=columns["speed_mps"].to_numpy(zero_copy_only=False),
        speed_words=columns["speed_word"].to_pylist(),
        path_words=columns["path_word"].to_pylist(),
        world=world,
        planning=planning,
        box_starts=starts,
        box_ids=_codes(columns["box_id"].flatten())[1],
        box_poses=boxes[:, :3],
        box_sizes_m=boxes[:, 3:],
        box_kinds=_kinds(path, columns["box_kind"].flatten()),
        box_observed=columns["box_observed"].flatten().to_numpy(zero_copy_only=False).astype(bool),
    )


def _require_whole(path: Path, columns: Mapping[str, Any]) -> None:
    """Refuse empty values where there must be some, and repeated clips."""
    for name, column in columns.items():
        if not SCHEMA.field(name).nullable and column.null_count:
            raise _unusable(path, f"column {name} has {column.null_count} empty values")
    if len(columns["id"].unique()) != len(columns["id"]):
        raise _unusable(path, "a clip id comes twice")


def _stack(columns: Mapping[str, Any], names: Sequence[str]) -> Floats:
    numbers = [columns[name].to_numpy(zero_copy_only=False).astype(np.float64) for name in names]
    return np.stack(numbers, axis=1)


def _boxes(path: Path, columns: Mapping[str, Any]) -> tuple[Ints, Floats]:
    """Return (n + 1,) where each clip's boxes begin and (b, 5) their numbers."""
    lists = [name for name in SCHEMA.names if name.startswith("box_")]
    lengths = {name: columns[name].value_lengths().to_numpy(zero_copy_only=False) for name in lists}
    for name in lists[1:]:
        if (uneven := np.flatnonzero(lengths[name] != lengths[lists[0]])).size:
            row = int(uneven[0])
            raise _unusable(
                path,
                f"row {row}: {name} has {lengths[name][row]} values for "
                f"{lengths[lists[0]][row]} of {lists[0]}",
            )
        if empty := columns[name].flatten().null_count:
            raise _unusable(path, f"column {name} has {empty} empty values")
    starts = np.concatenate([[0], np.cumsum(lengths[lists[0]], dtype=np.int64)])
    return starts, _stack({name: columns[name].flatten() for name in _BOX}, _BOX)


def _kinds(path: Path, kinds: Any) -> Ints:
    words, codes = _codes(kinds)
    if unknown := sorted(set(words) - set(KINDS)):
        raise _unusable(path, f"box_kind {unknown[0]!r} is none of {', '.join(KINDS)}")
    return np.array([KINDS.index(word) for word in words], dtype=np.int64)[codes]


def _codes(texts: Any) -> tuple[list[Any], Ints]:
    """Return the different texts of a column, and of each row which it is."""
    encoded = texts.dictionary_encode()
    codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return encoded.dictionary.to_pylist(), codes


def _unusable(path: Path, fault: str) -> ValueError:
    return ValueError(f"{path}: {fault}; generate the samples again, which writes it anew")
