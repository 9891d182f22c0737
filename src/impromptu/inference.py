"""Runs an engine over samples: batched, written as answers come, resumed by id after a kill."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from impromptu.conversation import Prediction, Sample
from impromptu.engines import Completion, Engine, Settings
from impromptu.files import atomic_writer, fingerprint, read_json, write_json
from impromptu.progress import track

ERROR = "error"


def infer(
    samples: Sequence[Sample],
    engine: Engine,
    settings: Settings,
    out: Path,
    *,
    name: str,
    batch_size: int = 1,
) -> dict[str, str]:
    """Answer every sample that ``out`` does not answer yet.

    Lines are added batch by batch and put in the order of the samples at the end. Batches are cut
    from the samples at fixed places, so a resumed run asks the model the same batches as one that
    was never stopped. Samples that failed before are asked again.

    Args:
        out: The JSON Lines file of predictions; ``<out>.settings`` beside it tells from what it
            was made, and nothing else may be added to it.
        name: The engine's name, a part of what makes two runs the same.

    Returns:
        What went wrong, by sample id.

    Raises:
        ValueError: ``out`` holds answers of other samples or another model, or is not ours.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    _claim(out, {"engine": name, **_identity(samples, settings, engine)})
    reasons = {row["id"]: row["finish_reason"] for row in _rows(out)}
    batches = [
        batch
        for start in range(0, len(samples), batch_size)
        if any(reasons.get(one.id, ERROR) == ERROR for one in (batch := samples[start:][:batch_size]))
    ]
    problems: dict[str, str] = {}
    if batches:
        problems = _answer(batches, engine, settings, out, name)
    _put_in_order(out, [sample.id for sample in samples])
    return problems
