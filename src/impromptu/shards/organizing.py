"""Shards -> ``<split>/<dataset>/q{1..7}.json``: in parallel, resumable, every loss counted."""

import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from impromptu.files import alone, atomic_bytes, fingerprint, read_json, write_json
from impromptu.manifest import code
from impromptu.progress import track
from impromptu.shards import TASKS
from impromptu.shards.counts import Counts, losses, record, told
from impromptu.shards.finding import Found, Shard, find
from impromptu.shards.reading import Losses, read_shard
from impromptu.workers import side_by_side

IMAGES = "images"
_WORK = ".work"
_COUNTS = "counts.json"


@dataclass(frozen=True, slots=True)
class Unit:
    """A shard to be read.

    Attributes:
        base: The folder that image paths are relative to.
        extracted: Where the images of a tar file go.
        part: The folder of what comes of it: ``q{n}``, and last ``counts.json``.
    """

    shard: Shard
    base: Path
    extracted: Path
    part: Path


@dataclass(frozen=True, slots=True)
class Result:
    """What a split came to.

    Attributes:
        found: Its shards, and those left out.
        samples: Released samples read.
        counts: Questions, by dataset, task and what became of them.
        damaged: Why the rest of a shard could not be read, by its path.
        members: Members of tar files that were passed over, by reason.
        images_written: Images taken out of tar files in this run.
    """

    found: Found
    samples: int
    counts: dict[str, Counts]
    damaged: dict[str, str]
    members: Counter[str]
    images_written: int


def organize(root: Path, out: Path, split: str, workers: int) -> Result:
    """Write the question files of a split.

    Args:
        root: Folder of a folder of shards for each dataset.
        out: Folder for the split's folder; image paths are relative to it. Of tar files the images
            that samples show are written to ``<split>/<dataset>/images/<shard>/``.
        split: ``train``, ``val`` or ``test``.
        workers: Shards read at once.

    Raises:
        FileNotFoundError, ValueError: There is no shard of the split.
        OSError: Something cannot be written, or there is no room for the images.
    """
    root, out = (Path(os.path.realpath(path)) for path in (root, out))
    found = find(root, split)
    folder = out / split
    with alone(folder / _WORK):
        units = [_unit(shard, out, folder) for shard in found.shards]
        _require_room(units)
        done = {unit.part: read_json(unit.part / _COUNTS) for unit in units if _is_done(unit.part)}
        todo = [unit for unit in units if unit.part not in done]
        made = side_by_side(_work, todo, min(workers, len(todo)))
        for unit, counted in track(made, len(todo), "shards", "organize"):
            done[unit.part] = counted
        result = _result(found, units, [done[unit.part] for unit in units])
        for dataset in result.counts:
            _join(folder / dataset, [u.part for u in units if u.shard.dataset == dataset])
        _record(folder, units, result)
        for unit in units:
            shutil.rmtree(unit.part, ignore_errors=True)
    return result


def _unit(shard: Shard, out: Path, folder: Path) -> Unit:
    tar = [shard.path] if shard.path.is_file() else []
    state = fingerprint(tar, shard.path.parent) if tar else _folder_state(shard.path)
    made_of = json.dumps([code(), str(shard.path), str(out), state])
    part = folder / _WORK / hashlib.sha256(made_of.encode()).hexdigest()[:32]
    return Unit(shard, out, folder / shard.dataset / IMAGES / shard.name, part)


def _folder_state(path: Path) -> str:
    """Tell an unpacked shard's state; files that are edited in place do not change it."""
    return str(path.stat().st_mtime_ns)


def _require_room(units: Sequence[Unit]) -> None:
    tars = [u for u in units if u.shard.path.is_file() and not u.extracted.is_dir()]
    if not tars:
        return
    place = next(parent for parent in tars[0].extracted.parents if parent.is_dir())
    needed = sum(unit.shard.path.stat().st_size for unit in tars)
    if needed > (free := shutil.disk_usage(place).free):
        raise OSError(
            f"the images of {len(tars)} tar files take up to {needed / 1e9:.1f} GB, {place} has "
            f"{free / 1e9:.1f} GB free; choose another --out, or unpack the files elsewhere and "
            "name that folder with --data_root"
        )


def _is_done(part: Path) -> bool:
    """Tell whether a part is there to its end; a crash may have cut its files."""
    if not (part / _COUNTS).is_file():
        return False
    sizes = read_json(part / _COUNTS)["sizes"]
    return all(
        (part / task).is_file() and (part / task).stat().st_size == size
        for task, size in sizes.items()
    )


def _work(unit: Unit) -> dict[str, Any]:
    """Read a shard into its part; return the counts that close it."""
    lost, samples = Losses(), 0
    counts: Counts = {task: Counter() for task in TASKS}
    unit.part.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        files = {
            task: stack.enter_context((unit.part / task).open("wb", buffering=1 << 18))
            for task in TASKS
        }
        for sample in read_shard(unit.shard, unit.base, unit.extracted, lost):
            samples += 1
            for task, one in sample:
                counts[task]["written" if one.line else one.lost or "not_asked"] += 1
                if one.line:
                    files[task].write(b",\n" + one.line.encode())
        sizes = {task: file.tell() for task, file in files.items()}
    counted = {
        "samples": samples,
        "counts": counts,
        "members": lost.members,
        "damage": lost.damage,
        "images_written": lost.images_written,
        "sizes": sizes,
    }
    write_json(unit.part / _COUNTS, counted)
    return counted


def _result(found: Found, units: Sequence[Unit], counted: Sequence[dict[str, Any]]) -> Result:
    counts: dict[str, Counts] = {}
    for unit, one in zip(units, counted, strict=True):
        known = counts.setdefault(unit.shard.dataset, {task: Counter() for task in TASKS})
        for task, counter in one["counts"].items():
            known[task].update(counter)
    return Result(
        found,
        sum(one["samples"] for one in counted),
        counts,
        {
            str(unit.shard.path): one["damage"]
            for unit, one in zip(units, counted, strict=True)
            if one["damage"]
        },
        sum((Counter(one["members"]) for one in counted), Counter[str]()),
        sum(one["images_written"] for one in counted),
    )


def _join(folder: Path, parts: Sequence[Path]) -> None:
    """Write a dataset's question files, all seven, of the parts of its shards."""
    for task in TASKS:
        with atomic_bytes(folder / f"{task}.json") as file:
            file.write(b"[")
            first = True
            for part in parts:
                with (part / task).open("rb") as lines:
                    first = _append(file, lines, first)
            file.write(b"\n]\n")


def _append(file: IO[bytes], lines: IO[bytes], first: bool) -> bool:
    """Add a part, each of whose records begins with a comma; tell whether none was added yet."""
    comma = lines.read(1)
    if comma and not first:
        file.write(comma)
    shutil.copyfileobj(lines, file, 1 << 20)
    return first and not comma


def _record(folder: Path, units: Sequence[Unit], result: Result) -> None:
    shards = Counter(unit.shard.dataset for unit in units)
    entry = {
        "samples": result.samples,
        "questions": {
            dataset: {"shards": shards[dataset]} | told(counts)
            for dataset, counts in result.counts.items()
        },
        "members_passed_over": dict(sorted(result.members.items())),
        "shards_damaged": {Path(path).name: why for path, why in sorted(result.damaged.items())},
        "shards_of_several_splits": [path.name for path in result.found.unclear],
        "tar_files_beside_their_folders": [path.name for path in result.found.unpacked],
        "dropped": dict(sorted(_all_losses(result).items())),
    }
    record(folder, "organize", entry)


def _all_losses(result: Result) -> Counter[str]:
    return sum(map(losses, result.counts.values()), Counter[str]())
