"""Makes a record of a row: which task, clip and log it is of, and which points it names."""

import os
import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import numpy as np

from impromptu import action_tokens
from impromptu.arrays import Floats
from impromptu.audits import Image, Record, Source
from impromptu.json_stream import Broken
from impromptu.sharegpt_rows import Row, read_row

TASKS = ("q1", "q2", "q3", "q4", "q5", "q6", "q7", "planning")
_NUMBER = r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*"
_POINT = re.compile(rf"\[{_NUMBER},{_NUMBER}\]", re.ASCII)
_ACTION = re.compile(r"\s*[A-Z]+\s*,\s*[A-Z]+(?:_[A-Z]+)?\s*")
_LIGHT = re.compile(r"\s*(?:red|green|yellow|none)\s*\.?\s*", re.IGNORECASE)
_COUNTED = re.compile(r"(.*?)[-_]?\d+")
_HEX = re.compile(r"[0-9a-f]{12,}")
_MOVED_M, _EVENT_M = 2.0, 0.05
_LONGEST = 65_536
"""Characters of a text that are looked at for points."""

_SPLITS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}


def split_of(name: str) -> str:
    """Return the split a file's name tells, the last such word of it; empty if it tells none."""
    words = [_SPLITS.get(word, "") for word in re.split(r"[^a-z]+", name.lower())]
    return next(filter(None, reversed(words)), "")


def task_of_name(name: str) -> str:
    """Return the task a file is named after; empty if there is none or there are several."""
    tasks = set(re.split(r"[^a-z0-9]+", PurePath(name).stem.lower())) & set(TASKS)
    return tasks.pop() if len(tasks) == 1 else ""


def make_record(
    number: int,
    place: int,
    source: Source,
    value: Any,
    columns: Mapping[str, str],
    shard: Mapping[str, Image] | None,
) -> Record:
    """Make a record of any JSON value, or of what could not even be read as one."""
    if isinstance(value, Broken):
        fault = (value.reason, value.text)
        return Record(number, place, source, "", faults=(fault,), readable=False)
    row = read_row(value, columns)
    if row.prompt is None or row.answer is None:
        return Record(number, place, source, row.id, faults=row.faults, readable=False)
    paths = _paths(row, source, shard)
    clip, told = _our_clip(row.id)
    named = told or task_of_name(source.name)
    task = named or _task_of_form(row.answer)
    path_m = _path(row.answer) if task in ("q7", "planning", "waypoints") else None
    past_m = _past(row.prompt) if path_m is not None else None
    told_dataset = row.id.partition("/")[0] if told else ""
    return Record(
        number,
        place,
        source,
        row.id,
        task=task,
        told_task=bool(named),
        log=clip.rpartition("/")[0] or (_log_of_image(paths[0]) if paths else ""),
        log_told=bool(clip),
        clip=clip or (paths[0] if paths else ""),
        images=row.images,
        paths=paths,
        shard=shard,
        prompt=row.prompt,
        answer=row.answer,
        path_m=path_m,
        past_m=past_m,
        motion=told_dataset + row.prompt + row.answer if _is_eventful(path_m) else "",
        faults=row.faults,
    )


def _paths(row: Row, source: Source, shard: Mapping[str, Image] | None) -> tuple[str, ...]:
    start = source.media_dir if shard is None else f"{source.media_dir}/{source.name}"
    return tuple(
        [os.path.normpath(f"{start}/{path}" if path[:1] != "/" else path) for path in row.images]
    )


def _our_clip(name: str) -> tuple[str, str]:
    """Return the clip and the task that an id ``<dataset>/<log>/<time>/<task>[/<view>]`` tells."""
    parts = name.split("/")
    for end in (-1, -2):
        if len(parts) >= 3 - end and parts[end] in TASKS:
            return "/".join(parts[:end]), parts[end]
    return "", ""


def _task_of_form(answer: str) -> str:
    """Return the task that an answer looks like an answer to."""
    head = answer[:400]
    if "<SPEED PATH PLAN>" in head or _ACTION.fullmatch(head):
        return "q6"
    if "<DYNAMIC OBJECTS>" in head or head.startswith("Object 1:"):
        return "q2"
    if head.startswith(("Yes, I see a", "No, I don't see")):
        return "q1"
    if _LIGHT.fullmatch(head):
        return "q4"
    count = len(_POINT.findall(answer[:_LONGEST])) if "[" in answer else 0
    tasks = {10: "q7", 6: "planning"}
    return tasks.get(count, "waypoints") if count >= 3 or "<PLANNING>" in head else ""


def _path(answer: str) -> Floats:
    """Return the (n, 2) waypoints of an answer, in action tokens if it has any."""
    tokens = action_tokens.MARK in answer
    moves_m = action_tokens.places_m(answer[:_LONGEST]) if tokens else np.zeros((0, 2))
    return moves_m if len(moves_m) else _points(answer)


def _points(text: str) -> Floats:
    """Return the (n, 2) points in brackets of a text; those that are not finite are left out."""
    found = _POINT.findall(text[:_LONGEST])
    points = np.array(found, dtype=np.float64).reshape(-1, 2)
    return points if np.isfinite(points).all() else points[np.isfinite(points).all(axis=1)]


def _past(prompt: str) -> Floats:
    """Return the points of a prompt without the present one, the origin, at either end.

    Prompts end their history with it, and some say at the beginning that it is the origin.
    """
    points = _points(prompt)
    points = points[:-1] if len(points) and not points[-1].any() else points
    return points[1:] if len(points) and not points[0].any() else points


def _is_eventful(path_m: Floats | None) -> bool:
    """Tell whether the car moves, and its acceleration or its turning changes on its way.

    Whoever stands, or drives on, brakes or turns steadily, tells the same numbers every half
    second, and honestly so.
    """
    if path_m is None or len(path_m) < 4 or np.abs(path_m[-1]).max() < _MOVED_M:
        return False
    step_m = np.diff(path_m[:, 0]) + 1j * np.diff(path_m[:, 1])
    way_m = np.abs(step_m)
    turn_rad = np.angle(step_m[1:] * step_m[:-1].conj())
    aside_m = np.diff(turn_rad) * way_m[1:-1]
    return bool(max(np.abs(np.diff(way_m, 2)).max(), np.abs(aside_m).max()) > _EVENT_M)


def _log_of_image(path: str) -> str:
    """Return what images of one log have in common: all but a frame's number or hash."""
    folder, _, base = path.rpartition("/")
    stem = base.partition(".")[0]
    if (counted := _COUNTED.fullmatch(stem)) is not None:
        return f"{folder}/{counted[1]}"
    return folder if _HEX.fullmatch(stem) else path
