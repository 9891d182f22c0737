"""What is known of every keyframe before the selection: a Parquet file, a row a keyframe.

It is read by row groups, as many whole logs at a time as one holds, so that two million keyframes
need no more memory than a few thousand. A log's rows follow each other; their order within it,
the order of logs and that of files change nothing.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from impromptu.arrays import Floats, Ints
from impromptu.curation.taxonomy import CATEGORIES

State = Literal[
    "labelled", "no_image", "not_described", "not_identified", "not_labelled", "conventional"
]
STATES: tuple[State, ...] = get_args(State)
VOTES = tuple(f"votes_{name}" for name in CATEGORIES)
SCHEMA = pa.schema(
    [
        *(
            pa.field(name, pa.string(), nullable=False)
            for name in ("id", "dataset", "split", "log")
        ),
        pa.field("timestamp_ns", pa.int64(), nullable=False),
        *(
            pa.field(f"world_{name}", pa.float64(), nullable=False)
            for name in ("x_m", "y_m", "yaw_rad")
        ),
        pa.field("image", pa.string()),
        pa.field("state", pa.string(), nullable=False),
        pa.field("labels", pa.int32(), nullable=False),
        *(pa.field(name, pa.int32(), nullable=False) for name in VOTES),
        pa.field("image_hash", pa.uint64()),
    ]
)
"""``labels`` is how many answers there are, ``votes_...`` how many of them name a category. The
hash is there for keyframes with any vote, if their image could be decoded."""


def logs_of(paths: Sequence[Path]) -> Iterator[pa.Table]:
    """Yield tables of whole logs, together all rows of the files in their order.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no label table; or a log's rows do not follow each other.
    """
    ended = set[tuple[str, str]]()
    for path in paths:
        held: list[pa.Table] = []
        for rows in _groups(path):
            last = int(_first_of_last_log(rows))
            if last == 0 and held and _name(held[0], 0) == _name(rows, 0):
                held.append(rows)
                continue
            yield from _whole([*held, rows.slice(0, last)], ended, path)
            held = [rows.slice(last)]
        yield from _whole(held, ended, path)


def _groups(path: Path) -> Iterator[pa.Table]:
    try:
        with pq.ParquetFile(path) as file:
            for number in range(file.num_row_groups):
                rows = file.read_row_group(number, columns=SCHEMA.names).cast(SCHEMA)
                rows.validate(full=True)
                if rows.num_rows:
                    yield _sound(path, rows.combine_chunks())
    except FileNotFoundError:
        raise
    except (pa.ArrowException, KeyError, OSError) as error:
        raise ValueError(
            f"{path}: no label table ({error}); let impromptu curate write it"
        ) from error


def _sound(path: Path, rows: pa.Table) -> pa.Table:
    for name in SCHEMA.names:
        if not SCHEMA.field(name).nullable and rows[name].null_count:
            raise ValueError(f"{path}: column {name} has {rows[name].null_count} empty values")
    if unknown := sorted(set(rows["state"].unique().to_pylist()) - set(STATES)):
        raise ValueError(f"{path}: state {unknown[0]!r} is none of {', '.join(STATES)}")
    return rows


def _name(rows: pa.Table, row: int) -> tuple[str, str]:
    return rows["dataset"][row].as_py(), rows["log"][row].as_py()


def _first_of_last_log(rows: pa.Table) -> int:
    starts = log_starts(rows)
    return int(starts[-1])


def log_starts(rows: pa.Table) -> Ints:
    """Return the rows at which a log begins, the first row among them."""
    code = codes(rows["dataset"]), codes(rows["log"])
    changes = np.flatnonzero(np.any([np.diff(one) != 0 for one in code], axis=0)) + 1
    return np.concatenate([[0], changes])


def codes(column: Any) -> Ints:
    """Return a number for each text of a column, the same for the same text."""
    encoded = column.combine_chunks().dictionary_encode()
    numbers: Ints = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return numbers


def _whole(
    parts: Sequence[pa.Table], ended: set[tuple[str, str]], path: Path
) -> Iterator[pa.Table]:
    """Yield the rows of some parts, all logs of which end with them."""
    rows = pa.concat_tables(parts).combine_chunks() if parts else SCHEMA.empty_table()
    if not rows.num_rows:
        return
    for row in log_starts(rows).tolist():
        name = _name(rows, row)
        if name in ended:
            raise ValueError(f"{path}: the rows of log {'/'.join(name)} do not follow each other")
        ended.add(name)
    yield rows


def numbers(rows: pa.Table, names: Iterable[str]) -> Floats:
    """Return columns as (n, k) numbers."""
    return np.stack([rows[name].to_numpy().astype(np.float64) for name in names], axis=1)
