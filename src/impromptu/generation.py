"""Generate sample files from raw logs: in parallel, resumable, every loss in the manifest."""

import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path

from impromptu import backends, datasets, plugins, questions
from impromptu.backends import Backend
from impromptu.counts import LogCounts
from impromptu.datasets import Dataset, Log
from impromptu.files import alone, write_json
from impromptu.indexing import build_indexes
from impromptu.manifest import MANIFEST, close_manifest, code, entry, inputs, key, open_manifest
from impromptu.part import Recipe, Unit, prepare, read_counts, write_part
from impromptu.part_merging import Split, merge
from impromptu.progress import track
from impromptu.workers import begin, side_by_side, undisturbed

WORK = ".work"


@dataclass(slots=True)
class Result:
    """What one run came to.

    Attributes:
        clipped: Answers that no action token is long enough for.
        files: (path, number of samples) of every file written.
        failed: (dataset or dataset/log, why) of everything that could not be read.
        unwritten: (dataset/log, why) of every log with images that could not be written out, whose
            samples were kept all the same.
    """

    clips: int = 0
    samples: int = 0
    clipped: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    files: list[tuple[Path, int]] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    unwritten: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Folders:
    """Where things are, all absolute."""

    data_raw: Path
    out: Path
    base: Path
    extract_dir: Path


def present_datasets(data_raw: Path) -> list[str]:
    """Name the datasets whose folder under ``data_raw`` holds more than our README.

    Raises:
        FileNotFoundError: None does; the message says where to get each.
    """
    if not data_raw.is_dir():
        raise FileNotFoundError(f"{data_raw}: no such folder; --data_raw holds the datasets")
    known = {name: plugins.load(datasets, name, Dataset) for name in plugins.names(datasets)}
    on_disk = {name: dataset for name, dataset in known.items() if dataset.home}
    found = [name for name, dataset in on_disk.items() if _filled(data_raw / dataset.home)]
    if not found:
        places = "\n".join(
            f"  {data_raw / dataset.home}: {dataset.title}, {dataset.url}"
            for dataset in on_disk.values()
        )
        raise FileNotFoundError(
            f"no dataset found in {data_raw}; expected at least one of\n{places}\n"
            "To try without a download: impromptu miniature --out build/miniature, "
            "then --data_raw build/miniature"
        )
    return found


def _filled(folder: Path) -> bool:
    """Tell whether there is something; a link that leads nowhere is, and will be told."""
    return (folder.is_symlink() and not folder.is_dir()) or (
        folder.is_dir() and any(path.name != "README.md" for path in folder.iterdir())
    )


def generate(
    data_raw: Path,
    out: Path,
    names: Sequence[str] | None,
    splits: Sequence[str] | None,
    recipe: Recipe,
    workers: int,
    base: Path | None = None,
    *,
    extract_dir: Path | None = None,
    backend: str = "processes",
) -> Result:
    """Write ``out``'s sample files, registry and manifest.

    Files of other datasets and splits that an earlier run with the same preset wrote stay.

    Args:
        data_raw: Folder of the datasets' own folders.
        out: Where to write; a run that was killed goes on from its finished logs.
        names: Datasets to read; None for all that are there.
        splits: Official splits to keep; None for all.
        recipe: What to make of each log.
        workers: How many logs are worked on at once.
        base: Folder that image paths are written relative to, where it is not ``out``.
        extract_dir: Folder to write images to that are inside a dataset's files, where it is not
            ``data_raw``.
        backend: What works on the logs; it decides nothing of what is written.

    Raises:
        FileNotFoundError, ValueError: No log can be read. Where only some datasets cannot be,
            they are among the result's ``failed`` and in the manifest.
    """
    run = plugins.load(backends, backend, Backend)
    if workers > 1:
        begin(_modules(names, recipe.questions))
    # pyarrow imports it at its first table, where it is installed, and swallows a Ctrl-C meanwhile.
    with suppress(ImportError), undisturbed():
        import_module("pandas")
    names = names or present_datasets(data_raw)
    # Not ``Path.resolve``: for links in a circle that raises what is no ``OSError``.
    folders = _Folders(
        *(
            Path(os.path.realpath(path))
            for path in (data_raw, out, base or out, extract_dir or data_raw)
        )
    )
    with alone(folders.out / WORK):
        return _generate(folders, names, splits, recipe, run, workers)


def _modules(names: Sequence[str] | None, asked: Sequence[str]) -> list[str]:
    """Name what a worker imports: this package's own, and with them all that they import."""
    read = [f"{datasets.__name__}.{name}" for name in names or plugins.names(datasets)]
    return [
        write_part.__module__,
        *read,
        *(f"{questions.__name__}.{name}" for name in asked),
        "pandas",
    ]


def _generate(
    folders: _Folders,
    names: Sequence[str],
    splits: Sequence[str] | None,
    recipe: Recipe,
    run: Backend,
    workers: int,
) -> Result:
    result, out = Result(), folders.out
    prepare(recipe)
    manifest = open_manifest(out, recipe)
    build_indexes([_places(name, folders) for name in names], workers)
    units = list[Unit]()
    for name in names:
        try:
            units += _units(name, folders, splits, recipe)
        except (OSError, ValueError) as error:
            if len(names) == 1:
                raise
            result.failed.append((name, str(error)))
    if not units:
        failed = "".join(f"\n{name}: {error}" for name, error in result.failed)
        wanted = f" of split {', '.join(splits)}" if splits else ""
        raise ValueError(f"{', '.join(names)}: no log{wanted} to read{failed}")
    # On disk before the first log, it binds the folder to its recipe even if this run is killed.
    write_json(out / MANIFEST, manifest)
    done, groups = dict(_work(units, run, workers)), _groups(units, out)
    for split in groups:
        known = manifest["datasets"].setdefault(split.dataset, {})
        for file in known.get(split.name, {}).get("files", ()):
            (out / file).unlink(missing_ok=True)
    merged = dict(side_by_side(merge, groups, min(workers, len(groups))))
    for split, group in groups.items():
        counts, written = [done[unit.part] for unit in group], merged[split]
        _tell(result, split.dataset, group, counts, written, out)
        logs = [unit.log for unit in group]
        manifest["datasets"][split.dataset][split.name] = entry(logs, counts, written)
    manifest["datasets_failed"] = {name: why for name, why in result.failed if name in names}
    close_manifest(out, manifest)
    for folder in ("parts", "index"):
        shutil.rmtree(out / WORK / folder, ignore_errors=True)
    return result


def _places(name: str, folders: _Folders) -> tuple[Dataset, Path, Path]:
    """Return a dataset, its folder, and that of its indexes."""
    dataset = plugins.load(datasets, name, Dataset)
    return dataset, folders.data_raw / dataset.home, folders.out / WORK / "index" / name


def _units(
    name: str, folders: _Folders, splits: Sequence[str] | None, recipe: Recipe
) -> Iterator[Unit]:
    dataset, root, scratch = _places(name, folders)
    logs, work = dataset.logs(root, scratch), folders.out / WORK
    _check_names(logs)
    places = [str(path) for path in (folders.base, folders.data_raw, folders.extract_dir)]
    for log in sorted(logs, key=lambda log: log.split):
        if splits is None or log.split in splits:
            made_of = [code(), name, log.id, log.split, *places, key(recipe), inputs(log)]
            stem = hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:32]
            log = replace(log, frames_hz=recipe.frames_hz, extract_dir=folders.extract_dir)
            yield Unit(name, log, recipe, folders.base, work / "parts" / f"{stem}.part")


def _check_names(logs: Sequence[Log]) -> None:
    """Refuse two logs of one name: their samples would have the same ids.

    Raises:
        ValueError: There are; the message names both.
    """
    known: dict[str, Path] = {}
    for log in logs:
        if log.id in known:
            raise ValueError(
                f"{known[log.id]} and {log.source} are one log, {log.id}: take one of them away"
            )
        known[log.id] = log.source


def _work(units: Sequence[Unit], run: Backend, workers: int) -> Iterator[tuple[Path, LogCounts]]:
    """Finish every unit, those of an earlier run included; yield their counts as they come."""
    todo = []
    for unit in units:
        counts = read_counts(unit.part) if unit.part.exists() else None
        if counts is None or counts.images_missing or counts.error:
            todo.append(unit)
        else:
            yield unit.part, counts
    if todo:
        for unit, counts in track(
            run.run(write_part, todo, workers), len(todo), "logs", "generate"
        ):
            yield unit.part, counts


def _groups(units: Sequence[Unit], out: Path) -> dict[Split, list[Unit]]:
    groups: dict[tuple[str, str], list[Unit]] = {}
    for unit in units:
        groups.setdefault((unit.dataset, unit.log.split), []).append(unit)
    return {
        Split(*names, tuple(unit.part for unit in group), out): group
        for names, group in groups.items()
    }


def _tell(
    result: Result,
    dataset: str,
    group: Sequence[Unit],
    counts: Sequence[LogCounts],
    written: Counter[str],
    out: Path,
) -> None:
    result.clips += sum(count.clips for count in counts)
    result.samples += written.total()
    result.files += [(out / f"{key}.json", number) for key, number in sorted(written.items())]
    for unit, count in zip(group, counts, strict=True):
        if count.error:
            result.failed.append((f"{dataset}/{unit.log.id}", count.error))
        if count.images_unwritten:
            result.unwritten.append((f"{dataset}/{unit.log.id}", count.images_unwritten))
        result.dropped.update(count.keyframes_dropped)
        for tally in count.tallies.values():
            result.dropped.update(tally.dropped)
            result.clipped += tally.clipped
