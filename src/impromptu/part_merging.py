"""Puts the finished parts of one dataset split together: its sample files and its clip table."""

from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from impromptu.clip_rows import join_tables
from impromptu.clip_table import clip_file
from impromptu.files import atomic_bytes
from impromptu.part import BETWEEN, read_clips, read_samples


@dataclass(frozen=True, slots=True)
class Split:
    """The parts of a dataset split, in the order of its logs, and the folder of what they make."""

    dataset: str
    name: str
    parts: tuple[Path, ...]
    out: Path


def merge(split: Split) -> Counter[str]:
    """Write a split's files; return how many samples each has, by its name without ``.json``."""
    written = Counter[str]()
    with ExitStack() as stack:
        files: dict[str, IO[bytes]] = {}
        for part in split.parts:
            for key, number, samples in read_samples(part):
                if key not in files:
                    files[key] = stack.enter_context(atomic_bytes(split.out / f"{key}.json"))
                files[key].write(BETWEEN.encode() if written[key] else b"[\n")
                files[key].write(samples)
                written[key] += number
        for file in files.values():
            file.write(b"\n]\n")
    join_tables(split.out / clip_file(split.dataset, split.name), map(read_clips, split.parts))
    return written
