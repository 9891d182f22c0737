"""Read and join true and predicted answers: by id, never by line order unless that is all.

Either content, a JSON list or JSON lines, is read under any name.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from impromptu.answer_pairs import Pair, first_of
from impromptu.conversation import IMAGE, Sample
from impromptu.files import read_json, read_json_lines


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
            f"{pair.prediction}: {len(extra)} ids are not in {pair.truth}, first "
            f"{first_of(extra)}; the predictions were made for other samples"
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
