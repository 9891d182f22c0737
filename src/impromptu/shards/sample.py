"""Makes ShareGPT records of the files of one released sample."""

import json
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from json.encoder import encode_basestring as quoted
from typing import NamedTuple

from impromptu.shards import PICTURES, TASKS

LARGEST_TEXT = 1 << 20
"""Bytes; prompts and answers have some thousands."""

_KEPT = ("id", "preset", "warning")
_LONGEST = 1000


class Lost(ValueError):
    """A file of a question that costs it; the text is the reason, one snake_case word or two."""


@dataclass(frozen=True, slots=True)
class Files:
    """The files of a shard.

    Attributes:
        names: Of all of them, or of those of one sample.
        read: The content of a file; raises ``FileNotFoundError`` or ``Lost``.
        id: Ids begin with it, ``<dataset>/<shard>/``.
        image: Image paths begin with it.
    """

    names: Container[str]
    read: Callable[[str], bytes]
    id: str
    image: str


class Outcome(NamedTuple):
    """What a question of a sample came to.

    Attributes:
        line: Its record as one line of JSON; empty where there is none.
        lost: Why there is none; empty where it is not asked.
        images: The files it shows.
    """

    line: str = ""
    lost: str = ""
    images: tuple[str, ...] = ()


def outcomes(idx: str, files: Files) -> Iterator[tuple[str, Outcome]]:
    """Yield each task and what it came to, in the order of the tasks."""
    own = _own(idx, files) if f"{idx}.json" in files.names else {}
    known: dict[tuple[str, ...], _Shown] = {}
    for task in TASKS:
        try:
            yield task, _outcome(idx, task, files, own.get(task, {}), known)
        except Lost as reason:
            yield task, Outcome(lost=str(reason))


_Shown = tuple[tuple[str, ...], str]
"""The image files of some views, and their paths as JSON."""


def _outcome(
    idx: str,
    task: str,
    files: Files,
    own: Mapping[str, str],
    known: dict[tuple[str, ...], _Shown],
) -> Outcome:
    stem = f"{idx}.{task}"
    try:
        views = _views(files.read(f"{stem}_images.json"))
    except FileNotFoundError:
        if f"{stem}_question.txt" in files.names or f"{stem}_answer.txt" in files.names:
            raise Lost("no_images_file") from None
        return Outcome()
    if not views:
        return Outcome()
    question = _text(files, stem, "question")
    answer = _text(files, stem, "answer")
    if views not in known:
        known[views] = _shown(idx, views, files)
    images, paths = known[views]
    told = {"id": f"{files.id}{idx}/{task}", **own}
    marks = "".join(f", {quoted(key)}: {quoted(told[key])}" for key in _KEPT[1:] if key in told)
    return Outcome(
        f'{{"id": {quoted(told["id"])}, "images": [{paths}], "messages": '
        f'[{{"role": "user", "content": {quoted(question)}}}, '
        f'{{"role": "assistant", "content": {quoted(answer)}}}]{marks}}}',
        images=images,
    )


def _shown(idx: str, views: tuple[str, ...], files: Files) -> _Shown:
    images = tuple(image_name(idx, view, files.names) for view in views)
    return images, ", ".join(quoted(files.image + image) for image in images)


def image_name(idx: str, view: str, names: Container[str]) -> str:
    """Return the file of a view, which may be told by its name or by that of its file.

    Raises:
        Lost: It is not there, or its name cannot stand in a file of samples.
    """
    stem = view if view.startswith(f"{idx}.") else f"{idx}.{view}"
    if not stem.isprintable():
        raise Lost("bad_image_name")
    for end in (*PICTURES, ""):
        if stem + end in names and (stem + end).lower().endswith(PICTURES):
            return stem + end
    raise Lost("missing_image")


@lru_cache(maxsize=4096)
def _views(content: bytes) -> tuple[str, ...]:
    try:
        views = json.loads(content)
    except (ValueError, RecursionError):
        raise Lost("bad_images_file") from None
    if not isinstance(views, list) or not all(isinstance(view, str) for view in views):
        raise Lost("bad_images_file")
    return tuple(views)


def _text(files: Files, stem: str, part: str) -> str:
    try:
        return files.read(f"{stem}_{part}.txt").decode().strip()
    except FileNotFoundError:
        raise Lost(f"no_{part}_file") from None
    except UnicodeDecodeError:
        raise Lost("not_utf8") from None


def _own(idx: str, files: Files) -> dict[str, dict[str, str]]:
    """Return what our own samples have beside images and messages, by task; else nothing."""
    try:
        told = json.loads(files.read(f"{idx}.json"))
    except (ValueError, RecursionError, FileNotFoundError):
        return {}
    rows = told.items() if isinstance(told, dict) else ()
    return {
        task: {
            key: row[key]
            for key in _KEPT
            if isinstance(row.get(key), str)
            and row[key].isprintable()
            and 0 < len(row[key]) <= _LONGEST
        }
        for task, row in rows
        if isinstance(row, dict)
    }
