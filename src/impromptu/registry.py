"""Reads samples by the names LLaMA-Factory's registry, ``dataset_info.json``, gives their files."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from impromptu.conversation import Sample, registry_entry
from impromptu.files import read_json
from impromptu.json_stream import Broken, batches
from impromptu.plugins import did_you_mean

REGISTRY = "dataset_info.json"


@dataclass(frozen=True, slots=True)
class Registered:
    """The samples of registered files, read anew each time they are gone through.

    Attributes:
        names: What they are registered as.
        paths: The files.
        max_samples: Take only so many from each file, as LLaMA-Factory does.
    """

    names: tuple[str, ...]
    paths: tuple[Path, ...]
    max_samples: int | None = None

    def __iter__(self) -> Iterator[Sample]:
        """Yield the samples in order, as ``read_samples`` does, one at a time.

        Raises:
            ValueError: An id comes twice; or what ``read_samples`` says.
        """
        seen: set[str] = set()
        for path in self.paths:
            for sample in read_samples(path, self.max_samples):
                if sample.id in seen:
                    raise ValueError(
                        f"{', '.join(self.names)}: two records have the id {sample.id!r}; "
                        "ids must be unique, answers are joined to questions by them"
                    )
                seen.add(sample.id)
                yield sample


def registered(
    dataset_dir: Path, names: Sequence[str], max_samples: int | None = None
) -> Registered:
    """Find one or more registered files.

    Args:
        dataset_dir: The folder that holds ``dataset_info.json``.
        names: Names in it.
        max_samples: Take only so many from each file.

    Raises:
        KeyError: A name is not registered; the message lists those that are.
        ValueError: The registry is not one of ShareGPT files.
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
    paths = tuple(dataset_dir / _file_name(registry, entries, name) for name in names)
    for name, path in zip(names, paths, strict=True):
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such file; {registry} names it as {name!r}")
    return Registered(tuple(names), paths, max_samples)


def load_samples(
    dataset_dir: Path, names: Sequence[str], max_samples: int | None = None
) -> list[Sample]:
    """Read the samples of one or more registered files, in order, as ``registered`` finds them.

    Raises:
        KeyError, ValueError: As ``registered`` and ``Registered`` say.
    """
    return list(registered(dataset_dir, names, max_samples))


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
    """Yield the samples of one file, a JSON list or JSON lines of ShareGPT records, as it is read.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is not that; the message names file and record.
    """
    for number, row in enumerate(islice(records(path), max_samples), start=1):
        if not isinstance(row, dict) or not row.get("id"):
            raise ValueError(
                f"{path}: record {number} has no 'id'; give every record one of its own, "
                "answers are joined to questions by it"
            )
        try:
            sample = Sample.from_sharegpt(row)
            "".join((sample.id, sample.prompt, sample.answer, *sample.images)).encode()
        except ValueError as error:
            raise ValueError(f"{path}: record {number}: {error}") from error
        yield sample


def records(path: Path) -> Iterator[Any]:
    """Yield the values of a JSON list or of JSON lines.

    Raises:
        ValueError: It is something else, or broken; the message names file and record.
    """
    number = 1
    with path.open("rb") as file:
        if path.suffix != ".jsonl" and not file.read(4096).lstrip(
            b"\xef\xbb\xbf \t\r\n"
        ).startswith(b"["):
            whole = read_json(path)  # whose error names line and column
            raise ValueError(f"{path}: expected a list of records, got {type(whole).__name__}")
        file.seek(0)
        for values in batches(file):
            for value in values:
                if isinstance(value, Broken):
                    raise ValueError(
                        f"{path}: record {number}: not valid JSON ({value.text}); the file may "
                        "be cut short: write or download it again"
                    )
                number += 1
                yield value
