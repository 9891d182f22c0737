"""Finds the files that a training reads, and those held out from it, by the registry's names."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from impromptu.audit_records import split_of
from impromptu.audit_sources import File
from impromptu.audits import Finding
from impromptu.files import read_json
from impromptu.preflight.conversion import Names, names_of
from impromptu.preflight.plan import Plan
from impromptu.registry import REGISTRY

_REMOTE = ("hf_hub_url", "ms_hub_url", "om_hub_url", "script_url", "cloud_file_name")
_READ = (".json", ".jsonl")
_LOADED = (*_READ, ".csv", ".parquet", ".arrow", ".txt")
_ELSEWHERE = ("ONLINE", "REMOTE:")


@dataclass(frozen=True, slots=True)
class Dataset:
    """One name of the registry.

    Attributes:
        files: What it is made of; one file, or those of a folder.
        num_samples: So many are drawn of it, if the registry says so.
        trains: It is trained on; otherwise it is held out.
    """

    name: str
    files: tuple[File, ...]
    names: Names
    num_samples: int | None
    trains: bool


@dataclass(frozen=True, slots=True)
class Sources:
    """All datasets to read, those trained on first, and what is wrong with the others."""

    datasets: tuple[Dataset, ...]
    findings: tuple[Finding, ...]


def find_sources(plan: Plan, held_out: Sequence[str] | None) -> Sources:
    """Find the training's datasets and those held out.

    Args:
        plan: The training.
        held_out: Names held out; by default the evaluation's, and all whose name says val or test.
    """
    findings: list[Finding] = []
    if not plan.dataset:
        findings.append(Finding("error", "no_dataset", "No 'dataset' is given to train on."))
    if plan.dataset_dir.startswith(_ELSEWHERE):
        text = f"dataset_dir is {plan.dataset_dir}: the data is not here, and was not checked."
        return Sources((), (*findings, Finding("error", "not_checked", text)))
    registry = Path(plan.dataset_dir) / REGISTRY
    try:
        entries = read_json(registry)
        if not isinstance(entries, dict):
            raise ValueError(f"{registry}: expected an object of entries by name")
    except (OSError, ValueError) as error:
        text = f"The registry cannot be read: {_told(error)}"
        return Sources((), (*findings, Finding("error", "no_registry", text)))
    if held_out is None:
        others = [name for name in entries if split_of(name) in ("val", "test")]
        held_out = [name for name in others if name not in plan.dataset]
        held_out += [name for name in plan.eval_dataset if name not in held_out]
    found = [
        _dataset(plan, registry, entries, name, trains)
        for names, trains in ((plan.dataset, True), (held_out, False))
        for name in names
    ]
    findings += [one for one in found if isinstance(one, Finding)]
    for name in plan.dataset:
        if split_of(name) in ("val", "test"):
            text = f"{name} is trained on, and its name says it is for {split_of(name)}."
            findings.append(Finding("warning", "trains_on_held_out", text))
    return Sources(tuple(one for one in found if isinstance(one, Dataset)), tuple(findings))


def _told(error: OSError | ValueError) -> str:
    strerror = error.strerror if isinstance(error, OSError) else None
    return f"{error.filename}: {strerror.lower()}" if strerror else str(error)  # type: ignore[union-attr]


def _dataset(
    plan: Plan, registry: Path, entries: Mapping[str, Any], name: str, trains: bool
) -> Dataset | Finding:
    if name not in entries:
        hint = "".join(f" Did you mean {near!r}?" for near in get_close_matches(name, entries, 1))
        known = ", ".join(list(entries)[:20]) or "nothing"
        return _problem("unknown_dataset", f"{registry} has no {name!r}; it has {known}.{hint}")
    entry = entries[name]
    if not isinstance(entry, dict):
        return _problem("registry_entry", f"{registry}: {name!r} must be an object: {entry!r:.60}")
    if remote := [key for key in _REMOTE if key in entry]:
        text = f"{name}: {remote[0]} {entry[remote[0]]!r:.80} is not a file here: not checked."
        return _problem("not_checked", text)
    file_name = entry.get("file_name")
    if not isinstance(file_name, str) or not file_name or "\0" in file_name:
        return _problem("registry_entry", f"{registry}: {name!r} has no 'file_name' of a file.")
    if unread := _unread(entry):
        return _problem("not_checked", f"{name}: {unread}: not checked.")
    number = entry.get("num_samples")
    if number is not None and (not isinstance(number, int) or number < 1):
        return _problem("registry_entry", f"{registry}: {name!r} has num_samples {number!r:.40}.")
    try:
        paths = _paths(Path(os.path.join(plan.dataset_dir, file_name)))
    except (OSError, ValueError) as error:
        return _problem("no_file", f"{name}: {_told(error)}")
    names = names_of(entry)
    columns = {"messages": names.messages, "images": names.images}
    told = {key: value for key, value in columns.items() if isinstance(value, str)}
    split = "train" if trains else split_of(name) or "test"
    files = tuple(File(path, told, plan.images_from, split) for path in paths)
    return Dataset(name, files, names, number, trains)


def _problem(name: str, text: str) -> Finding:
    return Finding("error", name, text)


def _unread(entry: Mapping[str, Any]) -> str:
    """Say what of an entry is of a kind that is not looked at here."""
    if (formatting := entry.get("formatting", "alpaca")) != "sharegpt":
        return f"formatting is {formatting!r:.40} (LLaMA-Factory's default is alpaca)"
    if entry.get("ranking"):
        return "it is for ranking, which stage sft refuses"
    columns = entry.get("columns")
    if columns is not None and not isinstance(columns, dict):
        return f"columns is {columns!r:.40}, no object"
    extra = {"videos", "audios", "tools", "kto_tag"} & {k for k, v in (columns or {}).items() if v}
    return f"it has {', '.join(sorted(extra))}" if extra else ""


def _paths(path: Path) -> list[Path]:
    """Return the files of a dataset, in LLaMA-Factory's order."""
    paths = [path / name for name in os.listdir(path)] if path.is_dir() else [path]
    for one in paths:
        if not one.is_file():
            raise FileNotFoundError(f"{one}: no such file")
        if one.suffix not in _READ:
            loaded = one.suffix in _LOADED
            raise ValueError(
                f"{one}: {'not looked at here' if loaded else 'refused by LLaMA-Factory'}; "
                f"expected a name that ends in {' or '.join(_READ)}"
            )
    if not paths:
        raise FileNotFoundError(f"{path}: an empty folder")
    return paths
