"""Fixtures that several folders of tests share."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from impromptu.clip_table import SCHEMA


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random-weight Qwen2.5-VL."""
    pytest.importorskip("torch", reason="needs the train extra: torch")
    pytest.importorskip("transformers", reason="needs the train extra: transformers")
    from impromptu import tiny_model

    return tiny_model.build(tmp_path_factory.mktemp("checkpoints") / "tiny")


@pytest.fixture(scope="session")
def clip_row() -> Callable[..., dict[str, Any]]:
    """A row of a clip table: (clip id, time in s, (x, y, yaw) in the world, boxes, more columns).

    A box is (kind, x, y, yaw) in the ego frame and 4 x 2 m large.
    """

    def row(
        name: str,
        at_s: float,
        pose: tuple[float, float, float],
        boxes: Sequence[tuple[str, float, float, float]] = (),
        **more: Any,
    ) -> dict[str, Any]:
        return {
            "id": name,
            "log": name.split("/")[1],
            "timestamp_ns": round(at_s * 1e9),
            "tags": {},
            "world_x_m": pose[0],
            "world_y_m": pose[1],
            "world_yaw_rad": pose[2],
            "planning_x_m": 0.94,
            "planning_y_m": 0.0,
            "planning_yaw_rad": 0.0,
            "box_id": [f"b{k}" for k in range(len(boxes))],
            "box_kind": [box[0] for box in boxes],
            "box_category": [box[0] for box in boxes],
            "box_x_m": [box[1] for box in boxes],
            "box_y_m": [box[2] for box in boxes],
            "box_yaw_rad": [box[3] for box in boxes],
            "box_length_m": [4.0] * len(boxes),
            "box_width_m": [2.0] * len(boxes),
            "box_observed": [True] * len(boxes),
        } | more

    return row


@pytest.fixture(scope="session")
def write_clips() -> Callable[[Path, Sequence[Mapping[str, Any]]], Path]:
    """Write rows as a clip table."""

    def write(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist([dict(row) for row in rows], schema=SCHEMA), path)
        return path

    return write
