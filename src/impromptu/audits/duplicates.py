"""Is anything there twice?"""

from collections.abc import Iterator

import numpy as np

from impromptu.audits import SHOWN, Audit, Finding, Record, percent
from impromptu.audits._keys import Keys, first_numbers

_MOVED_M = 2.0


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
        # Whoever stands still tells the same numbers every half second, and honestly.
        if record.path_m is not None and len(record.path_m) > 2 and record.past_m is not None:
            if len(record.past_m) and np.abs(record.path_m[-1]).max() > _MOVED_M:
                self.motion.add((record.prompt, record.answer), number)

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
        severity = "warning" if other.sum() > 0.01 * len(self.motion) else "note"
        text = (
            "{n} samples of a moving car have other images, yet the very numbers of an earlier "
            "sample, in prompt and answer: images or poses may be assigned wrongly."
        )
        yield from self._again(severity, "same_motion", text, motion[other], first[other])

    def _again(
        self, severity: str, name: str, text: str, later: "np.ndarray", first: "np.ndarray"
    ) -> Iterator[Finding]:
        if count := len(later):
            told = text.replace("{n}", f"{count:,}").replace("{share}", percent(count, self.seen))
            pairs = np.stack([first[:SHOWN], later[:SHOWN]], axis=1).ravel()
            yield Finding(severity, name, told, count, self.seen, first_numbers(pairs, SHOWN + 1))


AUDIT = Audit("Is anything there twice?", _Duplicates)
