"""Find, read and join true and predicted answers: by id, never by line order unless that is all.

Files of two folders, and of the folders in them, pair by the words of their names and folders.
``nuscenes_q6_val.json`` and ``nuscenes/q6_val.json`` have the words nuscenes, q6 and val; either
pairs with ``q6_val.jsonl`` because all words of one are in the other. Of several such candidates
one with exactly the same words wins; otherwise the pair is refused as ambiguous. Prompts under
``unanswered`` are passed over. Every prediction file needs a pair. Names may end in ``.json`` or
``.jsonl`` or in neither; either content, a JSON list or JSON lines, is read under any of them.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from impromptu.conversation import IMAGE, Sample
from impromptu.files import read_json, read_json_lines

TASKS = ("q1", "q2", "q3", "q4", "q5", "q6", "q7", "planning")
_ENDINGS = (".json", ".jsonl")
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Pair:
    """A file of true answers, one of predictions, and the task both are about."""

    task: str
    truth: Path
    prediction: Path


@dataclass(frozen=True, slots=True)
class Answer:
    """One sample's true text and the predicted one.

    Attributes:
        predicted: None where nothing was predicted, or nothing that is one text.
        prompt: What was asked; empty where nobody needs it.
        fault: Why there is not one text though something was predicted, in a few snake_case words.
        images: As ``Sample`` has them.
    """

    id: str
    true: str
    predicted: str | None
    prompt: str = ""
    fault: str = ""
    images: tuple[str, ...] = ()

    def unseen(self, task: str) -> Sample:
        """Return what an engine without eyes is asked; its id ends in the task, which names it."""
        end = f"/{task}"
        name = self.id if self.id.endswith(end) or f"{end}/" in self.id else self.id + end
        return Sample(name, ("",) * self.prompt.count(IMAGE), self.prompt, "")


@dataclass(frozen=True, slots=True)
class Joined:
    """All answers of a pair of files, in the order of the true ones.

    Attributes:
        joined_by: ``id``; or ``order``, where the prediction file has no ids and as many lines as
            there are samples.
        preset: What the file of true answers says it was made with; empty where it says nothing.
        extra: Ids that were predicted and never asked for.
        repeated: Ids that were predicted more than once, always with the same text.
    """

    pair: Pair
    joined_by: Literal["id", "order"]
    preset: str
    answers: tuple[Answer, ...]
    extra: tuple[str, ...] = ()
    repeated: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Said:
    """What a prediction says, or why it says nothing."""

    text: str | None
    fault: str = ""


def pair_folders(truth: Path, prediction: Path) -> tuple[list[Pair], list[Path]]:
    """Pair the files of two folders; also return the true ones that nobody predicted.

    Raises:
        FileNotFoundError: A folder is missing or has no file named after a task.
        ValueError: A prediction file has no pair or several, or shares its pair with another.
    """
    true_paths, pairs = list(_answer_files(truth)), list[Pair]()
    for path in _answer_files(prediction):
        pair = Pair(task_of(path), _counterpart(path, prediction, true_paths, truth), path)
        if rivals := [p.prediction.name for p in pairs if p.truth == pair.truth]:
            raise ValueError(
                f"{prediction}: {rivals[0]} and {path.name} both pair with {pair.truth.name}; "
                "keep one prediction file for each file of true answers"
            )
        pairs.append(pair)
    paired = {pair.truth for pair in pairs}
    return pairs, [path for path in true_paths if path not in paired]


def pairs_of(
    truth: Path, prediction: Path, task: str | None = None
) -> tuple[list[Pair], list[Path]]:
    """Pair two files, two folders, or a file with its counterpart in a folder.

    Args:
        truth: True answers.
        prediction: What was predicted.
        task: Of two files whose names do not tell.

    Returns:
        The pairs, and the true files of a folder that a folder of predictions leaves out.

    Raises:
        FileNotFoundError: A path is not there, or a folder has no file named after a task.
        ValueError: Names do not pair.
    """
    for path in (truth, prediction):
        if not path.exists():
            raise FileNotFoundError(f"{path}: no such file or folder")
    if truth.is_dir() and prediction.is_dir():
        return pair_folders(truth, prediction)
    if truth.is_dir():
        task_of(prediction)
        found = _counterpart(prediction, prediction.parent, list(_answer_files(truth)), truth)
        return [Pair(task_of(prediction), found, prediction)], []
    if prediction.is_dir():
        task_of(truth)
        answers = list(_answer_files(prediction))
        return [
            Pair(task_of(truth), truth, _counterpart(truth, truth.parent, answers, prediction))
        ], []
    return [Pair(task or task_of(truth), truth, prediction)], []


def clip_table_beside(truth: Path) -> Path | None:
    """Find the clip table of a file of true answers, as generation lays both out.

    It is ``clips/<dataset>_<split>.parquet`` in the folder of the file or one or two above, and
    all words of its name are in the file's, or the last in the file's and the others in its
    folder's. Of several the one that shares most words with the file's own name.
    """
    own, *above = _words(truth), _words(truth.parent), _words(truth.parent.parent)
    for folder in truth.absolute().parents[:3]:
        fitting = [
            path
            for path in sorted((folder / "clips").glob("*.parquet"))
            if path.stem.lower().split("_")[-1] in own and _words(path) <= own.union(*above)
        ]
        if fitting:
            return max(fitting, key=lambda path: len(_words(path) & own))
    return None


def task_of(path: Path) -> str:
    """Return the task a file is named after.

    Raises:
        ValueError: Its name has no task, or several.
    """
    if len(tasks := _words(path) & set(TASKS)) != 1:
        raise ValueError(
            f"{path}: expected one of the words {', '.join(TASKS)} in the name, such as "
            f"'q6_val{path.suffix}', found {', '.join(sorted(tasks)) or 'none'}; rename the file, "
            "or name two files and the task with --task"
        )
    return tasks.pop()


def join(pair: Pair) -> Joined:
    """Read both files and join them; a prediction that an engine failed to make is a missing one.

    A prediction for another sample is set aside. A sample with two different predictions has none.

    Raises:
        ValueError: A file is malformed, no predicted id was asked for, or the predictions have no
            ids and are not as many as the samples.
    """
    samples, preset = _truth(pair.truth)
    rows = [(where, *_prediction(where, row)) for where, row in _rows(pair.prediction)]
    if rows and all(name is None for _, name, _ in rows):
        if len(rows) != len(samples):
            raise ValueError(
                f"{pair.prediction}: {len(rows)} predictions without 'id' for {len(samples)} "
                f"samples of {pair.truth}; they can be joined by order only when the counts match"
            )
        return Joined(pair, "order", preset, _answers(samples, [said for _, _, said in rows]))
    by_id = _by_id(rows)
    _unique_samples(samples, pair.truth)
    asked = {sample.id for sample in samples}
    extra = tuple(name for name in by_id if name not in asked)
    if extra and len(extra) == len(by_id):
        raise ValueError(
            f"{pair.prediction}: {len(extra)} ids are not in {pair.truth}, first {_first(extra)}; "
            "the predictions were made for other samples"
        )
    said = [_one(by_id.get(sample.id, ())) for sample in samples]
    repeated = tuple(name for name, all_ in by_id.items() if len(all_) > 1 and len(set(all_)) == 1)
    return Joined(pair, "id", preset, _answers(samples, said), extra, repeated)


def _truth(path: Path) -> tuple[list[Sample], str]:
    """Read the samples of a ShareGPT file, and its preset; one without an id has its position."""
    samples, presets = [], set()
    for index, (where, row) in enumerate(_rows(path)):
        try:
            samples.append(Sample.from_sharegpt(row, str(index)))
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from error
        presets.add(str(row.get("preset", "")))
    if not samples:
        raise ValueError(f"{path}: no samples in it, so there is nothing to score")
    return samples, ", ".join(sorted(presets - {""}))


def _answers(samples: Sequence[Sample], said: Sequence[_Said]) -> tuple[Answer, ...]:
    return tuple(
        Answer(sample.id, sample.answer, one.text, sample.prompt, one.fault, sample.images)
        for sample, one in zip(samples, said, strict=True)
    )


def _one(all_of_a_sample: Sequence[_Said]) -> _Said:
    """Return the one prediction of a sample."""
    different = set(all_of_a_sample)
    if len(different) > 1:
        return _Said(None, "predicted_twice")
    return different.pop() if different else _Said(None)


def _unique_samples(samples: Sequence[Sample], path: Path) -> None:
    seen: set[str] = set()
    for row, sample in enumerate(samples, start=1):
        if sample.id in seen:
            raise ValueError(
                f"{path}: row {row}: id {sample.id!r} comes twice, so predictions cannot be "
                "joined by it; give each sample its own id"
            )
        seen.add(sample.id)


def _by_id(rows: Sequence[tuple[str, str | None, _Said]]) -> dict[str, list[_Said]]:
    said: dict[str, list[_Said]] = {}
    for where, name, one in rows:
        if name is None:
            raise ValueError(f"{where}: no 'id', though other predictions of this file have one")
        said.setdefault(name, []).append(one)
    return said


def _prediction(where: str, row: Mapping[str, Any]) -> tuple[str | None, _Said]:
    if "predict" not in row:
        raise ValueError(f"{where}: expected the answer as text in 'predict', got {row!r:.80}")
    text, name = row["predict"], row.get("id")
    said = _Said(text) if isinstance(text, str) else _Said(None, "not_text")
    failed = row.get("finish_reason") == "error"
    return None if name is None else str(name), _Said(None) if failed else said


def _rows(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield (place, object) of a JSON list or of JSON lines."""
    with path.open(encoding="utf-8", errors="replace") as file:
        is_list = file.read(4096).lstrip().startswith("[")
    kind = "row" if is_list else "line"
    try:
        for number, row in enumerate(read_json(path), 1) if is_list else read_json_lines(path):
            if not isinstance(row, dict):
                raise ValueError(f"{path}: {kind} {number}: expected an object, got {row!r:.80}")
            yield f"{path}: {kind} {number}", row
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: expected UTF-8 text, byte {error.start} is not") from error


def _answer_files(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder")
    paths = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix in ("", *_ENDINGS) and not _apart(path, folder)
    ]
    named = [path for path in paths if _words(path) & set(TASKS)]
    if not named:
        found = _first([path.name for path in paths]) or "no such file"
        raise FileNotFoundError(
            f"{folder}: expected files named after a task, such as q6_val.json or "
            f"nuscenes_q6_val.jsonl; found {found}"
        )
    yield from named


def _apart(path: Path, folder: Path) -> bool:
    """Tell whether a file is hidden, or holds prompts that nobody has answered yet."""
    parts = path.relative_to(folder).parts
    return any(part.startswith(".") or part == "unanswered" for part in parts)


def _counterpart(path: Path, within: Path, candidates: Sequence[Path], folder: Path) -> Path:
    words, task = _words(path, within), task_of(path)
    same_task = [other for other in candidates if task in _words(other)]
    known = {other: _words(other, folder) for other in same_task}
    nested = [other for other, its in known.items() if its <= words or its >= words]
    found = [other for other in nested if known[other] == words] or nested
    if len(found) == 1:
        return found[0]
    which = f"pairs with {_first([o.name for o in found])}" if found else "pairs with no file"
    raise ValueError(
        f"{path}: {which} of {folder} (of its task: "
        f"{_first([o.name for o in same_task]) or 'none'}); two names pair when all words of one "
        "are in the other: rename one, or name the two files"
    )


def _words(path: Path, folder: Path | None = None) -> set[str]:
    """Return the words of a file's name, and of the folders it is in below another."""
    stem = path.stem if path.suffix in (*_ENDINGS, ".parquet") else path.name
    above = path.relative_to(folder).parent.parts if folder else ()
    return set(re.split(r"[^a-z0-9]+", " ".join([*above, stem]).lower())) - {""}


def _first(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
