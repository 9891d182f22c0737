"""Finds the files of samples to audit and reads them as records, a batch at a time."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from impromptu.audit_records import make_record, split_of
from impromptu.audit_shards import shard_rows
from impromptu.audits import Image, Record, Source
from impromptu.files import read_json
from impromptu.json_stream import BLOCK, Broken, batches
from impromptu.registry import REGISTRY
from impromptu.sharegpt_rows import read_row

_SUFFIXES = (".json", ".jsonl", ".tar")
_NOT_SAMPLES = (REGISTRY, "manifest.json")


@dataclass(frozen=True, slots=True)
class File:
    """A file to read.

    Attributes:
        columns: The registry's names of its fields.
        registered: The folder of the registry that lists it, from which its images start.
        split: What it is used for; by default what its name tells.
    """

    path: Path
    columns: Mapping[str, str]
    registered: Path | None = None
    split: str = ""


def find_files(inputs: Sequence[Path]) -> list[File]:
    """Return the files of samples that paths name: files, or folders with or without a registry.

    Raises:
        FileNotFoundError: A path does not exist, or a folder holds nothing to read.
        ValueError: A registry is no JSON object.
    """
    found: dict[Path, File] = {}
    for path in inputs:
        for file in _folder(path) if path.is_dir() else [_file(path)]:
            found.setdefault(file.path.resolve(), file)
    return list(found.values())


def _file(path: Path) -> File:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file or folder")
    for folder in (path.parent, path.parent.parent, path.parent / "data"):
        if (folder / REGISTRY).is_file():
            for file in _registered(folder):
                if file.path.resolve() == path.resolve():
                    return replace(file, path=path)
    return File(path, {})


def _folder(folder: Path) -> list[File]:
    if (folder / REGISTRY).is_file():
        return _registered(folder)
    paths = [path for path in sorted(folder.rglob("*")) if path.suffix in _SUFFIXES]
    paths = [path for path in paths if path.is_file() and path.name not in _NOT_SAMPLES]
    if not paths:
        raise FileNotFoundError(
            f"{folder}: expected a {REGISTRY}, or files that end in {', '.join(_SUFFIXES)}"
        )
    return [_file(path) for path in paths]


def _registered(folder: Path) -> list[File]:
    """Return the files that a registry lists, also those that are not there."""
    entries = read_json(folder / REGISTRY)
    if not isinstance(entries, dict):
        raise ValueError(f"{folder / REGISTRY}: expected an object of entries by name")
    files = []
    for entry in entries.values():
        if isinstance(entry, dict) and isinstance(entry.get("file_name"), str):
            columns = entry.get("columns")
            columns = columns if isinstance(columns, dict) else {}
            files.append(File(folder / entry["file_name"], columns, folder))
    return files


def count_batches(files: Sequence[File]) -> int:
    """Return about how many batches ``read`` yields: one for each begun megabyte of a file."""
    return sum(_size(file.path) // BLOCK + 2 for file in files)


def _size(path: Path) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def read(files: Sequence[File], media_dir: Path | None = None) -> Iterator[list[Record]]:
    """Yield the records of all files in order, a batch for each megabyte of file.

    What cannot be read is a record with ``faults``; nothing is raised for what a file holds.

    Args:
        files: What to read.
        media_dir: Where image paths start; by default where the first image of a file is found.
    """
    yield from (records for _, _, records in read_rows(files, media_dir))


def read_rows(
    files: Sequence[File], media_dir: Path | None = None
) -> Iterator[tuple[File, list[Any], list[Record]]]:
    """Yield the same, with their file and the values that they are records of."""
    number = 0
    for file, name in zip(files, names_of(files), strict=True):
        source, row = None, 0
        for batch in _values(file):
            if source is None and batch:
                source = _source(file, name, media_dir, batch[0][0])
            records = [
                make_record(number + at, row + at + 1, source, value, file.columns, shard)
                for at, (value, shard) in enumerate(batch)
                if source is not None
            ]
            number, row = number + len(batch), row + len(batch)
            yield file, [value for value, _ in batch], records


def _values(file: File) -> Iterator[Sequence[tuple[Any, Mapping[str, Image] | None]]]:
    try:
        if file.path.suffix == ".tar":
            yield from shard_rows(file.path)
        else:
            with file.path.open("rb") as stream:
                for values in batches(stream):
                    yield [(value, None) for value in values]
    except (OSError, ValueError) as error:
        told = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        yield [(Broken("unreadable_file", told), None)]


def _source(file: File, name: str, media_dir: Path | None, first: Any) -> Source:
    split = file.split or split_of(name) or split_of(file.path.resolve().parent.name)
    return Source(name, split, os.path.abspath(media_dir or _media_dir(file, first)))


def _media_dir(file: File, first: Any) -> Path:
    """Return the folder that the first image is found from; the file's own if there is none."""
    if file.registered is not None:
        return file.registered
    here = file.path.parent
    images = () if isinstance(first, Broken) else read_row(first, file.columns).images
    for folder in (here, here.parent, here.parent.parent, here / "data", Path()):
        if images and "\0" not in images[0] and os.path.exists(folder / images[0]):
            return folder
    return here


def names_of(files: Sequence[File]) -> list[str]:
    """Return the files' paths from their common folder on."""
    texts = [os.path.abspath(file.path) for file in files]
    common = os.path.commonpath([os.path.dirname(text) for text in texts]) if texts else ""
    return [os.path.relpath(text, common) for text in texts]
