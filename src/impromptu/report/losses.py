"""What became of every log, keyframe and question: the manifest of the samples as tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from impromptu.report.text import counted


@dataclass(frozen=True, slots=True)
class Asked:
    """One question asked of a dataset's split: ``asked == samples + dropped``.

    Attributes:
        reasons: Why samples were dropped, and who answers or is to answer what no log tells.
    """

    question: str
    asked: int
    samples: int
    dropped: int
    reasons: str


@dataclass(frozen=True, slots=True)
class Split:
    """One dataset's split.

    Attributes:
        failed: (log, why) of every log that could not be read.
        keyframes_dropped: How many gave no clip, by reason, in words; empty where all did.
    """

    name: str
    logs: int
    clips: int
    failed: Sequence[tuple[str, str]]
    keyframes_dropped: str
    questions: Sequence[Asked]


def losses(manifest: Mapping[str, Any]) -> list[Split]:
    """Return every split of a manifest."""
    return [
        _split(f"{dataset} {split}", entry)
        for dataset, splits in manifest["datasets"].items()
        for split, entry in splits.items()
    ]


def _split(name: str, entry: Mapping[str, Any]) -> Split:
    return Split(
        name=name,
        logs=entry["logs"],
        clips=entry["clips"],
        failed=list(entry["logs_failed"].items()),
        keyframes_dropped=counted(entry["keyframes_dropped"]),
        questions=[_asked(task, tally, entry) for task, tally in entry["questions"].items()],
    )


def _asked(task: str, tally: Mapping[str, Any], entry: Mapping[str, Any]) -> Asked:
    dropped, lost = tally["dropped"], sum(tally["dropped"].values())
    told = [counted(dropped)] if dropped else []
    if teacher := entry.get("teachers", {}).get(task):
        told.append(f"answered by {teacher['model']}")
    elif any(f"/unanswered/{task}_" in file for file in entry.get("files", ())):
        told.append("waits for a teacher")
    return Asked(task, tally["asked"], tally["samples"], lost, "; ".join(told))
