"""Does every answer say something its question asks for, and in the right form?"""

import re
from collections.abc import Iterator
from functools import cache

from impromptu import plugins, questions
from impromptu.audits import Audit, Finding, Record, Tally
from impromptu.questions import AnswerError, Question

_TAG = re.compile(r"</?([A-Z][A-Za-z ]{2,30})>")
_TAGS = {
    "q2": "DYNAMIC OBJECTS",
    "q6": "SPEED PATH PLAN",
    "q7": "PLANNING",
    "planning": "PLANNING",
    "waypoints": "PLANNING",
}
_OBJECT = re.compile(r"Object\s+(\d{1,4})\s*:", re.IGNORECASE | re.ASCII)
_FREE = ("", "q3", "q5", "waypoints")
_WITHIN = re.compile(r"within (\d{1,3}) met", re.IGNORECASE | re.ASCII)
_AHEAD = re.compile(r"located (\d{1,6}) met", re.IGNORECASE | re.ASCII)


@cache
def _questions() -> dict[str, Question]:
    loaded = (plugins.load(questions, name, Question) for name in plugins.names(questions))
    return {question.task: question for question in loaded}


class _Vocabulary:
    def __init__(self) -> None:
        self.tally, self.by_task = Tally(), dict[str, int]()

    def see(self, record: Record) -> None:
        self.tally.seen += 1
        if not record.answer.strip():
            return
        self._tags(record)
        if record.task not in _FREE:
            self.by_task[record.task] = self.by_task.get(record.task, 0) + 1
            self._words(record)

    def _tags(self, record: Record) -> None:
        wanted, answer = _TAGS.get(record.task), record.answer
        found = _TAG.findall(answer) if "<" in answer else []
        known = {tag for tag in found if tag in _TAGS.values()}
        if known - {wanted} and record.task:
            self.tally.add("other_tag", record, answer)
        elif wanted and known and not _closed(answer, wanted):
            self.tally.add("half_tag", record, answer)
        elif wanted and not known and f"<{wanted}>" in record.prompt:
            self.tally.add("no_tag", record, answer)

    def _words(self, record: Record) -> None:
        try:
            _questions()[record.task].read(record.answer)
        except AnswerError as error:
            self.tally.add(f"unreadable_{record.task}", record, str(error))
            return
        if record.task == "q2" and "Object" in record.prompt:
            asked = set(_OBJECT.findall(record.prompt))
            if asked and asked != set(_OBJECT.findall(record.answer)):
                self.tally.add("other_objects", record)
        if record.task == "q1" and (within := _WITHIN.search(record.prompt)):
            if any(int(m) > int(within[1]) for m in _AHEAD.findall(record.answer)):
                self.tally.add("too_far", record, record.answer)

    def findings(self) -> Iterator[Finding]:
        find = self.tally.finding
        for task, count in sorted(self.by_task.items()):
            text = (
                f"{{n}} answers to {task} ({{share}}) say nothing that {task} can be answered with."
            )
            yield from find("error", f"unreadable_{task}", text, count)
        yield from find("error", "other_tag", "{n} answers stand in the tags of another question.")
        yield from find("error", "half_tag", "{n} answers have an opening or a closing tag alone.")
        text = "{n} prompts ask for tags that their answers do not have."
        yield from find("warning", "no_tag", text)
        text = "In {n} samples the answer is about other objects than the prompt lists."
        yield from find("error", "other_objects", text)
        text = "{n} answers tell of road users beyond the distance that the prompt asks about."
        yield from find("warning", "too_far", text)


def _closed(answer: str, tag: str) -> bool:
    opened, closed = answer.count(f"<{tag}>"), answer.count(f"</{tag}>")
    return opened == closed == 1 and answer.index(f"<{tag}>") < answer.index(f"</{tag}>")


AUDIT = Audit("Are the answers in the words of their questions?", _Vocabulary)
