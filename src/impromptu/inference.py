"""Runs an engine over samples: in batches, written as answers come, resumed by id after a kill."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from impromptu.conversation import Prediction, Sample
from impromptu.engines import Completion, Engine, Settings
from impromptu.files import atomic_writer, fingerprint, read_json, read_json_lines, write_json
from impromptu.progress import track

Batch = Sequence[Sample]

_MODEL_FILES = (
    "*.safetensors",
    "*.npz",
    "config.json",
    "tokenizer.json",
    "preprocessor_config.json",
)
"""What answers depend on; the logs of a training beside them hold times, and differ each time."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an inference ended.

    Attributes:
        finish_reasons: The number of answers by finish reason.
        problems: What went wrong, by sample id, for the answers that are errors.
    """

    finish_reasons: Mapping[str, int]
    problems: Mapping[str, str]


def infer(
    samples: Sequence[Sample], name: str, engine: Engine, settings: Settings, out: Path, batch: int
) -> Outcome:
    """Answer every sample that ``out`` does not answer yet.

    A line is written as soon as its answer is there; at the end the lines are put in the order of
    the samples. Batches are cut at fixed places, so a resumed run asks a model the same batches
    as a run that was never stopped, and ends with the same bytes. Samples that failed in an
    earlier run are asked again.

    Args:
        samples: Their ids must differ.
        name: The engine's name.
        engine: What answers; opened only if something is left to ask.
        settings: What it is opened with.
        out: The JSON Lines file of predictions. ``<out>.settings`` beside it holds what they were
            made from, so that answers of two models are never mixed in one file.
        batch: The most samples to ask at once.

    Raises:
        ValueError: ``out`` was made from something else, or is not readable.
    """
    _claim(out, _origin(samples, name, engine, settings))
    open_ids = {sample.id for sample in samples} - _done(out)
    batches = [samples[start : start + batch] for start in range(0, len(samples), batch)]
    batches = [part for part in batches if any(sample.id in open_ids for sample in part)]
    problems = _ask(batches, engine, settings, out, label=name) if batches else {}
    return Outcome(_put_in_order(out, samples), problems)


def _ask(
    batches: Sequence[Batch], engine: Engine, settings: Settings, out: Path, label: str
) -> dict[str, str]:
    """Append the answers to some batches; return what went wrong, by id."""
    problems: dict[str, str] = {}
    answer = engine.open(settings)
    answers = chain.from_iterable(zip(batch, answer(batch), strict=True) for batch in batches)
    total = sum(map(len, batches))
    with out.open("a", encoding="utf-8", newline="\n") as file:
        for sample, completion in track(answers, total, "samples", label):
            file.write(_line(sample, completion))
            file.flush()
            if completion.problem:
                problems[sample.id] = completion.problem
    return problems


def _line(sample: Sample, completion: Completion) -> str:
    prediction = Prediction(sample.id, completion.text, sample.answer, completion.finish_reason)
    return json.dumps(prediction.to_json(), ensure_ascii=False) + "\n"


def _done(out: Path) -> set[str]:
    """Return the ids that need not be asked again, having cut off a line torn by a kill."""
    with out.open("rb+") as file:
        content = file.read()
        file.truncate(content.rfind(b"\n") + 1)
    reasons = {row["id"]: row["finish_reason"] for _, row in read_json_lines(out)}
    return {name for name, reason in reasons.items() if reason != "error"}


def _put_in_order(out: Path, samples: Sequence[Sample]) -> dict[str, int]:
    """Leave one line a sample, the latest, in the samples' order; count the finish reasons."""
    rows = [row for _, row in read_json_lines(out)]
    latest = {row["id"]: row for row in rows}
    ordered = [latest[sample.id] for sample in samples]
    if ordered != rows:
        with atomic_writer(out) as file:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in ordered)
    return dict(Counter(row["finish_reason"] for row in ordered))


def _origin(
    samples: Sequence[Sample], name: str, engine: Engine, settings: Settings
) -> dict[str, Any]:
    """Return all that predictions depend on, as JSON."""
    digest = hashlib.sha256()
    for sample in samples:
        digest.update(json.dumps(sample.to_sharegpt()).encode())
    origin = {"engine": name, "samples": len(samples), "samples_sha256": digest.hexdigest()}
    if not engine.runs_model:
        return origin | ({"model": settings.model} | _print(settings) if engine.fitted else {})
    model = _print(settings)
    flat = asdict(settings) | asdict(settings.decoding) | {"media_dir": str(settings.media_dir)}
    del flat["decoding"]
    return origin | model | flat


def _print(settings: Settings) -> dict[str, str]:
    """Return the fingerprint of the model's files; nothing where it is only a name."""
    model = Path(settings.model)
    files = [path for pattern in _MODEL_FILES for path in model.glob(pattern)]
    if model.is_file():
        files, model = [model], model.parent
    return {"model_sha256": fingerprint(files, model)} if files else {}


def _claim(out: Path, origin: Mapping[str, Any]) -> None:
    """Tie ``out`` to what it is made from.

    Raises:
        ValueError: It already has answers made from something else.
    """
    record = out.with_name(out.name + ".settings")
    if not out.exists() or not out.stat().st_size:
        write_json(record, origin)
        out.touch()
        return
    told = read_json(record) if record.exists() else {}
    differing = [key for key, value in origin.items() if told.get(key) != value]
    if differing:
        raise ValueError(
            f"{out} already holds answers made otherwise (see {record.name}): "
            + ", ".join(f"{key} was {told.get(key)!r}, is {origin[key]!r}" for key in differing)
            + "; choose another --save_name or delete the file"
        )
