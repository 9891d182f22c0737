"""Writes what a teacher has answered as samples, and into the manifest what became of the rest."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from impromptu.annotation.agreement import Pairs, most_agreed
from impromptu.annotation.prompts import Prompts, Unanswered
from impromptu.asking import Store
from impromptu.files import read_json, write_json, write_json_list
from impromptu.manifest import MANIFEST, close_manifest

AGREEMENT = "agreement.json"
DROPPED = "teacher_"
"""How the manifest's reasons begin that are of this step."""
SELF = "itself"


@dataclass(slots=True)
class Written:
    """What all that a teacher has answered came to: ``prompts == samples + dropped``.

    Attributes:
        samples: Their number in every file, by its path under the samples' folder.
        dropped: Prompts without an answer, by reason.
        agreement: Pairs of answers, by whom with (``itself`` or another teacher) and task.
    """

    samples: dict[str, int] = field(default_factory=dict)
    dropped: Counter[str] = field(default_factory=Counter)
    agreement: dict[str, dict[str, Pairs]] = field(default_factory=dict)

    def pairs(self, whom: str, task: str) -> Pairs:
        """Return the pairs of one kind, to add to."""
        return self.agreement.setdefault(whom, {}).setdefault(task, Pairs(task))

    def figures(self) -> dict[str, Any]:
        """Return the agreement as JSON."""
        return {
            whom: {task: pairs.figures() for task, pairs in sorted(tasks.items())}
            for whom, tasks in sorted(self.agreement.items())
        }


def write_samples(
    prompts: Prompts, store: Store, others: Mapping[str, Store], model: str
) -> Written:
    """Write a sample file for each file of prompts, the registry, and last the manifest.

    Args:
        prompts: All of them.
        store: The teacher's replies.
        others: Those of other teachers, to compare with.
        model: The teacher, for the manifest.
    """
    written, reasons = Written(), store.rejections()
    manifest = read_json(prompts.folder / MANIFEST)
    for file in prompts.files:
        path, dropped = prompts.folder / file.answered, Counter[str]()
        rows = _answered(prompts, file, store, others, reasons, dropped, written)
        count = write_json_list(path, rows)
        if not count:
            path.unlink()  # LLaMA-Factory takes no empty file
        told = {"model": model, "replies": store.folder.relative_to(prompts.folder).as_posix()}
        _enter(manifest["datasets"][file.dataset][file.split], file, count, dropped, told)
        written.samples[file.answered] = count
        written.dropped.update(dropped)
    close_manifest(prompts.folder, manifest)
    write_json(store.folder / AGREEMENT, written.figures())
    return written


def _answered(
    prompts: Prompts,
    file: Unanswered,
    store: Store,
    others: Mapping[str, Store],
    reasons: Mapping[bytes, str],
    dropped: Counter[str],
    written: Written,
) -> Iterator[dict[str, Any]]:
    """Yield a file's records with their answers; count those that have none, and agreement."""
    for row, sample in prompts.rows(file):
        asked = prompts.requests(sample)
        replies = [reply for request in asked if (reply := store.get(request))]
        if not replies:
            known = [reasons[request.key] for request in asked if request.key in reasons]
            dropped[known[0] if known else "not_asked"] += 1
            continue
        answers = [reply.text for reply in replies]
        if len(asked) > 1:
            written.pairs(SELF, file.task).add_all(answers)
        for name, other in others.items():
            if not replies[0].repeat and (theirs := other.get(asked[0])):
                written.pairs(name, file.task).add(answers[0], theirs.text)
        question, answer = row["messages"]
        said = {**answer, "content": most_agreed(file.task, answers)}
        yield {**row, "messages": [question, said]}


def _enter(
    entry: dict[str, Any], file: Unanswered, count: int, dropped: Counter[str], told: Any
) -> None:
    """Enter into a split's manifest what became of a file of prompts."""
    tally = entry["questions"][file.task]
    before = {why: n for why, n in tally["dropped"].items() if not why.startswith(DROPPED)}
    now = {DROPPED + why: n for why, n in dropped.items()}
    tally["samples"], tally["dropped"] = count, dict(sorted((before | now).items()))
    tally["samples_with_missing_images"] = 0  # none of those was asked about
    entry.setdefault("teachers", {})[file.task] = told
    entry["files"].pop(file.answered, None)
    if count:
        entry["files"] = dict(sorted((entry["files"] | {file.answered: count}).items()))
