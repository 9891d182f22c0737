"""Generate sample files from raw logs: in parallel, resumable, every loss in the manifest."""

import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread
from typing import IO, Any

import impromptu
from impromptu import datasets, plugins
from impromptu.conversation import registry_entry
from impromptu.datasets import Dataset, Log
from impromptu.files import atomic_writer, fingerprint, read_json, write_json
from impromptu.part import LogCounts, Recipe, Tally, Unit, read_counts, read_rows, write_part
from impromptu.progress import track

MANIFEST, REGISTRY, WORK = "manifest.json", "dataset_info.json", ".work"


@dataclass(slots=True)
class Result:
    """What one run came to.

    Attributes:
        files: (path, number of samples) of every file written.
        failed: (dataset or dataset/log, why) of everything that could not be read.
    """

    clips: int = 0
    samples: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    files: list[tuple[Path, int]] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)


def present_datasets(data_raw: Path) -> list[str]:
    """Name the datasets whose folder exists under ``data_raw``.

    Raises:
        FileNotFoundError: None does; the message says where to get each.
    """
    known = {name: plugins.load(datasets, name, Dataset) for name in plugins.names(datasets)}
    on_disk = {name: dataset for name, dataset in known.items() if dataset.home}
    found = [name for name, dataset in on_disk.items() if (data_raw / dataset.home).is_dir()]
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


def generate(
    data_raw: Path,
    out: Path,
    names: Sequence[str],
    splits: Sequence[str] | None,
    recipe: Recipe,
    workers: int,
    base: Path | None = None,
) -> Result:
    """Write ``out``'s sample files, registry and manifest.

    Files of other datasets and splits that an earlier run with the same preset wrote stay.

    Args:
        data_raw: Folder of the datasets' own folders.
        out: Where to write; a run that was killed goes on from its finished logs.
        names: Datasets to read.
        splits: Official splits to keep; None for all.
        recipe: What to make of each log.
        workers: Number of processes.
        base: Folder that image paths are written relative to, where it is not ``out``.

    Raises:
        FileNotFoundError, ValueError: No log can be read. Where only some datasets cannot be,
            they are among the result's ``failed`` and in the manifest.
    """
    out, result = out.resolve(), Result()
    manifest = _open_manifest(out, recipe)
    units = list[Unit]()
    for name in names:
        try:
            base_folder = (base or out).resolve()
            units += _units(name, data_raw.resolve(), out, splits, recipe, base_folder)
        except (OSError, ValueError) as error:
            if len(names) == 1:
                raise
            result.failed.append((name, str(error)))
    if not units:
        failed = "".join(f"\n{name}: {error}" for name, error in result.failed)
        wanted = f" of split {', '.join(splits)}" if splits else ""
        raise ValueError(f"{', '.join(names)}: no log{wanted} to read{failed}")
    done = dict(_work(units, workers))
    for dataset, split, group in _groups(units):
        counts = [done[unit.part] for unit in group]
        entry = _merge(dataset, split, group, counts, result, out)
        manifest["datasets"].setdefault(dataset, {})[split] = entry
    manifest["datasets_failed"] = {name: why for name, why in result.failed if name in names}
    _finish(out, manifest)
    shutil.rmtree(out / WORK)
    return result


def _units(
    name: str,
    data_raw: Path,
    out: Path,
    splits: Sequence[str] | None,
    recipe: Recipe,
    base: Path,
) -> Iterator[Unit]:
    dataset = plugins.load(datasets, name, Dataset)
    root = data_raw / dataset.home
    logs = dataset.logs(root, out / WORK / "index" / name)
    for log in sorted(logs, key=lambda log: log.split):
        if splits is None or log.split in splits:
            made_of = [_code(), name, log.id, log.split, str(base), _key(recipe), _inputs(log)]
            stem = hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:32]
            yield Unit(name, log, recipe, base, out / WORK / "parts" / f"{stem}.part")


def _key(recipe: Recipe) -> dict[str, Any]:
    """Return what of the recipe decides the bytes, and goes into the manifest."""
    wording = hashlib.sha256(recipe.wording.read_bytes()).hexdigest() if recipe.wording else None
    return {
        "preset": recipe.preset,
        "questions": list(recipe.questions),
        "missing_images": recipe.missing_images,
        "wording_sha256": wording,
    }


@cache
def _code() -> str:
    """Return a hash of this package, so that parts made by other code are made again."""
    folder = Path(impromptu.__file__).parent
    return fingerprint((p for p in folder.rglob("*") if p.suffix in (".py", ".yaml")), folder)


def _inputs(log: Log) -> str:
    return fingerprint(log.inputs, log.root)


def _work(units: Sequence[Unit], workers: int) -> Iterator[tuple[Path, LogCounts]]:
    """Finish every unit, those of an earlier run included; yield their counts as they come."""
    todo = []
    for unit in units:
        counts = read_counts(unit.part) if unit.part.exists() else None
        if counts is None or counts.images_missing or counts.error:
            todo.append(unit)
        else:
            yield unit.part, counts
    label, workers = "generate", min(workers, len(todo))
    if workers <= 1:
        yield from track(((u.part, write_part(u)) for u in todo), len(todo), "logs", label)
        return
    spawn = get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=spawn, initializer=_end_with_parent) as pool:
        parts = {pool.submit(write_part, unit): unit.part for unit in todo}
        try:
            for future in track(as_completed(parts), len(todo), "logs", label):
                yield parts[future], future.result()
        except BrokenProcessPool as error:
            raise OSError(
                "a worker process died, most likely for want of memory; "
                "run the same command again with a smaller --workers to go on"
            ) from error
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _end_with_parent() -> None:
    """Have this worker end when the main process is killed; it would wait for work forever."""

    def wait() -> None:
        if parent := parent_process():
            parent.join()
            os._exit(1)

    Thread(target=wait, daemon=True).start()


def _groups(units: Sequence[Unit]) -> Iterator[tuple[str, str, list[Unit]]]:
    groups: dict[tuple[str, str], list[Unit]] = {}
    for unit in units:
        groups.setdefault((unit.dataset, unit.log.split), []).append(unit)
    for (dataset, split), group in groups.items():
        yield dataset, split, group


def _merge(
    dataset: str,
    split: str,
    group: Sequence[Unit],
    counts: Sequence[LogCounts],
    result: Result,
    out: Path,
) -> dict[str, Any]:
    """Write one dataset split's files from its parts, in log order; return its manifest entry."""
    written = Counter[str]()
    for old in (*out.glob(f"{dataset}/**/*_{split}.json"), *out.glob(f"{dataset}_*_{split}.json")):
        old.unlink()
    with ExitStack() as stack:
        files: dict[str, IO[str]] = {}
        for unit in group:
            for key, text in read_rows(unit.part):
                if key not in files:
                    files[key] = stack.enter_context(atomic_writer(out / f"{key}.json"))
                files[key].write(("[\n" if not written[key] else ",\n") + text)
                written[key] += 1
        for file in files.values():
            file.write("\n]\n")
    failed = {u.log.id: c.error for u, c in zip(group, counts, strict=True) if c.error}
    tallies: dict[str, Tally] = {}
    keyframes_dropped = Counter[str]()
    for count in counts:
        keyframes_dropped.update(count.keyframes_dropped)
        for task, tally in count.tallies.items():
            tallies.setdefault(task, Tally()).add(tally)
    _tell(result, dataset, counts, written, failed, out)
    return {
        "logs": len(group),
        "logs_failed": failed,
        "input_fingerprint": hashlib.sha256(
            "".join(_inputs(unit.log) for unit in group).encode()
        ).hexdigest(),
        "clips": sum(count.clips for count in counts),
        "keyframes_dropped": dict(sorted(keyframes_dropped.items())),
        "questions": {task: tally.to_json() for task, tally in sorted(tallies.items())},
        "files": dict(sorted((f"{key}.json", number) for key, number in written.items())),
    }


def _tell(
    result: Result,
    dataset: str,
    counts: Sequence[LogCounts],
    written: Counter[str],
    failed: dict[str, str],
    out: Path,
) -> None:
    result.clips += sum(count.clips for count in counts)
    result.samples += written.total()
    result.files += [(out / f"{key}.json", number) for key, number in sorted(written.items())]
    result.failed += [(f"{dataset}/{log}", error) for log, error in failed.items()]
    for count in counts:
        result.dropped.update(count.keyframes_dropped)
        for tally in count.tallies.values():
            result.dropped.update(tally.dropped)


def _open_manifest(out: Path, recipe: Recipe) -> dict[str, Any]:
    """Start a manifest, or go on with the one that is there if it was made the same way."""
    fresh: dict[str, Any] = {
        "recipe": _key(recipe),
        # Nothing is drawn at random: the same input gives the same bytes.
        "seed": None,
        "versions": {
            name: version(name) for name in ("impromptu-vla", "numpy", "scipy", "pyarrow")
        },
        "datasets": {},
    }
    path = out / MANIFEST
    if not path.exists():
        return fresh
    old: dict[str, Any] = read_json(path)
    if old.get("recipe") != fresh["recipe"]:
        raise ValueError(
            f"{out} holds samples of another recipe, {json.dumps(old.get('recipe'))}; "
            f"this one is {json.dumps(fresh['recipe'])}: choose another --out or remove the folder"
        )
    return fresh | {"datasets": old["datasets"]}


def _finish(out: Path, manifest: dict[str, Any]) -> None:
    """Write the registry of every file the manifest lists, and the manifest, last."""
    manifest["datasets"] = {
        dataset: dict(sorted(splits.items()))
        for dataset, splits in sorted(manifest["datasets"].items())
    }
    registry = {
        _registry_name(file): registry_entry(file)
        for splits in manifest["datasets"].values()
        for entry in splits.values()
        for file in entry["files"]
        if "/unanswered/" not in file
    }
    write_json(out / REGISTRY, dict(sorted(registry.items())))
    write_json(out / MANIFEST, manifest)


def _registry_name(file: str) -> str:
    """``kitti/q7_train.json`` is registered as ``kitti_q7_train``."""
    return file.removesuffix(".json").replace("/", "_")
