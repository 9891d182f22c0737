"""All keyframes of a generation as one Parquet file: who, when, where, and the front image.

Who, when and where are in the clip tables; the front image is that of the q4 prompt, which shows
nothing else and is made of every clip whose front image is there.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from impromptu.conversation import Sample
from impromptu.files import atomic_bytes, read_json
from impromptu.manifest import MANIFEST
from impromptu.registry import read_samples

_TAKEN = ("id", "log", "timestamp_ns", "world_x_m", "world_y_m", "world_yaw_rad")
SCHEMA = pa.schema(
    [
        *(
            pa.field(name, pa.string(), nullable=False)
            for name in ("id", "dataset", "split", "log")
        ),
        pa.field("timestamp_ns", pa.int64(), nullable=False),
        *(pa.field(name, pa.float64(), nullable=False) for name in _TAKEN[3:]),
        pa.field("image", pa.string()),
    ]
)
"""``image`` is relative to the folder of the generation; null where there is none."""
_ROWS = 16_384


@dataclass(frozen=True, slots=True)
class Keyframe:
    """One moment of a drive, as far as a teacher is asked about it.

    Attributes:
        image: The front image; None where there is none.
    """

    id: str
    image: Path | None


def gather(samples: Path, out: Path) -> int:
    """Write the keyframes of a generation, unless they are written already; return their number.

    Args:
        samples: The folder that ``impromptu generate --questions q4`` wrote.
        out: The file.

    Raises:
        FileNotFoundError: The folder has no clip tables, or none of its q4 prompts.
        ValueError: A file is not what generation writes.
    """
    tables = sorted((samples / "clips").glob("*.parquet"))
    if not tables:
        raise FileNotFoundError(
            f"{samples / 'clips'}: no clip tables; expected a folder that `impromptu generate "
            "--questions q4` wrote"
        )
    sources = [(table, _prompts(samples, table)) for table in tables]
    mark = _mark([path for pair in sources for path in pair if path])
    if out.exists() and pq.read_schema(out).metadata == {b"made_of": mark}:
        return int(pq.read_metadata(out).num_rows)
    schema, count = SCHEMA.with_metadata({b"made_of": mark}), 0
    with atomic_bytes(out) as file, pq.ParquetWriter(file, schema, compression="zstd") as to:
        for table, prompts in sources:
            for rows in _joined(table, prompts):
                to.write_table(pa.Table.from_pylist(rows, schema))
                count += len(rows)
    return count


def _prompts(samples: Path, table: Path) -> Path | None:
    """Return the file of a split's prompts; None where q4 was asked of it without any coming out.

    Raises:
        FileNotFoundError: It was not asked.
    """
    dataset, _, split = table.stem.rpartition("_")
    path = samples / dataset / "unanswered" / f"q4_{split}.json"
    if path.is_file():
        return path
    made = read_json(samples / MANIFEST)["datasets"].get(dataset, {}).get(split, {})
    lost = f"{dataset}/unanswered/{path.name}" in made.get("files", ())
    if "q4" in made.get("questions", ()) and not lost:
        return None
    raise FileNotFoundError(
        f"{path}: no such file; front images are found by q4's prompts: generate with "
        "`--questions q4`, or all"
    )


def _mark(paths: list[Path]) -> bytes:
    told = [f"{path.resolve()} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in paths]
    return hashlib.sha256("\n".join(told).encode()).hexdigest().encode()


def _joined(table: Path, prompts: Path | None) -> Iterator[list[dict[str, Any]]]:
    """Yield rows of a split, some at a time; both files have its clips in one order."""
    dataset, _, split = table.stem.rpartition("_")
    waiting = iter(read_samples(prompts) if prompts else ())
    ahead = next(waiting, None)
    try:
        with pq.ParquetFile(table) as file:
            for batch in file.iter_batches(_ROWS, columns=list(_TAKEN)):
                rows = list[dict[str, Any]]()
                for row in batch.to_pylist():
                    image = None
                    if ahead is not None and ahead.id == f"{row['id']}/q4":
                        image, ahead = _image(ahead, table), next(waiting, None)
                    rows.append(row | {"dataset": dataset, "split": split, "image": image})
                yield rows
    except (pa.ArrowException, KeyError) as error:
        raise ValueError(f"{table}: no clip table ({error}); generate it again") from error
    if ahead is not None:
        raise ValueError(
            f"{prompts}: {ahead.id} is about no clip of {table}, or not in its order; generate "
            "both again"
        )


def _image(sample: Sample, table: Path) -> str:
    if len(sample.images) != 1:
        raise ValueError(f"{table.stem}: {sample.id}: expected one image, got {len(sample.images)}")
    return sample.images[0]


def read(path: Path, samples: Path) -> Iterator[Keyframe]:
    """Yield the keyframes in their order, with images as they can be opened."""
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(_ROWS, columns=["id", "image"]):
            for name, image in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                yield Keyframe(name, samples / image if image else None)
