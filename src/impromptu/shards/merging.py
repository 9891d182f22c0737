"""All datasets' question files -> ``q{n}.json`` and ``<split>.json``, and their registration."""

import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from impromptu.conversation import registry_entry
from impromptu.files import atomic_bytes, read_json, write_json
from impromptu.json_stream import Broken
from impromptu.progress import track
from impromptu.registry import REGISTRY
from impromptu.shards import SPLITS, TASKS
from impromptu.shards.counts import Counts, record, told
from impromptu.shards.formatting import question_files
from impromptu.shards.record_lines import BEGINS, RecordWriter, dumped, record_lines
from impromptu.workers import side_by_side

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Unit:
    """A question's files of all datasets, and the file they become."""

    task: str
    paths: tuple[Path, ...]
    merged: Path


@dataclass(frozen=True, slots=True)
class Result:
    """What a split came to.

    Attributes:
        folder: Where its files are.
        names: As they are registered; the first is of all questions.
        counts: Records by task and what became of them.
        renamed: Records that got another id, because theirs was not unique.
        missing: Files that should be there.
        shared: Image paths that another split has too, by split; a few of them, and how many.
    """

    folder: Path
    names: Sequence[str]
    counts: Counts
    renamed: int
    missing: Sequence[Path]
    shared: dict[str, tuple[int, Sequence[str]]]


def merge(root: Path, split: str, output_dir: str, workers: int) -> Result:
    """Write ``root/<output_dir>/<split>/{q1 ... q7, <split>}.json`` and register them in ``root``.

    Raises:
        FileNotFoundError: No dataset has a file of the split.
        ValueError: ``output_dir`` leads out of ``root``, or the registry is none.
    """
    folder = Path(os.path.normpath(root / output_dir / split))
    if not folder.is_relative_to(os.path.normpath(root)):
        raise ValueError(
            f"--output_dir {output_dir}: expected a folder inside of {root}, because image paths "
            "are relative to that"
        )
    paths = question_files(root, split)
    missing = [path for path in paths if not path.is_file()]
    units = [_unit(task, paths, folder) for task in TASKS]
    done = dict(track(_merged(units, workers), len(units), "files", "merge"))
    _join([unit.merged for unit in units], folder / f"{split}.json")
    names = _register(root, folder, split)
    shared = _shared(folder / f"{split}.json", root / output_dir, split)
    counts = {unit.task: done[unit][0] for unit in units}
    result = Result(folder, names, counts, sum(n for _, n in done.values()), missing, shared)
    _record(root, split, result)
    return result


def _unit(task: str, paths: Sequence[Path], folder: Path) -> Unit:
    mine = tuple(path for path in paths if path.stem == task and path.is_file())
    return Unit(task, mine, folder / f"{task}.json")


def _merged(units: Sequence[Unit], workers: int) -> Iterator[tuple[Unit, tuple[Counter[str], int]]]:
    return side_by_side(_work, units, min(workers, len(units)))


def _work(unit: Unit) -> tuple[Counter[str], int]:
    """Merge a question's files; return what became of the records, and how many were renamed."""
    if (count := _as_they_should_be(unit)) is not None:
        _join(unit.paths, unit.merged)
        return Counter(written=count), 0
    counts, renamed, seen = Counter[str](), 0, set[bytes]()
    told = f"/{unit.task}".encode()
    with atomic_bytes(unit.merged) as file:
        writer = RecordWriter(file)
        for path in unit.paths:
            for line in record_lines(path):
                if isinstance(line, Broken):
                    counts[line.reason] += 1
                    continue
                name = _id(line)
                if name in seen or told not in name:
                    line, name = _renamed(line, path.parent.name, unit.task, seen)
                    renamed += 1
                seen.add(name)
                writer.write(line)
                counts["written"] += 1
        writer.end()
    return counts, renamed


def _as_they_should_be(unit: Unit) -> int | None:
    """Count the records of files that can be joined as they are; None at the first that cannot."""
    told, seen, wanted = f"/{unit.task}".encode(), set[bytes](), 0
    for path in unit.paths:
        size, before = len(b"[\n]\n"), wanted
        for line in record_lines(path):
            if isinstance(line, Broken) or told not in (name := _id(line)):
                return None
            seen.add(name)
            size, wanted = size + len(line) + len(b",\n"), wanted + 1
        if len(seen) < wanted or size - (wanted > before) != path.stat().st_size:
            return None
    return wanted


def _id(line: bytes) -> bytes:
    """Return the id of a record as it stands in its line, without reading the rest."""
    name = line[len(BEGINS) : line.find(b'"', len(BEGINS))]
    if line.startswith(BEGINS) and b"\\" not in name:
        return name
    row = json.loads(line)
    return str(row.get("id", "") if isinstance(row, dict) else "").encode(errors="replace")


def _renamed(line: bytes, dataset: str, task: str, seen: set[bytes]) -> tuple[bytes, bytes]:
    """Give a record an id that no other has: published ones count from 0 in every shard."""
    row = json.loads(line)
    stem = str(row.get("id", "")).removesuffix(f"/{task}")
    stem = stem if stem.startswith(f"{dataset}/") else f"{dataset}/{stem}"
    name, again = f"{stem}/{task}", 1
    while name.encode() in seen:
        again += 1
        name = f"{stem}~{again}/{task}"
    return dumped({"id": name} | row | {"id": name}), name.encode()


def _join(paths: Sequence[Path], joined: Path) -> None:
    """Write one list of several that were written here, without looking at their records."""
    with atomic_bytes(joined) as file:
        file.write(b"[")
        first = True
        for path in paths:
            with path.open("rb") as part:
                if path.stat().st_size > len(b"[\n]\n"):
                    file.write(b"" if first else b",")
                    first = False
                    part.seek(1)
                    shutil.copyfileobj(part, file, 1 << 20)
                    file.seek(-len(b"\n]\n"), os.SEEK_CUR)
                    file.truncate()
        file.write(b"\n]\n")


def _register(root: Path, folder: Path, split: str) -> list[str]:
    """Add the files to the registry, beside what it has."""
    path = root / REGISTRY
    known = read_json(path) if path.is_file() else {}
    if not isinstance(known, dict):
        raise ValueError(f"{path}: expected an object of entries by name, got {known!r:.80}")
    files = {f"impromptu_{split}": f"{split}.json"}
    files |= {f"impromptu_{task}_{split}": f"{task}.json" for task in TASKS}
    inside = Path(os.path.relpath(folder, root))
    mine = {name: registry_entry((inside / file).as_posix()) for name, file in files.items()}
    write_json(path, dict(sorted((known | mine).items())))
    return [*files]


def _shared(mine: Path, folder: Path, split: str) -> dict[str, tuple[int, Sequence[str]]]:
    """Look for images that another merged split has too."""
    others = {other: folder / other / f"{other}.json" for other in SPLITS if other != split}
    if not (there := {other: path for other, path in others.items() if path.is_file()}):
        return {}
    known = {hash(image) for line in record_lines(mine) for image in _images(line)}
    shared: dict[str, tuple[int, Sequence[str]]] = {}
    for other, path in there.items():
        both = {i for line in record_lines(path) for i in _images(line) if hash(i) in known}
        if both:
            shared[other] = (len(both), sorted(i.decode(errors="replace") for i in both)[:_SHOWN])
    return shared


def _images(line: bytes | Broken) -> list[bytes]:
    """Return the image paths of a record, as they stand in its line."""
    if isinstance(line, Broken):
        return []
    start = line.find(b'"images": ["') + 12
    end = line.find(b'"]', start)
    if start < 12 or end < 0:
        return []
    return line[start:end].split(b'", "')


def _record(root: Path, split: str, result: Result) -> None:
    entry = {
        "questions": told(result.counts),
        "renamed": result.renamed,
        "missing": [path.relative_to(root).as_posix() for path in result.missing],
        "images_shared": {
            split: {"images": n, "such_as": list(some)}
            for split, (n, some) in result.shared.items()
        },
    }
    record(root / split, "merge", entry)
