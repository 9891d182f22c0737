"""Is the text whole: not empty, not garbled, not of an odd length?"""

import heapq
import re
from array import array
from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from impromptu.audits import SHOWN, Audit, Finding, Record, Tally

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_NO_UTF8 = re.compile(r"[\ud800-\udfff]")
_TWICE = re.compile("\u00c3[\u0080-\u00bf]|\u00e2\u20ac|\u00c2[\u00a0-\u00bf]")
_LONG_TIMES, _LONG_MORE = 10, 400
"""An answer is long from ten times its task's median and 400 characters more than that on."""
_LISTS = ("q1", "q2")
"""Answers as long as there are road users."""
_PLACEHOLDER = re.compile(r"\s*(?:null|nan|n/a|todo|tbd|undefined|\.\.\.)\s*", re.IGNORECASE)


class _Text:
    def __init__(self) -> None:
        self.tally = Tally()
        self.lengths: dict[str, array[int]] = defaultdict(lambda: array("I"))
        self.longest: dict[str, list[tuple[int, str]]] = defaultdict(list)

    def see(self, record: Record) -> None:
        self.tally.seen += 1
        if not record.answer.strip():
            self.tally.add("empty_answer", record)
        elif _PLACEHOLDER.fullmatch(record.answer[:40]):
            if not (record.task == "q4" or len(record.answer) > 40):
                self.tally.add("placeholder", record, record.answer)
        if not record.prompt.replace("<image>", "").strip():
            self.tally.add("empty_prompt", record)
        for text in (record.prompt, record.answer):
            self._letters(text, record)
        self._length(record)

    def _letters(self, text: str, record: Record) -> None:
        if _CONTROL.search(text):
            self.tally.add("control", record, repr(text))
        if text.isascii():
            return
        if found := _NO_UTF8.search(text):
            self.tally.add("no_utf8", record, _around(text, found))
        if "\ufffd" in text:
            self.tally.add("replaced", record)
        if found := _TWICE.search(text):
            self.tally.add("twice", record, _around(text, found))

    def _length(self, record: Record) -> None:
        if record.task in _LISTS:
            return
        length = len(record.answer)
        self.lengths[record.task].append(min(length, 2**32 - 1))
        longest = self.longest[record.task]
        if len(longest) < SHOWN:
            heapq.heappush(longest, (length, record.place))
        elif length > longest[0][0]:
            heapq.heapreplace(longest, (length, record.place))

    def findings(self) -> Iterator[Finding]:
        find = self.tally.finding
        text = "{n} answers are empty ({share}): a model learns to say nothing."
        yield from find("error", "empty_answer", text)
        yield from find("error", "placeholder", "{n} answers are placeholders such as 'null'.")
        yield from find("error", "empty_prompt", "{n} prompts have no words.")
        text = "{n} texts hold bytes that are no UTF-8, or halves of a sign."
        yield from find("error", "no_utf8", text)
        text = "{n} texts hold the sign for what could not be decoded (U+FFFD)."
        yield from find("warning", "replaced", text)
        text = (
            "{n} texts look decoded with the wrong encoding (such as '\u00c3\u00a9' for '\u00e9')."
        )
        yield from find("warning", "twice", text)
        yield from find("warning", "control", "{n} texts hold control characters.")
        for task, lengths in sorted(self.lengths.items()):
            yield from self._long(task, np.array(lengths))

    def _long(
        self, task: str, lengths: "np.ndarray[tuple[int], np.dtype[np.int64]]"
    ) -> Iterator[Finding]:
        median = float(np.median(lengths))
        limit = max(_LONG_TIMES * median, median + _LONG_MORE)
        if not (count := int((lengths > limit).sum())):
            return
        text = (
            f"{count:,} answers to {task or 'other tasks'} have more than {limit:,.0f} characters; "
            f"the median is {median:,.0f}, the longest {lengths.max():,}."
        )
        longest = sorted(self.longest[task], reverse=True)
        examples = tuple(f"{place}: {length:,}" for length, place in longest if length > limit)
        yield Finding("warning", "long_answer", text, count, len(lengths), examples)


def _around(text: str, found: re.Match[str]) -> str:
    return repr(text[max(0, found.start() - 20) : found.end() + 20])


AUDIT = Audit("Is the text whole?", _Text)
