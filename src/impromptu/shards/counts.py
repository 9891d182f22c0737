"""What became of the questions of released samples, step by step, as numbers that add up."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from impromptu.files import read_json, write_json
from impromptu.manifest import MANIFEST

Counts = dict[str, Counter[str]]
"""By task, and then by what became of a question; ``written`` and ``not_asked`` are no loss."""

_NO_LOSS = ("written", "not_asked")


def told(counts: Mapping[str, Counter[str]]) -> dict[str, Any]:
    """Return the JSON object of counts: ``found == written + not_asked + dropped``."""
    return {task: _told(counter) for task, counter in sorted(counts.items())}


def _told(counter: Counter[str]) -> dict[str, Any]:
    rest = {reason: n for reason, n in sorted(counter.items()) if reason not in _NO_LOSS and n}
    kept = {name: counter[name] for name in _NO_LOSS}
    return {"found": counter.total(), **kept, "dropped": rest}


def losses(counts: Mapping[str, Counter[str]]) -> Counter[str]:
    """Return how many questions were dropped, by reason."""
    every = sum(counts.values(), Counter[str]())
    return Counter({reason: n for reason, n in every.items() if reason not in _NO_LOSS and n})


def record(folder: Path, step: str, entry: Mapping[str, Any]) -> None:
    """Write what a step did into the split's manifest; other entries stay."""
    path = folder / MANIFEST
    known = read_json(path) if path.is_file() else {}
    known = known if isinstance(known, dict) else {}
    write_json(path, known | {step: dict(entry)})
