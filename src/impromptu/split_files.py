"""Write a generated folder anew, each sample in the file that its log's split names."""

import json
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from impromptu.clip_table import SCHEMA, clip_file
from impromptu.conversation import registry_entry
from impromptu.files import atomic_bytes, read_json, write_json
from impromptu.json_stream import Broken
from impromptu.manifest import MANIFEST
from impromptu.progress import track
from impromptu.registry import REGISTRY
from impromptu.shards import SPLITS
from impromptu.shards.record_lines import RecordWriter, dumped, record_lines

SPLIT_FILE = "splits.json"
TABLE = re.compile(r"(?P<dataset>.+)_(?P<split>train|val|test)")


def sample_files(folder: Path) -> list[Path]:
    """Return all files of samples, those that wait for a teacher too, below the folder."""
    paths = [*folder.glob("*.json"), *folder.glob("*/*.json"), *folder.glob("*/unanswered/*.json")]
    named = [path.relative_to(folder) for path in sorted(paths) if TABLE.fullmatch(path.stem)]
    return [path for path in named if not path.parts[0].startswith(".")]


def log_of(row: Any) -> str:
    """Return ``<dataset>/<log>`` of a record of ours; else nothing."""
    told = row.get("id") if isinstance(row, dict) and isinstance(row.get("images"), list) else None
    return "/".join(told.split("/")[:2]) if isinstance(told, str) else ""


def rewrite(
    folder: Path,
    out: Path,
    files: Sequence[Path],
    split_of: Mapping[str, str],
    dropped: Counter[str],
) -> list[tuple[Path, int]]:
    """Write each record to the file of its log's split, in the order of the files."""
    groups: dict[Path, list[Path]] = {}
    for file in files:
        groups.setdefault(file.with_name(file.stem.rpartition("_")[0]), []).append(file)
    written = []
    for stem, mine in track(groups.items(), len(groups), "files", "split"):
        with ExitStack() as stack:
            writers: dict[Path, RecordWriter] = {}
            for file in sorted(mine, key=lambda path: SPLITS.index(path.stem.rpartition("_")[2])):
                for line in record_lines(folder / file):
                    row = None if isinstance(line, Broken) else json.loads(line)
                    if (name := split_of.get(log_of(row))) is None or row is None:
                        dropped["not_json" if row is None else "no_known_log"] += 1
                        continue
                    path = stem.with_name(f"{stem.name}_{name}.json")
                    if path not in writers:
                        handle = stack.enter_context(atomic_bytes(out / path))
                        writers[path] = RecordWriter(handle)
                    row["images"] = [_moved(image, folder, out) for image in row["images"]]
                    writers[path].write(dumped(row))
            for writer in writers.values():
                writer.end()
        written += [(path, writer.count) for path, writer in sorted(writers.items())]
    return written


def divide_tables(
    out: Path, tables: Mapping[tuple[str, str], Path], split_of: Mapping[str, str]
) -> None:
    """Write the clip tables of the new splits, in the order that samples have."""
    for dataset in sorted({name for name, _ in tables}):
        paths = [tables[dataset, split] for split in SPLITS if (dataset, split) in tables]
        table = pa.concat_tables(pq.read_table(path, schema=SCHEMA) for path in paths)
        logs = [str(name).rpartition("/")[0] for name in table["id"].to_pylist()]
        splits = pa.array([split_of[log] for log in logs])
        for name in SPLITS:
            mine = table.filter(pc.equal(splits, name))
            if mine.num_rows:
                with atomic_bytes(out / clip_file(dataset, name)) as file:
                    pq.write_table(mine, file, compression="zstd")


def close(
    folder: Path,
    out: Path,
    written: Sequence[tuple[Path, int]],
    split_of: Mapping[str, str],
    told: Mapping[str, Any],
) -> None:
    """Take away what an earlier run wrote and this did not; write registry, splits, manifest."""
    kept = {path for path, _ in written}
    for stale in (path for path in sample_files(out) if path not in kept):
        (out / stale).unlink()
    clips = {clip_file(log.partition("/")[0], name).name for log, name in split_of.items()}
    for table in (out / "clips").iterdir():
        if table.name not in clips:
            table.unlink()
    names = {
        path.with_suffix("").as_posix().replace("/", "_"): registry_entry(path.as_posix())
        for path, _ in written
        if "unanswered" not in path.parts
    }
    write_json(out / REGISTRY, dict(sorted(names.items())))
    known = read_json(folder / MANIFEST) if (folder / MANIFEST).is_file() else {}
    made = {key: known.get(key) for key in ("recipe", "versions")} if known else {}
    files = {path.as_posix(): count for path, count in written}
    write_json(out / MANIFEST, made | {"split": told, "files": files})
    write_json(out / SPLIT_FILE, dict(sorted(split_of.items())))


def _moved(image: str, folder: Path, out: Path) -> str:
    """Return an image path relative to another folder."""
    place, name = os.path.split(image)
    return f"{_moved_folder(place, folder, out)}/{name}"


@lru_cache(maxsize=256)
def _moved_folder(place: str, folder: Path, out: Path) -> str:
    return Path(os.path.relpath(folder / place, out)).as_posix()
