"""Runs an engine over samples: written as answers come, resumed by id after a kill.

Samples are read as the engine takes them and answers go straight to the file, so that memory
holds the ids and no more than the engine has under way. Lines are put in the samples' order at
the end.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from impromptu import engines, plugins, prediction_file
from impromptu.backends import Backend
from impromptu.conversation import Prediction, Sample
from impromptu.engines import Completion, Engine, Settings
from impromptu.files import fingerprint
from impromptu.progress import track

_MODEL_FILES = (
    "*.safetensors",
    "*.npz",
    "config.json",
    "tokenizer.json",
    "preprocessor_config.json",
)
"""What answers depend on; the logs of a training beside them hold times, and differ each time."""
_FREE = {
    "api_key_env",
    "base_url",
    "batch_size",
    "concurrency",
    "data_parallel_size",
    "decoding",
    "disable_cuda_graph",
    "gpu_memory_utilization",
    "pipeline_parallel_size",
    "tensor_parallel_size",
    "timeout_s",
}
"""Settings that may change from one run to the next: they decide last digits at most."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an inference ended.

    Attributes:
        finish_reasons: The number of answers by finish reason.
        problems: What went wrong, by sample id, for the answers that are errors.
    """

    finish_reasons: Mapping[str, int]
    problems: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Spread:
    """Several engines side by side, each with a share of the samples."""

    backend: Backend
    workers: int


@dataclass(frozen=True, slots=True)
class Shard:
    """What one of several engines answers.

    Attributes:
        samples: All of them; gone through again where the work is done.
        places: Rising places of those to ask.
        name: The engine's.
        part: Where its answers go.
    """

    samples: Iterable[Sample]
    places: Sequence[int]
    name: str
    settings: Settings
    part: Path


def _nothing(_: str) -> None:
    """Say nothing."""


def infer(
    samples: Iterable[Sample],
    name: str,
    engine: Engine,
    settings: Settings,
    out: Path,
    spread: Spread | None = None,
    say: Callable[[str], None] = _nothing,
) -> Outcome:
    """Answer every sample that ``out`` does not answer yet.

    A line is written as soon as its answer is there; at the end the lines are put in the order of
    the samples. Batches are cut at fixed places, so a resumed run asks a model the same batches
    as a run that was never stopped, and ends with the same bytes. Samples that failed in an
    earlier run are asked again.

    Args:
        samples: Their ids differ. Gone through more than once.
        name: The engine's name.
        engine: What answers; opened only if something is left to ask.
        settings: What it is opened with.
        out: The JSON Lines file of predictions. ``<out>.settings`` beside it holds what they were
            made from, so that answers of two models are never mixed in one file.
        spread: Where more than one engine answers; each writes a file in ``<out>.parts``.
        say: Told how many are answered already.

    Raises:
        ValueError: ``out`` was made from something else, or is not readable.
        OSError: The engine cannot go on, or nothing more can be written; answers are kept.
    """
    ids, digest = _look_through(samples)
    prediction_file.claim(out, _origin(len(ids), digest, name, engine, settings))
    prediction_file.cut_torn_line(out)
    prediction_file.absorb_parts(out)
    done = prediction_file.done(out)
    if done:
        say(f"{len(done)} of {len(ids)} answered already")
    places = _open_places(ids, done, settings.batch_size if engine.whole_batches else 1)
    problems: Mapping[str, str] = {}
    if places and spread:
        problems = _ask_side_by_side(samples, places, name, engine, settings, out, spread)
    elif places:
        problems = _ask(_at(samples, places), len(places), name, engine, settings, out)
    return Outcome(prediction_file.put_in_order(out, ids), problems)


def _look_through(samples: Iterable[Sample]) -> tuple[list[str], str]:
    """Return the ids, and a fingerprint of all that the samples say."""
    ids, digest = list[str](), hashlib.sha256()
    for sample in samples:
        ids.append(sample.id)
        digest.update(json.dumps(sample.to_sharegpt()).encode())
    return ids, digest.hexdigest()


def _open_places(ids: Sequence[str], done: set[str], batch: int) -> list[int]:
    """Return the places of all samples of every batch that is not done."""
    starts = range(0, len(ids), batch)
    batches = [range(start, min(start + batch, len(ids))) for start in starts]
    return [at for one in batches if any(ids[k] not in done for k in one) for at in one]


def _at(samples: Iterable[Sample], places: Sequence[int]) -> Iterator[Sample]:
    wanted = iter(places)
    at = next(wanted, None)
    for place, sample in enumerate(samples):
        if place == at:
            yield sample
            at = next(wanted, None)
        if at is None:
            return


def _ask(
    samples: Iterable[Sample], total: int, name: str, engine: Engine, settings: Settings, out: Path
) -> dict[str, str]:
    """Append the answers to some samples; return what went wrong, by id."""
    problems, written = dict[str, str](), 0
    answers = engine.open(settings)(samples)
    try:
        with out.open("ab", buffering=0) as file:
            for sample, completion in track(answers, total, "samples", name):
                prediction_file.append(file, _line(sample, completion).encode())
                written += 1
                if completion.problem:
                    problems[sample.id] = completion.problem
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno and not error.filename:
            error.filename = str(out)  # a full disk does not tell
        error.add_note(f"{out} keeps {written} new answers; run the same command again to go on")
        raise
    finally:
        if close := getattr(answers, "close", None):
            close()  # of a generator: the engine ends with it
    return problems


def _line(sample: Sample, completion: Completion) -> str:
    more = tuple((one.text, one.finish_reason) for one in completion.more)
    prediction = Prediction(
        sample.id, completion.text, sample.answer, completion.finish_reason, more
    )
    return json.dumps(prediction.to_json(), ensure_ascii=False) + "\n"


def _ask_side_by_side(
    samples: Iterable[Sample],
    places: Sequence[int],
    name: str,
    engine: Engine,
    settings: Settings,
    out: Path,
    spread: Spread,
) -> dict[str, str]:
    """Have each of several engines answer a share, in one piece; return what went wrong."""
    size = settings.batch_size if engine.whole_batches else 1
    share = -(-len(places) // (size * spread.workers)) * size
    parts = prediction_file.parts(out)
    parts.mkdir(exist_ok=True)
    shards = [
        Shard(samples, places[at : at + share], name, settings, parts / f"{places[at]:09d}.jsonl")
        for at in range(0, len(places), share)
    ]
    gpus = settings.tensor_parallel_size * settings.pipeline_parallel_size
    gpus = gpus * settings.data_parallel_size if "cutoff_len" in engine.uses else 0
    problems = dict[str, str]()
    try:
        work = spread.backend.run(answer_shard, shards, spread.workers, gpus)
        for _, told in track(work, len(shards), "shards", name):
            problems |= told
    finally:
        prediction_file.absorb_parts(out)
    return problems


def answer_shard(shard: Shard) -> dict[str, str]:
    """Answer a share of the samples into its part; return what went wrong, by id."""
    engine = plugins.load(engines, shard.name, Engine)
    shard.part.touch()
    chosen = _at(shard.samples, shard.places)
    return _ask(chosen, len(shard.places), shard.name, engine, shard.settings, shard.part)


def _origin(
    count: int, digest: str, name: str, engine: Engine, settings: Settings
) -> dict[str, Any]:
    """Return all that predictions depend on, as JSON."""
    origin = {"engine": name, "samples": count, "samples_sha256": digest}
    if not engine.runs_model:
        return origin | ({"model": settings.model} | _prints(settings) if engine.fitted else {})
    flat = asdict(settings) | asdict(settings.decoding) | {"media_dir": str(settings.media_dir)}
    flat = {key: value for key, value in flat.items() if key not in _FREE}
    return origin | _prints(settings) | flat


def _prints(settings: Settings) -> dict[str, str]:
    """Return the fingerprints of the model's and the adapter's files, where they are files."""
    found = {"model": _print(settings.model), "adapter": _print(settings.adapter)}
    return {f"{name}_sha256": one for name, one in found.items() if one}


def _print(name: str) -> str:
    folder = Path(name)
    files = [path for pattern in _MODEL_FILES for path in folder.glob(pattern)] if name else []
    if folder.is_file():
        files, folder = [folder], folder.parent
    return fingerprint(files, folder) if files else ""
