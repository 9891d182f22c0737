"""Keyframes that a teacher has judged, written down by hand."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from impromptu.curation.label_table import SCHEMA, VOTES

Rows = Sequence[Mapping[str, Any]]


def keyframe(name: str, at_s: float, votes: Sequence[int] = (), **more: Any) -> dict[str, Any]:
    """A keyframe ``<dataset>/<log>/<n>`` with votes of three labels; without any, conventional."""
    dataset, log, _ = name.split("/")
    return {
        "id": name,
        "dataset": dataset,
        "split": "train",
        "log": log,
        "timestamp_ns": round(at_s * 1e9),
        "world_x_m": 20.0 * at_s,
        "world_y_m": 0.0,
        "world_yaw_rad": 0.0,
        "image": "a.jpg",
        "state": "labelled" if votes else "conventional",
        "labels": 3 if votes else 0,
        **dict(zip(VOTES, votes or (0, 0, 0, 0), strict=True)),
        "image_hash": None,
    } | more


def drive(log: str, votes: Sequence[Sequence[int]], **more: Any) -> list[dict[str, Any]]:
    """Keyframes of one log, half a second apart."""
    return [keyframe(f"{log}/{k:03d}", 0.5 * k, of, **more) for k, of in enumerate(votes)]


def table(rows: Rows) -> Any:
    return pa.Table.from_pylist([dict(row) for row in rows], schema=SCHEMA)


@pytest.fixture
def write_labels(tmp_path: Path) -> Callable[..., Path]:
    """Write rows as a label table, so many a row group."""

    def write(rows: Rows, name: str = "labels.parquet", group: int = 1000) -> Path:
        pq.write_table(table(rows), tmp_path / name, row_group_size=group)
        return tmp_path / name

    return write
