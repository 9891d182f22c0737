"""Is anything there twice?"""

from collections.abc import Iterator

import numpy as np

from impromptu.arrays import Ints
from impromptu.audits import Audit, Finding, Record, Severity, percent
from impromptu.audits._keys import Keys, first_pairs


class _Duplicates:
    def __init__(self) -> None:
        self.seen = 0
        self.ids, self.asked, self.whole, self.motion = Keys(), Keys(), Keys(), Keys()

    def see(self, record: Record) -> None:
        self.seen += 1
        number = record.number
        if record.id:
            self.ids.add((record.source.name, record.id), number)
        question = hash((record.paths, record.prompt))
        self.asked.add(question, number)
        self.whole.add((question, record.answer), number)
        if record.motion:
            self.motion.add(record.motion, number)

    def findings(self) -> Iterator[Finding]:
        text = "{n} samples have an id that came before in their file; answers are joined by it."
        yield from self._again("error", "same_id", text, *self.ids.repeats())
        whole, first = self.whole.repeats()
        text = "{n} samples ({share}) are there again: the same images, prompt and answer."
        yield from self._again("warning", "same_sample", text, whole, first)
        asked, first = self.asked.repeats()
        other = ~np.isin(asked, whole)
        text = "{n} samples ask again what was asked before of the same images; answered otherwise."
        yield from self._again("error", "two_answers", text, asked[other], first[other])
        motion, first = self.motion.repeats()
        other = ~np.isin(motion, whole)
        severity: Severity = "warning" if other.sum() > 0.01 * len(self.motion) else "note"
        text = (
            "{n} samples have other images, yet to the centimetre the past and the future of an "
            "earlier one: one drive under two names (two cameras?), or poses assigned wrongly."
        )
        yield from self._again(severity, "same_motion", text, motion[other], first[other])

    def _again(
        self, severity: Severity, name: str, text: str, later: Ints, first: Ints
    ) -> Iterator[Finding]:
        if count := len(later):
            told = text.replace("{n}", f"{count:,}").replace("{share}", percent(count, self.seen))
            yield Finding(severity, name, told, count, self.seen, first_pairs(first, later))


AUDIT = Audit("Is anything there twice?", _Duplicates)
