"""Writes clips as the table that scoring reads; no prompt is ever made from it."""

from collections.abc import Iterable
from itertools import islice
from math import hypot
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from impromptu.clip import Agent, Clip, MetaAction, Unanswerable
from impromptu.clip_table import SCHEMA
from impromptu.files import atomic_bytes
from impromptu.geometry import SE2
from impromptu.preset import STRICT

_TOGETHER = 16
"""Logs that are written as one group of rows; a group for each takes three times as long."""


def rows_table(rows: list[dict[str, Any]]) -> pa.Buffer:
    """Return the rows of some clips, such as those of one log, as an Arrow file: in no time."""
    file = pa.BufferOutputStream()
    with pa.ipc.new_file(file, SCHEMA) as writer:
        writer.write_table(pa.Table.from_pylist(rows, SCHEMA))
    return file.getvalue()


def join_tables(path: Path, tables: Iterable[bytes | pa.Buffer]) -> None:
    """Write one Parquet table of several such files, in order; hold few of them at a time."""
    rest = (pa.ipc.open_file(pa.BufferReader(table)).read_all() for table in tables)
    with atomic_bytes(path) as file, pq.ParquetWriter(file, SCHEMA, compression="zstd") as writer:
        while held := list(islice(rest, _TOGETHER)):
            writer.write_table(pa.concat_tables(held))


def clip_row(clip: Clip) -> dict[str, Any]:
    """Return a row of ``clip_table.SCHEMA`` as plain values, None where something is not known."""
    seen, action = clip.observation, _action(clip)
    return {
        "id": clip.id,
        "log": clip.log,
        "timestamp_ns": clip.timestamp_ns,
        "tags": dict(sorted(clip.tags.items())),
        "speed_mps": seen.status and _rounded(hypot(*seen.status.velocity_mps)),
        "speed_word": action and action.speed,
        "path_word": action and action.path,
        **_pose("world", clip.world_SE2_ego),
        **_pose("planning", seen.ego_SE2_planning),
        **_boxes(seen.agents),
    }


def _action(clip: Clip) -> MetaAction | None:
    """Return what the ego does over the next 3 s, where that is known."""
    try:
        return STRICT.ego_action(clip)
    except Unanswerable:
        return None


def _pose(name: str, frame: SE2 | None) -> dict[str, float | None]:
    x_m, y_m = (None, None) if frame is None else map(_rounded, frame.translation_m.tolist())
    yaw_rad = None if frame is None else _rounded(frame.yaw_rad)
    return {f"{name}_x_m": x_m, f"{name}_y_m": y_m, f"{name}_yaw_rad": yaw_rad}


def _boxes(agents: Iterable[Agent]) -> dict[str, list[Any]]:
    """Return a column for each of a box's properties, in the present ego frame."""
    centers = [agent.center_m.tolist() for agent in agents]
    sizes = [agent.size_m.tolist() for agent in agents]
    return {
        "box_id": [agent.id for agent in agents],
        "box_kind": [agent.kind for agent in agents],
        "box_category": [agent.category for agent in agents],
        "box_x_m": [_rounded(center[0]) for center in centers],
        "box_y_m": [_rounded(center[1]) for center in centers],
        "box_yaw_rad": [_rounded(agent.yaw_rad) for agent in agents],
        "box_length_m": [_rounded(size[0]) for size in sizes],
        "box_width_m": [_rounded(size[1]) for size in sizes],
        "box_observed": [agent.observed for agent in agents],
    }


def _rounded(value: float) -> float:
    """Round to micrometres: the last bits differ from run to run, and no log knows them."""
    return round(value, 6) + 0.0
