"""Builds the indexes that datasets list their logs from, side by side."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from impromptu.datasets import Dataset
from impromptu.progress import track
from impromptu.workers import side_by_side


@dataclass(frozen=True, slots=True)
class _Index:
    build: Callable[[Path, Path], object]
    root: Path
    scratch: Path


def build_indexes(places: Sequence[tuple[Dataset, Path, Path]], workers: int) -> None:
    """Build what is not there yet.

    What cannot be built is not: listing the dataset's logs, which needs it, will tell why.

    Args:
        places: Datasets, each with its folder and that of its indexes.
        workers: How many are built at once.
    """
    indexes = [
        _Index(build, root, scratch)
        for dataset, root, scratch in places
        for build in dataset.indexes
    ]
    built = side_by_side(_build, indexes, min(workers, len(indexes)))
    if indexes:
        for _ in track(built, len(indexes), "indexes", "tables"):
            pass


def _build(index: _Index) -> None:
    with suppress(OSError, ValueError):
        index.build(index.root, index.scratch)
