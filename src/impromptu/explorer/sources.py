"""Finds the files to browse, and what their names say: dataset, split and question."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from impromptu.answer_pairs import TASKS
from impromptu.files import read_json
from impromptu.registry import REGISTRY

SPLITS = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class Naming:
    """What a sample belongs to; a part that nobody names is empty."""

    dataset: str
    split: str
    question: str


@dataclass(frozen=True, slots=True)
class RunFile:
    """A file of predictions, and the run it belongs to."""

    run: str
    path: Path


def sample_files(root: Path) -> tuple[list[Path], list[str]]:
    """List the sample files of a folder, and what is wrong with the list.

    A folder with a registry holds the files it names, and those that wait for a teacher; in any
    other folder every JSON file is looked into. A file stands for itself.

    Raises:
        FileNotFoundError: There is no such file or folder, or no JSON file in it.
        ValueError: The registry is not one.
    """
    if root.is_file():
        return [root], []
    if not root.is_dir():
        raise FileNotFoundError(f"{root}: no such file or folder; expected one of sample files")
    if (root / REGISTRY).is_file():
        named = _registered(root / REGISTRY)
        missing = [f"{path}: named in {REGISTRY}, but not there" for path in named - _files(named)]
        found = _files(named) | _files(set(root.glob("*/unanswered/*.json")))
    else:
        found, missing = _files({*root.rglob("*.json"), *root.rglob("*.jsonl")}), []
    if not found:
        raise FileNotFoundError(f"{root}: no {REGISTRY} and no .json or .jsonl file of samples")
    return sorted(found), sorted(missing)


def _registered(registry: Path) -> set[Path]:
    entries = read_json(registry)
    if not isinstance(entries, dict):
        raise ValueError(f"{registry}: expected an object of entries by name")
    names = [entry.get("file_name") for entry in entries.values() if isinstance(entry, dict)]
    return {(registry.parent / name).resolve() for name in names if isinstance(name, str)}


def _files(paths: set[Path]) -> set[Path]:
    return {path for path in paths if path.is_file()}


def run_files(given: Sequence[Path]) -> list[RunFile]:
    """List the prediction files among files and folders; a run is a folder, or a file by itself.

    Raises:
        FileNotFoundError: A path is not there, or a folder holds no ``.jsonl`` file.
    """
    found = list[RunFile]()
    for path in given:
        if path.is_file():
            names = {one.run for one in found}
            name = path.stem if path.stem not in names else f"{path.parent.name}/{path.stem}"
            found.append(RunFile(name, path))
            continue
        inside = sorted(path.rglob("*.jsonl"))
        if not inside:
            raise FileNotFoundError(f"{path}: no such file, or a folder without .jsonl files")
        for one in inside:
            folder = one.parent.relative_to(path).as_posix()
            found.append(RunFile(path.name if folder == "." else folder, one))
    return found


def naming(path: Path, sample_id: str) -> tuple[Naming, str]:
    """Tell what a sample belongs to, and its clip, by its id, else by its file's name.

    ``nuscenes/scene-0003/08fe/q2/front`` is of nuscenes and q2; ``kitti/q7_val.json`` and
    ``kitti_q7_val.json`` are of kitti, q7 and val.
    """
    by_file = _naming_of_file(path)
    parts = sample_id.split("/")
    for position in (len(parts) - 1, len(parts) - 2):
        if position > 0 and parts[position] in TASKS:
            clip = "/".join(parts[:position])
            dataset = parts[0] if position > 1 else by_file.dataset
            return Naming(dataset, by_file.split, parts[position]), clip
    return by_file, sample_id


@lru_cache(maxsize=64)
def _naming_of_file(path: Path) -> Naming:
    words = re.split(r"[^a-z0-9]+", path.stem.lower())
    split = next((word for word in words if word in SPLITS), "")
    question = next((word for word in words if word in TASKS), "")
    dataset = "_".join(word for word in words if word and word not in (split, question))
    folder = path.parent.parent if path.parent.name == "unanswered" else path.parent
    return Naming(dataset or folder.name, split, question)
