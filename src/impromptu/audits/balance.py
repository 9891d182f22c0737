"""How far does a constant answer get, and how far do the words of the prompt?"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import TypeVar

from impromptu.audits import Audit, Finding, Record, Severity, one_line, percent

T = TypeVar("T")

_TASKS = ("q1", "q2", "q4", "q6")
_DIGITS = re.compile(r"\d+")
_KINDS = 20_000
_SHOWN = 8
_ONE_SIDED = 0.9
_GAIN = 0.1


class _Balance:
    """Counts classes, and answers by the prompt's words with all numbers taken out."""

    def __init__(self) -> None:
        self.classes: dict[str, Counter[str]] = defaultdict(Counter)
        self.by_words: dict[str, Counter[tuple[int, str]]] = defaultdict(Counter)
        self.standing = self.paths = 0

    def see(self, record: Record) -> None:
        if record.path_m is not None and len(record.path_m) > 2:
            self.paths += 1
            self.standing += bool(abs(record.path_m).max() < 1.0)
        if record.task not in _TASKS:
            return
        for name in _classes(record):
            self._count(self.classes[record.task], name)
        if record.task == "q6":
            words = hash(_DIGITS.sub("", record.prompt))
            self._count(self.by_words["q6"], (words, _action(record.answer)))

    def _count(self, counter: Counter[T], key: T) -> None:
        if key in counter or len(counter) < _KINDS:
            counter[key] += 1

    def findings(self) -> Iterator[Finding]:
        for task, classes in sorted(self.classes.items()):
            yield self._constant(task, classes)
        if "q6" in self.by_words:
            yield from self._words(self.by_words["q6"])
        if self.paths:
            text = (
                f"In {percent(self.standing, self.paths)} of {self.paths:,} trajectories the car "
            )
            text += "stays within 1 m of where it is."
            yield Finding("note", "standing", text, self.standing, self.paths)

    def _constant(self, task: str, classes: Counter[str]) -> Finding:
        total = classes.total()
        (name, count), *_ = classes.most_common(1)
        severity: Severity = "warning" if count > _ONE_SIDED * total and total > 20 else "note"
        what = "objects of q2" if task == "q2" else f"answers to {task}"
        text = (
            f"Always answering '{one_line(name, 60)}' is right for {percent(count, total)} of "
            f"{total:,} {what}; a model's accuracy says little below that."
        )
        shown = classes.most_common(_SHOWN)
        rows = [(one_line(name, 60), f"{n:,}", percent(n, total)) for name, n in shown]
        if (rest := total - sum(n for _, n in shown)) > 0:
            rows.append(("all others", f"{rest:,}", percent(rest, total)))
        table = (("answer", "count", "share"), *rows)
        figures = {"constant_accuracy": count / total}
        return Finding(severity, f"constant_{task}", text, count, total, (), table, figures)

    def _words(self, counts: Counter[tuple[int, str]]) -> Iterator[Finding]:
        best: dict[int, int] = {}
        for (words, _), count in counts.items():
            best[words] = max(best.get(words, 0), count)
        total, right = counts.total(), sum(best.values())
        constant = self.classes["q6"].most_common(1)[0][1]
        if len(best) < 2 or len(best) > 0.05 * total:
            return
        gain = (right - constant) / total
        text = (
            f"Knowing only the words of the prompt, without its numbers and images, "
            f"{percent(right, total)} of the answers to q6 can be guessed; a constant one gets "
            f"{percent(constant, total)}."
        )
        severity: Severity = "warning" if gain > _GAIN else "note"
        yield Finding(severity, "words_tell", text, right, total)


def _classes(record: Record) -> list[str]:
    answer = record.answer
    if record.task == "q2":
        return [_action(line.partition(":")[2]) for line in answer.splitlines() if ":" in line]
    if record.task == "q1":
        return ["No ..." if answer[:2].lower() == "no" else "Yes ..."]
    return [_action(answer)] if record.task == "q6" else [answer.strip().rstrip(".")]


def _action(text: str) -> str:
    """Return ``SPEED, PATH`` without tags and blanks."""
    return ", ".join(re.sub(r"<[^<>]*>", "", text).replace(" ", "").split(",")).strip()


AUDIT = Audit("How far does a constant answer get?", _Balance)
