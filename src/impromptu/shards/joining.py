"""Joins the samples of a generated folder clip by clip, as released samples have them."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from impromptu import datasets, plugins, questions
from impromptu.clip_table import clip_file
from impromptu.conversation import Sample, clip_id
from impromptu.datasets import Dataset
from impromptu.files import read_json
from impromptu.image_files import image_fault
from impromptu.json_stream import Broken
from impromptu.questions import Question
from impromptu.registry import REGISTRY
from impromptu.shards import PICTURES, TASKS
from impromptu.shards.counts import Counts
from impromptu.shards.record_lines import record_lines

_FILE = re.compile(r"(?P<dataset>[^/]+)/(?P<task>q[1-7])_(?P<split>train|val|test)\.json")

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Part:
    """A dataset split of a generated folder.

    Attributes:
        files: The file of each task that has one.
    """

    dataset: str
    split: str
    files: Mapping[str, Path]


@dataclass(frozen=True, slots=True)
class Joined:
    """A released sample that is still to be written.

    Attributes:
        log: ``<dataset>/<log>`` of its clip.
        texts: Contents of the small files by the ends of their names.
        images: Image files likewise.
    """

    log: str
    texts: Mapping[str, bytes]
    images: Mapping[str, Path]


def parts(folder: Path) -> tuple[list[Part], list[str]]:
    """Return the dataset splits that a generated folder registers, and names that are no part.

    Raises:
        FileNotFoundError: There is no registry.
        ValueError: It registers no question file.
    """
    registry = folder / REGISTRY
    if not registry.is_file():
        raise FileNotFoundError(
            f"{registry}: no such file; expected the --out folder of scripts/data_qa_generate.sh"
        )
    files: dict[tuple[str, str], dict[str, Path]] = {}
    others = []
    for name, entry in sorted(read_json(registry).items()):
        file = str(entry.get("file_name")) if isinstance(entry, dict) else ""
        if found := _FILE.fullmatch(file):
            files.setdefault((found["dataset"], found["split"]), {})[found["task"]] = folder / file
        else:
            others.append(name)
    if not files:
        raise ValueError(f"{registry}: expected files such as kitti/q7_train.json, found none")
    return [Part(*key, found) for key, found in sorted(files.items())], others


def join(folder: Path, part: Part, counts: Counts) -> Iterator[list[Joined]]:
    """Yield the released samples of each clip, in the order of the clips; count the questions.

    A clip is one sample. Where a question is asked of it once a view, each further view is one
    more, with that view's image alone.

    Raises:
        FileNotFoundError: There is no clip table.
        ValueError: A file holds no samples of ours, or two images are of one view.
    """
    order = clip_ids(folder, part)
    place = {name: at for at, name in enumerate(order)}
    streams = {
        task: _Stream(_rows(path, task, place, counts[task]), task)
        for task, path in sorted(part.files.items())
    }
    for clip in order:
        asked = {task: rows for task, s in streams.items() if (rows := s.take(clip))}
        depth = max(map(len, asked.values()), default=0)
        layers = (
            {t: rows[at] for t, rows in asked.items() if at < len(rows)} for at in range(depth)
        )
        yield [made for layer in layers if (made := _sample(folder, part, clip, layer, counts))]


def clip_ids(folder: Path, part: Part) -> list[str]:
    """Return the clips of a part, in their order.

    Raises:
        FileNotFoundError: There is no clip table.
    """
    path = folder / clip_file(part.dataset, part.split)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such clip table; generate the samples again")
    return [str(name) for name in pq.read_table(path, columns=["id"])["id"].to_pylist()]


class _Stream:
    """Hands out a file's rows clip by clip."""

    def __init__(self, rows: Iterator[tuple[str, Row]], task: str) -> None:
        self._rows, self._task = rows, task
        self._next = next(rows, None)

    def take(self, clip: str) -> list[Row]:
        """Return the rows of a clip, which is the next one or a later one."""
        taken = []
        while self._next is not None and self._next[0] == clip:
            taken.append(self._next[1])
            self._next = next(self._rows, None)
        return taken


def _rows(
    path: Path, task: str, place: Mapping[str, int], counter: Counter[str]
) -> Iterator[tuple[str, Row]]:
    """Yield (clip, row) in the order of the clips; hold them all only if they are in another."""
    read = _known(path, task, place, counter)
    if _is_in_order(path, task, place):
        yield from read
    else:
        yield from sorted(read, key=lambda told: place[told[0]])


def _is_in_order(path: Path, task: str, place: Mapping[str, int]) -> bool:
    last = -1
    for clip, _ in _known(path, task, place, Counter()):
        if place[clip] < last:
            return False
        last = place[clip]
    return True


def _known(
    path: Path, task: str, place: Mapping[str, int], counter: Counter[str]
) -> Iterator[tuple[str, Row]]:
    """Yield (clip, row) of the rows that are samples of a known clip; count the others."""
    for line in record_lines(path):
        row = None if isinstance(line, Broken) else json.loads(line)
        try:
            sample = Sample.from_sharegpt(row) if isinstance(row, dict) else None
        except ValueError:
            sample = None
        if row is None or sample is None:
            counter["not_a_sample"] += 1
        elif (clip := clip_id(sample.id, task)) not in place:
            counter["not_in_clip_table"] += 1
        elif not sample.answer:
            counter["not_answered"] += 1
        else:
            yield clip, row


def _sample(
    folder: Path, part: Part, clip: str, rows: Mapping[str, Row], counts: Counts
) -> Joined | None:
    """Make a released sample of one row a question; None if nothing is left of it."""
    images, own = dict[str, Path](), dict[str, Any]()
    texts = {f"{task}_{end}": b"" for task in TASKS for end in ("question.txt", "answer.txt")}
    texts |= {f"{task}_images.json": b"[]" for task in TASKS}
    for task, row in rows.items():
        shown = [Path(folder, path) for path in row["images"]]
        views = view_names(part.dataset, task, str(row["id"]))
        if fault := next(filter(None, map(_fault, shown)), "") or _unlike(views, shown):
            counts[task][fault] += 1
            continue
        counts[task]["written"] += 1
        for view, path in zip(views, shown, strict=True):
            if images.setdefault(f"{view}{path.suffix.lower()}", path) != path:
                raise ValueError(f"{row['id']}: {path}: {view} of this clip is another image")
        prompt, answer = (message["content"] for message in row["messages"])
        texts[f"{task}_images.json"] = json.dumps(views).encode()
        texts[f"{task}_question.txt"] = prompt.encode()
        texts[f"{task}_answer.txt"] = answer.encode()
        own[task] = {key: row[key] for key in row if key not in ("images", "messages")}
    if not own:
        return None
    texts["json"] = json.dumps(own, ensure_ascii=False).encode()
    return Joined(clip.rpartition("/")[0], texts, images)


def _unlike(views: Sequence[str], shown: Sequence[Path]) -> str:
    return "" if len(views) == len(shown) else "unknown_views"


def _fault(path: Path) -> str:
    return image_fault(path) or ("" if path.suffix.lower() in PICTURES else "other_image_type")


def view_names(dataset: str, task: str, sample_id: str) -> list[str]:
    """Return the views that a sample of ours shows, in order, as they stand in file names."""
    if (asked := _views(dataset, task)) is not None:
        return list(asked)
    return [sample_id.rpartition("/")[2]]


@cache
def _views(dataset: str, task: str) -> tuple[str, ...] | None:
    source = plugins.load(datasets, dataset, Dataset)
    views = {"front": source.forward[:1], "forward": source.forward, "surround": source.surround}
    kinds = (plugins.load(questions, name, Question) for name in plugins.names(questions))
    kind = next(question.views for question in kinds if question.task == task)
    if kind == "each":
        return None
    return tuple(view.lower().replace(" ", "_") for view in views[kind])
