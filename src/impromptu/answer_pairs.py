"""Find which file of predictions belongs to which of true answers, by the words of their names.

Files of two folders, and of the folders in them, pair by the words of their names and folders.
``nuscenes_q6_val.json`` and ``nuscenes/q6_val.json`` have the words nuscenes, q6 and val; either
pairs with ``q6_val.jsonl`` because all words of one are in the other. Of several such candidates
one with exactly the same words wins; otherwise the pair is refused as ambiguous. Prompts under
``unanswered`` are passed over. Every prediction file needs a pair. Names may end in ``.json`` or
``.jsonl`` or in neither.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

TASKS = ("q1", "q2", "q3", "q4", "q5", "q6", "q7", "planning")
_ENDINGS = (".json", ".jsonl")
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Pair:
    """A file of true answers, one of predictions, and the task both are about."""

    task: str
    truth: Path
    prediction: Path


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
        found = first_of([path.name for path in paths]) or "no such file"
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
    which = f"pairs with {first_of([o.name for o in found])}" if found else "pairs with no file"
    raise ValueError(
        f"{path}: {which} of {folder} (of its task: "
        f"{first_of([o.name for o in same_task]) or 'none'}); two names pair when all words of one "
        "are in the other: rename one, or name the two files"
    )


def _words(path: Path, folder: Path | None = None) -> set[str]:
    """Return the words of a file's name, and of the folders it is in below another."""
    stem = path.stem if path.suffix in (*_ENDINGS, ".parquet") else path.name
    above = path.relative_to(folder).parent.parts if folder else ()
    return set(re.split(r"[^a-z0-9]+", " ".join([*above, stem]).lower())) - {""}


def first_of(names: Sequence[str]) -> str:
    """Return the first few names, and how many more there are."""
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
