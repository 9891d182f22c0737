"""Takes runs out of an attempt as they end, each with the lines of the trace that are its own."""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from impromptu.closed_loop import runs
from impromptu.files import read_json, read_json_lines, write_json

TRACE = "trace.jsonl"
_SAME_M = 1e-3


@dataclass(frozen=True, slots=True)
class Ended:
    """A run that ended, or could not be driven, and then why."""

    scenario: str
    run: int
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """Where one engine's runs of one scenario come into being.

    Attributes:
        folder: It has the runs in the engine's layout, and the model server's trace.
        numbers: The runs, in the order in which the engine drives them.
    """

    folder: Path
    scenario: str
    numbers: Sequence[int]

    @property
    def log_dir(self) -> Path:
        """Where the engine writes."""
        return self.folder / self.scenario

    @property
    def trace(self) -> Path:
        """What the model server tells of all these runs."""
        return self.folder / TRACE


def collect(attempt: Attempt, out: Path, *, failed: bool) -> Iterator[Ended]:
    """Move the runs that have ended since the last time to where they are kept.

    Args:
        attempt: Where they came into being.
        out: Where they are kept.
        failed: Those too that the engine notes as failed.
    """
    for number in attempt.numbers:
        made = attempt.log_dir / f"run_{number}"
        metrics, failure = (_whole(made / f"{name}.json") for name in ("metrics", "failure"))
        why = "" if failure is None else str(failure.get("error"))
        if metrics is None and (failure is None or not failed):
            continue
        if metrics is not None:
            why = _add_trace(attempt, number, made)
        if why:
            (made / "metrics.json").unlink(missing_ok=True)
            write_json(made / "failure.json", {"error": why})
        kept = runs.folder_of(out, attempt.scenario, number)
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(kept, ignore_errors=True)
        made.rename(kept)
        yield Ended(attempt.scenario, number, why)


def _whole(path: Path) -> Mapping[str, Any] | None:
    """Return a file's fields; None while it is not there, or not yet to its end."""
    try:
        value = read_json(path)
    except (FileNotFoundError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def _add_trace(attempt: Attempt, number: int, made: Path) -> str:
    """Give a run its part of the trace; return why it has none that is its own.

    The engine resets the server once before each run, so the server's first run is the first of
    ``numbers``. The mini-simulator's runs have a trace of their own.
    """
    if (made / TRACE).is_file():
        return ""
    count = attempt.numbers.index(number) + 1
    lines = [line for _, line in read_json_lines(attempt.trace) if line["run"] == count]
    poses = made / "ego_poses.json"
    if not _same_way(lines, read_json(poses) if poses.is_file() else {}):
        return "the model server's trace and the engine's poses differ: was another run mixed in?"
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    (made / TRACE).write_text(text, encoding="utf-8")
    return ""


def _same_way(lines: Sequence[Mapping[str, Any]], poses: Mapping[str, Any]) -> bool:
    """Tell whether a trace was at each place that the engine noted, when it was there."""
    seen = {line["timestamp_us"]: (line["x_m"], line["y_m"]) for line in lines if "x_m" in line}
    if not seen or not {int(stamp) for stamp in poses} <= seen.keys():
        return False
    noted = np.array([[row[3] for row in pose[:2]] for pose in poses.values()]).reshape(-1, 2)
    told = np.array([seen[int(stamp)] for stamp in poses]).reshape(-1, 2)
    return bool((np.abs(noted - told) < _SAME_M).all())
