"""Is a log, or an image, of the training samples among the others too?"""

from collections.abc import Iterator

import numpy as np

from impromptu.audits import Audit, Finding, Record, Severity
from impromptu.audits._keys import Keys, first_pairs, joined

_SPLITS = ("train", "val", "test")
_LEAST_LOGS = 3
"""Logs told from images must be so many in each split: one folder of all images is no log."""


class _Splits:
    def __init__(self) -> None:
        self.logs = {split: Keys() for split in _SPLITS}
        self.image_logs = {split: Keys() for split in _SPLITS}
        self.images = {split: Keys() for split in _SPLITS}
        self.motions = {split: Keys() for split in _SPLITS}
        self.samples = dict.fromkeys(_SPLITS, 0)
        self.unsplit = 0

    def see(self, record: Record) -> None:
        split = record.source.split
        if not split:
            self.unsplit += 1
            return
        self.samples[split] += 1
        if record.log:
            (self.logs if record.log_told else self.image_logs)[split].add(
                record.log, record.number
            )
        if record.motion:
            self.motions[split].add(record.motion, record.number)
        for path in record.paths:
            self.images[split].add(path, record.number)

    def findings(self) -> Iterator[Finding]:
        for at, split in enumerate(_SPLITS):
            for other in _SPLITS[at + 1 :]:
                yield from self._both(split, other)
        told = {split: count for split, count in self.samples.items() if count}
        counts = ", ".join(f"{count:,} {split}" for split, count in told.items())
        text = f"Samples by split, as files and folders are named: {counts or 'none told'}"
        text += f", {self.unsplit:,} of no told split." if self.unsplit else "."
        if len(told) < 2:
            text += " With one split there is nothing to compare."
        yield Finding("note", "splits", text, sum(told.values()), sum(told.values()) + self.unsplit)

    def _both(self, split: str, other: str) -> Iterator[Finding]:
        yield from self._shared("error", "same_log", split, other, self.logs, "logs, by their ids")
        yield from self._shared("error", "same_image", split, other, self.images, "image files")
        what = "drives, by the very numbers of past and future"
        yield from self._shared("warning", "same_motion", split, other, self.motions, what)
        logs = [np.unique(self.image_logs[one].keys()) for one in (split, other)]
        if min(map(len, logs)) >= _LEAST_LOGS:
            what = "logs, by the names of their images"
            yield from self._shared(
                "warning", "same_image_log", split, other, self.image_logs, what
            )

    def _shared(
        self,
        severity: Severity,
        name: str,
        split: str,
        other: str,
        by_split: dict[str, Keys],
        what: str,
    ) -> Iterator[Finding]:
        keys, others = by_split[split], by_split[other]
        mine, theirs = keys.keys(), others.keys()
        _, first = np.unique(mine, return_index=True)
        i, j = joined(mine[first], theirs)
        if not len(i):
            return
        hit = np.isin(theirs, mine)
        count = len(np.unique(others.numbers()[hit]))
        text = (
            f"{len(i):,} {what}, are in {split} and in {other}; {count:,} samples of {other} "
            f"are of them: what is measured on {other} was seen in {split}."
        )
        examples = first_pairs(keys.numbers()[first][i], others.numbers()[j])
        yield Finding(severity, name, text, count, self.samples[other], examples)


AUDIT = Audit("Is the same log in train and test?", _Splits)
