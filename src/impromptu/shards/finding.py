"""Finds the shards of a split, as tar files or unpacked folders."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from impromptu.shards import splits_in

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Shard:
    """One shard.

    Attributes:
        dataset: The folder of shards it is in.
        name: Unique in its dataset.
        path: A ``.tar`` file, or the folder of an unpacked one.
    """

    dataset: str
    name: str
    path: Path


@dataclass(frozen=True, slots=True)
class Found:
    """What a split has.

    Attributes:
        shards: By dataset, then by name.
        unclear: Shards left out, because their names tell of several splits.
        unpacked: Tar files left out, because the folder of that name is there.
    """

    shards: Sequence[Shard]
    unclear: Sequence[Path]
    unpacked: Sequence[Path]


def find(root: Path, split: str) -> Found:
    """Find a split's shards: ``root/<dataset>/<name with the split in it>``, ``.tar`` or folder.

    A folder that is named after the split may hold tar files in place of an unpacked shard.

    Raises:
        FileNotFoundError: There is none; the message says what was expected and what is there.
    """
    if not root.is_dir():
        raise FileNotFoundError(
            f"{root}: no such folder; --data_root holds a folder of shards for each dataset. "
            "To get the published ones: impromptu fetch dataset"
        )
    every = [shard for folder in _folders(root) for shard in _shards(folder)]
    told = {shard.path: splits_in(shard.name) for shard in every}
    mine = [shard for shard in every if told[shard.path] == {split}]
    folders = {shard.path for shard in mine if shard.path.suffix != ".tar"}
    unpacked = [one.path for one in mine if one.path.with_suffix("") in folders - {one.path}]
    shards = [shard for shard in mine if shard.path not in unpacked]
    unclear = [path for path, splits in told.items() if len(splits) > 1 and split in splits]
    if not shards:
        raise FileNotFoundError(_nothing(root, split, every, unclear))
    return Found(shards, unclear, unpacked)


def _nothing(root: Path, split: str, every: Sequence[Shard], unclear: Sequence[Path]) -> str:
    seen = ", ".join(str(one.path.relative_to(root)) for one in every[:_SHOWN]) or "no shard at all"
    several = f" ({len(unclear)} tell of several splits: rename those)" if unclear else ""
    return (
        f"{root}: no shard of {split}; expected {root}/<dataset>/<name with the word {split}>, "
        f"a .tar file or the folder it unpacks to; found {seen}{several}"
    )


def _folders(root: Path) -> Iterator[Path]:
    for path in sorted(root.iterdir()):
        if path.is_dir() and not path.name.startswith("."):
            yield path


def _shards(dataset: Path) -> Iterator[Shard]:
    for path in sorted(dataset.iterdir()):
        if path.name.startswith("."):
            continue
        if not f"{dataset.name}{path.name}".isprintable():
            raise ValueError(f"{str(path)!r}: a name that no sample can tell; rename it")
        if path.suffix == ".tar" and path.is_file():
            yield Shard(dataset.name, path.stem, path)
        elif path.is_dir():
            inside = sorted(path.glob("*.tar"))
            yield from (Shard(dataset.name, f"{path.name}-{one.stem}", one) for one in inside)
            if not inside:
                yield Shard(dataset.name, path.name, path)
