"""Can every row be read as a ShareGPT sample?"""

from collections import Counter
from collections.abc import Iterator

from impromptu.audits import Audit, Finding, Record, Tally

_TEXTS = {
    "unreadable_file": "{n} files cannot be read, or not to their end.",
    "not_json": "{n} rows are not JSON; they were passed over.",
    "cut_short": "{n} files end in the middle of a list or record: downloaded or written halfway.",
    "too_large": "{n} rows are longer than 16 MB and were passed over.",
    "too_deep": "{n} rows nest brackets too deep to be read.",
    "not_an_object": "{n} rows are no JSON objects.",
    "no_messages": "{n} rows have no conversation.",
    "wrong_roles": "In {n} rows user and assistant do not take turns, the assistant last.",
    "wrong_type": "{n} fields have a wrong type: null, or a number where text belongs.",
    "images_no_list": "In {n} rows 'images' is text, not a list; LLaMA-Factory refuses it.",
}


class _Structure:
    def __init__(self) -> None:
        self.tally, self.samples, self.unnamed = Tally(), Counter[str](), 0

    def see(self, record: Record) -> None:
        self.tally.seen += 1
        for reason, text in record.faults:
            self.tally.add(reason, record, text)
        if record.readable:
            self.samples[record.task or "other"] += 1
            self.unnamed += not record.id

    def findings(self) -> Iterator[Finding]:
        for name, text in _TEXTS.items():
            yield from self.tally.finding("error", name, text)
        total = self.samples.total()
        if not total:
            yield Finding(
                "error", "no_samples", "There is no readable sample: nothing was audited."
            )
            return
        if self.unnamed:
            text = f"{self.unnamed:,} samples have no id: answers can be joined by order only."
            yield Finding("warning", "no_id", text, self.unnamed, total)
        rows = tuple((task, f"{count:,}") for task, count in sorted(self.samples.items()))
        text = f"{total:,} samples were read, {self.tally.seen - total:,} rows could not be."
        table = (("task", "samples"), *rows)
        yield Finding("note", "samples", text, total, self.tally.seen, table=table)


AUDIT = Audit("Can every row be read?", _Structure, reads_all=True)
