"""A generated folder -> WebDataset tar shards in the released naming, with sums and a card."""

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from impromptu.content_keys import content_key
from impromptu.files import (
    alone,
    atomic_bytes,
    atomic_writer,
    read_json,
    require_writable,
    write_json,
)
from impromptu.manifest import MANIFEST
from impromptu.progress import track
from impromptu.shards import TASKS
from impromptu.shards.card import write_card
from impromptu.shards.counts import Counts, told
from impromptu.shards.joining import Joined, Part, clip_ids, join, parts
from impromptu.workers import side_by_side

SUMS = "SHA256SUMS"
_DONE = ".pack"
_BLOCK = 512


@dataclass(frozen=True, slots=True)
class Plan:
    """A shard to be written.

    Attributes:
        path: The tar file.
        samples: (idx, sample) in order.
        digest: Of all that decides its bytes.
        done: Where it is recorded once it is there.
    """

    path: Path
    samples: Sequence[tuple[str, Joined]]
    digest: str
    done: Path


@dataclass(frozen=True, slots=True)
class Result:
    """What was packed.

    Attributes:
        shards: What is recorded of each shard, by its path below the folder.
        counts: Questions by dataset, split, task and what became of them.
        written: Shards written in this run.
        left_out: Registered files that released shards have no place for.
        shared: (log, split, log, split, images) of logs that show the same images in two splits.
    """

    shards: dict[str, dict[str, Any]]
    counts: dict[str, dict[str, Counts]]
    written: int
    left_out: Sequence[str]
    shared: Sequence[tuple[str, str, str, str, int]]


def pack(folder: Path, out: Path, shard_bytes: int, workers: int) -> Result:
    """Write ``out/<dataset>/<dataset>_<split>_<number>.tar``, sums, manifest and card.

    A shard that an earlier run wrote of the same samples and images stays.

    Args:
        folder: The ``--out`` folder of generation.
        out: An empty folder, or one that this wrote.
        shard_bytes: A shard is closed before it grows beyond this; one sample always fits.
        workers: Shards written at once.

    Raises:
        FileNotFoundError, ValueError: The folder holds nothing to pack, or a log is in two splits.
        OSError: Something cannot be written.
    """
    folder, out = (Path(os.path.realpath(path)) for path in (folder, out))
    every, left_out = parts(folder)
    _refuse_shared_logs(folder, every)
    if out.is_dir() and any(out.iterdir()) and not (out / _DONE).is_dir():
        raise ValueError(f"{out}: it holds what this did not write; choose another --out")
    counts: dict[str, dict[str, Counts]] = {}
    require_writable(out / _DONE)
    with alone(out / _DONE / "work"):
        plans = list[str]()
        todo = _todo(_plans(folder, out, every, shard_bytes, counts), plans)
        written = sum(1 for _ in side_by_side(_write, todo, workers))
        shards = {name: read_json(out / _DONE / f"{Path(name).name}.json") for name in plans}
        _remove_others(out, shards)
        result = Result(shards, counts, written, left_out, _shared(shards))
        _close(folder, out, result)
    return result


def _refuse_shared_logs(folder: Path, every: Sequence[Part]) -> None:
    """Refuse to pack a log in two splits.

    Raises:
        ValueError: There is one; the message names it.
    """
    split_of: dict[str, str] = {}
    for part in every:
        for log in sorted({name.rpartition("/")[0] for name in clip_ids(folder, part)}):
            if split_of.setdefault(log, part.split) != part.split:
                raise ValueError(
                    f"{folder}: log {log} is in {split_of[log]} and in {part.split}; generate the "
                    "samples again, or divide them: impromptu split"
                )


def _plans(
    folder: Path,
    out: Path,
    every: Sequence[Part],
    shard_bytes: int,
    counts: dict[str, dict[str, Counts]],
) -> Iterator[Plan]:
    for part in every:
        mine: Counts = {task: Counter() for task in TASKS}
        counts.setdefault(part.dataset, {})[part.split] = mine
        total = len(clip_ids(folder, part))
        name = f"{part.dataset}_{part.split}"
        clips = track(join(folder, part, mine), total, "clips", f"pack {name}")
        samples = (sample for clip in clips for sample in clip)
        for number, group in enumerate(_groups(samples, shard_bytes)):
            yield _plan(out / part.dataset / f"{name}_{number:06d}.tar", group, out / _DONE)


def _groups(samples: Iterator[Joined], limit: int) -> Iterator[list[tuple[str, Joined]]]:
    """Yield samples with their ``idx``, as many as fit into a shard."""
    group, size = list[tuple[str, Joined]](), 0
    for number, sample in enumerate(samples):
        own = _tar_bytes(sample)
        if group and size + own > limit:
            yield group
            group, size = [], 0
        group.append((f"{number:08d}", sample))
        size += own
    if group:
        yield group


def _tar_bytes(sample: Joined) -> int:
    sizes = [len(text) for text in sample.texts.values()]
    sizes += [path.stat().st_size for path in sample.images.values()]
    return sum(_BLOCK + -(-size // _BLOCK) * _BLOCK for size in sizes)


def _plan(path: Path, samples: Sequence[tuple[str, Joined]], done: Path) -> Plan:
    digest = hashlib.sha256()
    for idx, sample in samples:
        digest.update(idx.encode())
        for name, text in sorted(sample.texts.items()):
            digest.update(f"\0{name}\0{len(text)}\0".encode() + text)
        for name, image in sorted(sample.images.items()):
            state = image.stat()
            digest.update(f"\0{name}\0{image}\0{state.st_size}\0{state.st_mtime_ns}".encode())
    return Plan(path, samples, digest.hexdigest(), done / f"{path.name}.json")


def _todo(plans: Iterator[Plan], names: list[str]) -> Iterator[Plan]:
    """Yield the plans that are not carried out yet; note the name of each."""
    for plan in plans:
        names.append(f"{plan.path.parent.name}/{plan.path.name}")
        if not _is_done(plan):
            yield plan


def _is_done(plan: Plan) -> bool:
    if not plan.done.is_file() or not plan.path.is_file():
        return False
    known = read_json(plan.done)
    same = isinstance(known, dict) and known.get("digest") == plan.digest
    return same and plan.path.stat().st_size == known.get("size")


class _Summed:
    """A file that sums what is written to it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.sha256 = file, hashlib.sha256()

    def write(self, content: bytes) -> int:
        """Write, and add to the sum."""
        self.sha256.update(content)
        return self._file.write(content)


def _write(plan: Plan) -> None:
    """Write a shard and record it; the bytes are decided by the samples alone."""
    try:
        from webdataset import TarWriter
    except ModuleNotFoundError as error:
        error.add_note("packing shards needs more: pip install 'impromptu-vla[shards]'")
        raise
    keys = dict[str, set[int]]()
    with atomic_bytes(plan.path) as file:
        summed = _Summed(file)
        plain = {"encoder": False, "compress": False, "user": "", "group": "", "mtime": 0}
        with TarWriter(summed, mode=0o644, **plain) as tar:
            for idx, sample in plan.samples:
                images = {name: path.read_bytes() for name, path in sample.images.items()}
                tar.write({"__key__": idx, **sample.texts, **images})
                here = (content_key(path) for path in sample.images.values())
                keys.setdefault(sample.log, set()).update(k for k in here if k is not None)
        size = file.tell()
    recorded = {
        "digest": plan.digest,
        "size": size,
        "sha256": summed.sha256.hexdigest(),
        "samples": len(plan.samples),
        "images": {log: sorted(found) for log, found in sorted(keys.items())},
    }
    write_json(plan.done, recorded)


def _remove_others(out: Path, shards: Mapping[str, object]) -> None:
    """Take away the shards that an earlier run wrote and this one has no place for."""
    kept = {Path(name).name for name in shards}
    for record in (out / _DONE).glob("*.tar.json"):
        if (name := record.name.removesuffix(".json")) not in kept:
            for old in out.glob(f"*/{name}"):
                old.unlink()
            record.unlink()


def _shared(shards: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str, str, str, int]]:
    """Find logs that show the same images in two splits: one drive under two names."""
    seen: dict[int, tuple[str, str]] = {}
    both = Counter[tuple[str, str, str, str]]()
    for name, shard in shards.items():
        split = name.rpartition("_")[0].rpartition("_")[2]
        for log, keys in shard["images"].items():
            for key in keys:
                first, its = seen.setdefault(key, (log, split))
                if its != split:
                    both[first, its, log, split] += 1
    return [(*pair, count) for pair, count in sorted(both.items())]


def _close(folder: Path, out: Path, result: Result) -> None:
    """Write sums, card and manifest, the manifest last."""
    with atomic_writer(out / SUMS) as file:
        file.writelines(f"{one['sha256']}  {name}\n" for name, one in result.shards.items())
    shards = {
        name: {key: one[key] for key in ("samples", "size", "sha256")}
        for name, one in result.shards.items()
    }
    manifest = {
        "shards": shards,
        "questions": {
            dataset: {split: told(counts) for split, counts in splits.items()}
            for dataset, splits in result.counts.items()
        },
        "left_out": list(result.left_out),
        "logs_that_share_images": [
            dict(zip(("log", "split", "other_log", "other_split", "images"), pair, strict=True))
            for pair in result.shared
        ],
        "generated": _generated(folder),
    }
    write_card(out, folder, manifest)
    write_json(out / MANIFEST, manifest)


def _generated(folder: Path) -> Any:
    """Return how the samples were made, as far as it is known."""
    path = folder / MANIFEST
    known = read_json(path) if path.is_file() else {}
    known = known if isinstance(known, dict) else {}
    return {key: known.get(key) for key in ("recipe", "versions", "split")}
