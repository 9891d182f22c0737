"""Puts predictions into the index: joined to samples by id, and judged by the question's reader."""

import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from impromptu.explorer.judging import judge
from impromptu.explorer.records import Span, plain, read_span, shown, spans
from impromptu.explorer.scan import batches, complain
from impromptu.explorer.sources import RunFile

_FIND = """
SELECT s.n, k.question, f.path, s.offset, s.length
FROM sample s JOIN kind k ON k.n = s.kind JOIN file f ON f.n = k.file WHERE s.id = ?
"""
_MISSING = """
INSERT INTO answer (sample, run, state)
SELECT n, :run, 'missing' FROM sample
WHERE kind IN (SELECT kind FROM sample JOIN answer a ON a.sample = n AND a.run = :run)
  AND n NOT IN (SELECT sample FROM answer WHERE run = :run)
"""


def join(con: sqlite3.Connection, runs: Sequence[RunFile]) -> Iterator[None]:
    """Read each run's files; yield about once a megabyte.

    What is not predicted of a file of which something is predicted, is missing.
    """
    for number, (name, files) in enumerate(groupby(runs, lambda one: one.run), start=1):
        con.execute("INSERT INTO run VALUES (?, ?)", [number, name])
        for one in files:
            lost = Counter[str]()
            try:
                for batch in batches(spans(one.path)):
                    for span in batch:
                        lost[_add(con, number, one.path, span)] += 1
                    yield
            except (OSError, ValueError) as error:
                complain(con, "run", str(error))
            for why, count in sorted(lost.items()):
                if why:
                    complain(con, "run", f"{one.path}: {count} predictions {why}")
        con.execute(_MISSING, {"run": number})


def _add(con: sqlite3.Connection, run: int, path: Path, span: Span) -> str:
    """Insert one prediction for each sample of its id; return why not, or nothing."""
    row = span.value
    if not isinstance(row, dict) or not isinstance(row.get("predict"), str):
        return "have no text in 'predict'"
    if row.get("id") is None:
        return "have no 'id', by which they are joined to samples"
    found = con.execute(_FIND, [plain(row["id"])]).fetchall()
    added = 0
    for sample, task, file, offset, length in found:
        if row.get("finish_reason") == "error":
            state, error_m = "failed", None
        else:
            true = shown(read_span(Path(file), offset, length)).answer
            state, error_m = judge(task, true, row["predict"])
        values = (sample, run, state, error_m, str(path), span.offset, span.length)
        done = con.execute("INSERT OR IGNORE INTO answer VALUES (?, ?, ?, ?, ?, ?, ?)", values)
        added += done.rowcount
    if not found:
        return "are of ids that no sample here has"
    return "" if added else "come a second time; the first is shown"
