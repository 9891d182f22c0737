"""Reads all data of a training once: each row's fate, its length, and what the audits see."""

import json
import re
from array import array
from collections import Counter as Counts
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

from impromptu import audits, plugins
from impromptu.audit_sources import File, count_batches, read_rows
from impromptu.audits import Audit, Check, Record, Tally
from impromptu.preflight.conversion import Names
from impromptu.preflight.examine import Examined, Job
from impromptu.preflight.fates import NOTED, SKIPPED, STOPS
from impromptu.preflight.plan import Plan
from impromptu.preflight.sources import Dataset
from impromptu.preflight.workers import examined
from impromptu.progress import track

TRAINED = ("vocabulary", "balance", "duplicates")
BOTH = ("splits", "image_content")
"""Audits of what is trained on, and those that compare it with what is held out."""

_WORD = re.compile(r"</?[A-Za-z|][^<>\n]{0,40}>")
_WORDS, _FIELDS = 5_000, 1_000
"""So many are told apart at most; only made-up files have more."""


@dataclass(slots=True)
class Seen:
    """What was counted of one dataset.

    Attributes:
        records: Rows of its files.
        read: Those that are loaded; the others are beyond ``max_samples``.
        fates: Of rows that are not simply trained on, by reason.
    """

    records: int = 0
    read: int = 0
    fates: Counts[str] = field(default_factory=Counts)

    @property
    def trained(self) -> int:
        """Rows that are trained on."""
        return self.read - sum(self.fates[reason] for reason in (*STOPS, *SKIPPED))


class Reading:
    """All that is known after every file was read.

    Attributes:
        seen: By dataset.
        tally: Fates, with examples.
        tokens, kept: Of each row that is trained on, before and after cutting.
        words: Words in angle brackets of the answers.
        kinds: By dataset, (field, kind of value) -> how often.
        checks: Audits under way, by name.
        lost: Where each row with a fate that costs something is written, one a line.
    """

    def __init__(
        self, plan: Plan, datasets: Sequence[Dataset], lost: IO[str] | None = None
    ) -> None:
        self.plan, self.datasets, self.lost = plan, datasets, lost
        self.seen = {one.name: Seen() for one in datasets if one.trains}
        self.tally = Tally()
        self.tokens, self.kept = array("i"), array("i")
        self.images = self.image_tokens = self.held_out = 0
        self.words = Counts[str]()
        self.kinds: dict[str, Counts[tuple[str, str]]] = {name: Counts() for name in self.seen}
        self.audits = {name: plugins.load(audits, name, Audit) for name in (*TRAINED, *BOTH)}
        self.checks = {name: audit.start() for name, audit in self.audits.items()}

    @property
    def files(self) -> list[File]:
        """All files, in the order they are read in."""
        return [file for dataset in self.datasets for file in dataset.files]

    def read(self, job: Job, workers: int) -> None:
        """Read and examine everything."""
        for (dataset, records), found in examined(self._batches(), job, workers):
            self._take(dataset, records, found)

    def _batches(self) -> Iterator[tuple[tuple[Dataset, list[Record]], list[Any], Names]]:
        """Yield the rows to examine; show records to the audits on the way."""
        files = self.files
        owner = {id(file): one for one in self.datasets for file in one.files}
        both = [self.checks[name] for name in BOTH]
        all_checks = list(self.checks.values())
        for file, rows, records in track(read_rows(files), count_batches(files), "blocks", "data"):
            dataset = owner[id(file)]
            if dataset.trains:
                rows, records = self._loaded(dataset, rows, records)
                _show(records, all_checks)
                yield (dataset, records), rows, dataset.names
            else:
                self.held_out += len(records)
                _show(records, both)

    def _loaded(
        self, dataset: Dataset, rows: list[Any], records: list[Record]
    ) -> tuple[list[Any], list[Record]]:
        """Return those that ``max_samples`` leaves; a random draw may be of any."""
        seen, most = self.seen[dataset.name], self.plan.max_samples
        count = len(rows)
        if most is not None and dataset.num_samples is None:
            count = max(0, min(count, most - seen.read))
        seen.records += len(rows)
        seen.read += count
        return rows[:count], records[:count]

    def _take(self, dataset: Dataset, records: list[Record], found: Examined) -> None:
        seen = self.seen[dataset.name]
        self.tally.seen += len(records)
        for at, reason, detail in sorted(found.fates):
            seen.fates[reason] += 1
            self.tally.add(reason, records[at], detail)
            if self.lost and reason not in NOTED:
                self.lost.write(_line(dataset, records[at], reason, detail, found.tokens[at]))
        if len(self.kinds[dataset.name]) < _FIELDS:
            self.kinds[dataset.name] += found.kinds
        self.images += found.images
        self.image_tokens += found.image_tokens
        self.tokens.extend(filter(None, found.tokens))
        self.kept.extend(filter(None, found.kept))
        for record in records:
            if "<" in record.answer:
                self._words(record.answer)

    def _words(self, answer: str) -> None:
        for word in set(_WORD.findall(answer)):
            if word in self.words or len(self.words) < _WORDS:
                self.words[word] += 1


def _line(dataset: Dataset, record: Record, reason: str, detail: str, tokens: int) -> str:
    fate = {
        "dataset": dataset.name,
        "file": record.source.name,
        "record": record.row,
        "id": record.id,
        "reason": reason,
        "tokens": tokens or None,
        "detail": detail,
    }
    return json.dumps(fate) + "\n"


def _show(records: Sequence[Record], checks: Sequence[Check]) -> None:
    for record in records:
        if record.readable:
            for check in checks:
                check.see(record)


def mixed_kinds(kinds: Mapping[tuple[str, str], int]) -> dict[str, list[tuple[str, int]]]:
    """Return by field the kinds of value it has, where there are several but for null."""
    by_field: dict[str, list[tuple[str, int]]] = {}
    for (name, kind), count in sorted(kinds.items()):
        if kind:
            by_field.setdefault(name, []).append((kind, count))
    return {name: found for name, found in by_field.items() if len(found) > 1}
