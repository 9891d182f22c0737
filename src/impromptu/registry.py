"""Reads samples by the names LLaMA-Factory's registry, ``dataset_info.json``, gives their files."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from impromptu.conversation import Sample, registry_entry
from impromptu.files import read_json, read_json_lines
from impromptu.plugins import did_you_mean

REGISTRY = "dataset_info.json"


def load_samples(
    dataset_dir: Path, names: Sequence[str], max_samples: int | None = None
) -> list[Sample]:
    """Read the samples of one or more registered files, in order.

    Args:
        dataset_dir: The folder that holds ``dataset_info.json``.
        names: Names in it.
        max_samples: Take only so many from each file, as LLaMA-Factory does.

    Raises:
        KeyError: A name is not registered; the message lists those that are.
        ValueError: A file is not a list of ShareGPT records with unique ids; the message names
            file and record.
    """
    registry = dataset_dir / REGISTRY
    if not registry.is_file():
        raise FileNotFoundError(
            f"{registry}: no such file; expected LLaMA-Factory's registry in --dataset_dir, "
            "such as the --out folder of scripts/data_qa_generate.sh"
        )
    entries = read_json(registry)
    if not isinstance(entries, dict):
        raise ValueError(f"{registry}: expected an object of entries by name")
    samples: list[Sample] = []
    for name in names:
        path = dataset_dir / _file_name(registry, entries, name)
        samples += read_samples(path, max_samples)
    _refuse_repeats(samples, names)
    return samples


def _file_name(registry: Path, entries: dict[str, Any], name: str) -> str:
    if name not in entries:
        hint = did_you_mean(name, entries)
        raise KeyError(f"{registry} has no {name!r}; it has {', '.join(entries) or 'none'}.{hint}")
    if not isinstance(entries[name], dict):
        raise ValueError(f"{registry}: {name!r} must be an object, got {entries[name]!r:.80}")
    file_name = entries[name].get("file_name")
    expected = registry_entry(file_name)
    for key, value in expected.items():
        if not file_name or entries[name].get(key) != value:
            raise ValueError(
                f"{registry}: {name!r} has {key} {entries[name].get(key)!r}; "
                f"expected {value or 'a path'!r}"
            )
    return str(file_name)


def read_samples(path: Path, max_samples: int | None = None) -> Iterator[Sample]:
    """Yield the samples of one file, a JSON list or JSON lines of ShareGPT records.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is not that; the message names file and record.
    """
    if path.suffix == ".jsonl":
        rows = [row for _, row in read_json_lines(path)]
    else:
        rows = read_json(path)
    if not isinstance(rows, list):
        raise ValueError(f"{path}: expected a list of records, got {type(rows).__name__}")
    for number, row in enumerate(rows[:max_samples], start=1):
        if not isinstance(row, dict) or not row.get("id"):
            raise ValueError(
                f"{path}: record {number} has no 'id'; give every record one of its own, "
                "answers are joined to questions by it"
            )
        try:
            yield Sample.from_sharegpt(row)
        except ValueError as error:
            raise ValueError(f"{path}: record {number}: {error}") from error


def _refuse_repeats(samples: Sequence[Sample], names: Sequence[str]) -> None:
    seen: set[str] = set()
    for sample in samples:
        if sample.id in seen:
            raise ValueError(
                f"{', '.join(names)}: two records have the id {sample.id!r}; "
                "ids must be unique, answers are joined to questions by them"
            )
        seen.add(sample.id)
