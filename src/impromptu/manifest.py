"""What a generation kept and lost, as the files that close it: the manifest and the registry."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import impromptu
from impromptu.conversation import registry_entry
from impromptu.counts import LogCounts, Tally
from impromptu.datasets import Log
from impromptu.files import fingerprint, read_json, write_json
from impromptu.part import Recipe, prepare
from impromptu.registry import REGISTRY

MANIFEST = "manifest.json"


def key(recipe: Recipe) -> dict[str, Any]:
    """Return what of a recipe decides the bytes that are written."""
    wording, actions = (
        _digest(path) if path else None for path in (recipe.wording, recipe.actions)
    )
    return {
        "preset": recipe.preset,
        "questions": list(recipe.questions),
        "missing_images": recipe.missing_images,
        "mapillary_hz": recipe.mapillary_hz,
        "filters": asdict(prepare(recipe).filters),
        "wording_sha256": wording,
        "answers": recipe.answers,
        "actions_sha256": actions,
        # Only where there is one: other folders stay as they are.
        **({"clips_sha256": _digest(recipe.clips)} if recipe.clips else {}),
    }


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@cache
def code() -> str:
    """Return the fingerprint of this package: parts made by other code are made again."""
    folder = Path(impromptu.__file__).parent
    return fingerprint((p for p in folder.rglob("*") if p.suffix in (".py", ".yaml")), folder)


def inputs(log: Log) -> str:
    """Return the fingerprint of a log's native files; what is no file fails its log later."""
    return fingerprint((path for path in log.inputs if path.is_file()), log.root)


def open_manifest(out: Path, recipe: Recipe) -> dict[str, Any]:
    """Start a manifest, or go on with the one that is there if it was made the same way.

    Raises:
        ValueError: The folder was made by another recipe, or by something else.
    """
    fresh: dict[str, Any] = {
        "recipe": key(recipe),
        # Nothing is drawn at random: the same input gives the same bytes.
        "seed": None,
        "versions": {
            name: version(name) for name in ("impromptu-vla", "numpy", "scipy", "pyarrow")
        },
        "datasets": {},
    }
    path = out / MANIFEST
    if not path.exists():
        if (out / REGISTRY).exists():
            raise ValueError(
                f"{out} holds a {REGISTRY} that this command did not write; choose another --out"
            )
        return fresh
    old = read_json(path)
    if not isinstance(old, dict) or not isinstance(old.get("datasets"), dict):
        raise ValueError(f"{path}: not a manifest that this command wrote; choose another --out")
    if old.get("recipe") != fresh["recipe"]:
        raise ValueError(
            f"{out} holds samples of another recipe: {_changed(old.get('recipe'), fresh['recipe'])}"
            "; choose another --out or remove the folder"
        )
    return fresh | {"datasets": old["datasets"]}


def _changed(was: Any, now: Mapping[str, Any]) -> str:
    """Say what differs between two recipes, limits one by one."""
    one, other = (
        {key: value for key, value in recipe.items() if key != "filters"}
        | {f"filters.{key}": value for key, value in (recipe.get("filters") or {}).items()}
        for recipe in (was if isinstance(was, dict) else {}, now)
    )
    return ", ".join(
        f"{key} was {json.dumps(one.get(key))}, is {json.dumps(other.get(key))}"
        for key in {**one, **other}
        if one.get(key) != other.get(key)
    )


def entry(
    logs: Sequence[Log], counts: Sequence[LogCounts], written: Mapping[str, int]
) -> dict[str, Any]:
    """Return a dataset split's entry: what went in, what came out, what was dropped and why.

    Args:
        logs: Its logs.
        counts: What became of each.
        written: Number of samples by file, without ``.json``.
    """
    pairs = list(zip(logs, counts, strict=True))
    tallies: dict[str, Tally] = {}
    keyframes_dropped = Counter[str]()
    for count in counts:
        keyframes_dropped.update(count.keyframes_dropped)
        for task, tally in count.tallies.items():
            tallies.setdefault(task, Tally()).add(tally)
    together = "".join(inputs(log) for log in logs)
    return {
        "logs": len(logs),
        "logs_failed": {g.id: c.error for g, c in pairs if c.error},
        "images_unwritten": {g.id: c.images_unwritten for g, c in pairs if c.images_unwritten},
        "input_fingerprint": hashlib.sha256(together.encode()).hexdigest(),
        "clips": sum(count.clips for count in counts),
        "keyframes_dropped": dict(sorted(keyframes_dropped.items())),
        "poses_unusable": sum(count.poses_unusable for count in counts),
        "questions": {task: tally.to_json() for task, tally in sorted(tallies.items())},
        "files": {f"{name}.json": number for name, number in sorted(written.items())},
    }


def close_manifest(out: Path, manifest: dict[str, Any]) -> None:
    """Write the registry of every file the manifest lists, and the manifest, last."""
    manifest["datasets"] = {
        dataset: dict(sorted(splits.items()))
        for dataset, splits in sorted(manifest["datasets"].items())
    }
    registered = {
        _registry_name(file): registry_entry(file)
        for splits in manifest["datasets"].values()
        for split in splits.values()
        for file in split["files"]
        if "/unanswered/" not in file
    }
    write_json(out / REGISTRY, dict(sorted(registered.items())))
    write_json(out / MANIFEST, manifest)


def _registry_name(file: str) -> str:
    """``kitti/q7_train.json`` is registered as ``kitti_q7_train``."""
    return file.removesuffix(".json").replace("/", "_")
