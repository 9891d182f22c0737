"""Question files as training wants them: answers in their tags, image marks counted, in place.

An answer to q2, q6 or q7 without its tags gets them. A record that is no sample, or whose prompt
has more or fewer image marks than images, is dropped: LLaMA-Factory would stop at it. An answer
that its own question cannot be answered with is counted, and kept unless told otherwise.
A file without any record stays as it is.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Literal

from impromptu import plugins, questions
from impromptu.conversation import IMAGE
from impromptu.files import atomic_bytes
from impromptu.json_stream import Broken
from impromptu.progress import track
from impromptu.questions import AnswerError, Question
from impromptu.shards import TASKS
from impromptu.shards.counts import Counts, record, told
from impromptu.shards.record_lines import Parts, RecordWriter, dumped, parts, record_lines
from impromptu.workers import side_by_side

TAGS = {"q2": "DYNAMIC OBJECTS", "q6": "SPEED PATH PLAN", "q7": "PLANNING"}

_MARK = IMAGE.encode()

Invalid = Literal["keep", "drop"]

_NUMBER = r"-?\d{1,4}\.\d{1,4}"
_POINT = rf"\[{_NUMBER}, {_NUMBER}\]"
_TEN = re.compile(rf"[^][<]*(\[x, y\][^][<]*)?{_POINT}(, {_POINT}){{9}}\s*")
"""Ten plain waypoints, as most answers have them: what is so needs no closer look."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A file to format."""

    path: Path
    task: str
    invalid: Invalid


@dataclass(frozen=True, slots=True)
class Result:
    """What the files of a split came to.

    Attributes:
        counts: Records by dataset, task and what became of them.
        tagged: Answers that got their tags, by task.
        invalid: Answers that do not answer, by dataset, task and reason; dropped or not.
        missing: Files that should be there.
    """

    counts: dict[str, Counts]
    tagged: Counter[str]
    invalid: dict[str, Counts]
    missing: Sequence[Path]


def format_split(root: Path, split: str, invalid: Invalid, workers: int) -> Result:
    """Format ``root/<split>/<dataset>/q{1..7}.json``; a file that is so already stays as it is.

    Raises:
        FileNotFoundError: There is no such file.
    """
    units = [Unit(path, path.stem, invalid) for path in question_files(root, split)]
    there = [unit for unit in units if unit.path.is_file()]
    largest_first = sorted(there, key=lambda unit: -unit.path.stat().st_size)
    result = Result({}, Counter(), {}, [unit.path for unit in units if unit not in there])
    made = side_by_side(_work, largest_first, min(workers, len(there)))
    for unit, (counts, tagged, wrong) in track(made, len(there), "files", "format"):
        dataset = unit.path.parent.name
        result.counts.setdefault(dataset, {})[unit.task] = counts
        result.invalid.setdefault(dataset, {})[unit.task] = wrong
        result.tagged[unit.task] += tagged
    _record(root / split, result, invalid)
    return result


def question_files(root: Path, split: str) -> list[Path]:
    """Return the files of a split, there or not, by dataset and task.

    Raises:
        FileNotFoundError: There is none.
    """
    folder = root / split
    folders = sorted(folder.iterdir()) if folder.is_dir() else []
    datasets = [one for one in folders if any((one / f"{task}.json").is_file() for task in TASKS)]
    if not datasets:
        raise FileNotFoundError(
            f"{folder}: expected <dataset>/q1.json ... q7.json; write them first: python "
            f"scripts/data_organize.py --data_root ImpromptuData --split {split} --out {root}"
        )
    return [one / f"{task}.json" for one in datasets for task in TASKS]


def _work(unit: Unit) -> tuple[Counter[str], int, Counter[str]]:
    """Format a file; return what became of its records, how many were tagged, and what is wrong."""
    if (counted := _as_it_should_be(unit)) is not None:
        return counted
    if lost := _all_lost(unit):
        return lost, 0, Counter()
    counts, wrong, tagged = Counter[str](), Counter[str](), 0
    with atomic_bytes(unit.path) as file:
        writer = RecordWriter(file)
        for line in record_lines(unit.path):
            made, reason, fault = _formatted(line, unit.task)
            wrong[fault] += bool(fault)
            if reason or (fault and unit.invalid == "drop"):
                counts[reason or fault] += 1
                continue
            tagged += made is not line
            counts["written"] += 1
            writer.write(made)
        writer.end()
    return counts, tagged, +wrong


def _all_lost(unit: Unit) -> Counter[str]:
    """Count why no record of a file is one; nothing if one is. Such a file stays as it is."""
    lost = Counter[str]()
    for line in record_lines(unit.path):
        if not (reason := _formatted(line, unit.task)[1]):
            return Counter()
        lost[reason] += 1
    return lost


def _as_it_should_be(unit: Unit) -> tuple[Counter[str], int, Counter[str]] | None:
    """Return the counts of a file that need not be written again; None at the first that must."""
    wrong, size, total = Counter[str](), len(b"[\n]\n"), 0
    for line in record_lines(unit.path):
        made, reason, fault = _formatted(line, unit.task)
        if made is not line or reason or (fault and unit.invalid == "drop"):
            return None
        wrong[fault] += bool(fault)
        size, total = size + len(made) + len(b",\n"), total + 1
    if size - bool(total) != unit.path.stat().st_size:
        return None
    return Counter(written=total), 0, +wrong


def _formatted(line: bytes | Broken, task: str) -> tuple[bytes, str, str]:
    """Return a record, why it cannot be one, and what is wrong with its answer."""
    if isinstance(line, Broken):
        return b"", line.reason, ""
    if cut := parts(line):
        return _cut(line, cut, task)
    try:
        row = json.loads(line)
        user, assistant = row["messages"]
        prompt, answer, images = user["content"], assistant["content"], row["images"]
        marks = prompt.count(IMAGE)
        fitting = marks == len(images) and isinstance(answer, str) and isinstance(images, list)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return b"", "not_sharegpt", ""
    if not fitting:
        return b"", "image_marks", ""
    tag = TAGS.get(task)
    if tag and f"<{tag}>" not in answer and f"</{tag}>" not in answer:
        assistant["content"] = f"<{tag}>{answer}</{tag}>"
        line = dumped(row)
    return line, "", _fault(task, answer)


def _cut(line: bytes, cut: Parts, task: str) -> tuple[bytes, str, str]:
    """Do the same on a line of our own form, without reading it all."""
    if cut.prompt.count(_MARK) != cut.images:
        return b"", "image_marks", ""
    try:
        plain = b"\\" not in cut.answer
        answer = cut.answer.decode() if plain else json.loads(b'"%s"' % cut.answer)
    except ValueError:
        return b"", "not_json", ""
    tag = TAGS.get(task)
    if tag and f"<{tag}>" not in answer and f"</{tag}>" not in answer:
        name = tag.encode()
        line = cut.before + b"<%s>%s</%s>" % (name, cut.answer, name) + cut.after
    return line, "", _fault(task, answer)


@lru_cache(maxsize=4096)
def _fault(task: str, answer: str) -> str:
    """Say why an answer is none to its question, in a few snake_case words."""
    if task == "q7" and _TEN.fullmatch(_inside(answer)):
        return ""
    try:
        _questions()[task].read(answer)
    except AnswerError as error:
        return error.reason
    return ""


def _inside(answer: str) -> str:
    opened, closed = f"<{TAGS['q7']}>", f"</{TAGS['q7']}>"
    whole = answer.startswith(opened) and answer.endswith(closed)
    return answer[len(opened) : -len(closed)] if whole else answer


@cache
def _questions() -> Mapping[str, Question]:
    loaded = (plugins.load(questions, name, Question) for name in plugins.names(questions))
    return {question.task: question for question in loaded}


def _record(folder: Path, result: Result, invalid: Invalid) -> None:
    entry = {
        "questions": {dataset: told(counts) for dataset, counts in sorted(result.counts.items())},
        "tagged": dict(sorted(result.tagged.items())),
        f"answers_that_do_not_answer_{invalid}": {
            dataset: {task: dict(sorted(faults.items())) for task, faults in sorted(tasks.items())}
            for dataset, tasks in sorted(result.invalid.items())
        },
        "missing": [str(path.relative_to(folder)) for path in result.missing],
    }
    record(folder, "format", entry)
