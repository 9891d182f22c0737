"""Puts samples into the index: names, places and words, in batches of about a megabyte."""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from impromptu.clip import MetaAction
from impromptu.explorer.judging import question_of
from impromptu.explorer.records import Shown, Span, shown, spans
from impromptu.explorer.sources import Naming, naming
from impromptu.questions import AnswerError

_BATCH = 1 << 20


def scan(con: sqlite3.Connection, files: Sequence[Path], tables: Sequence[Path]) -> Iterator[None]:
    """Read clip tables, then sample files; yield about once a megabyte.

    A file that cannot be read, or not to its end, is a problem in the index, not an error.
    """
    for table in tables:
        try:
            _read_table(con, table)
        except (OSError, ValueError, LookupError) as error:
            complain(con, "file", f"{table}: not a clip table: {error}")
    numbers = count(1)
    for path in files:
        row = con.execute("INSERT INTO file (path) VALUES (?)", [str(path)])
        writer = _Writer(con, path, row.lastrowid or 0, numbers)
        try:
            for batch in batches(spans(path)):
                writer.write(batch)
                yield
        except (OSError, ValueError) as error:
            complain(con, "file", str(error))
        writer.close()


def batches(found: Iterable[Span]) -> Iterator[list[Span]]:
    """Group spans to about a megabyte each; what came before an error comes before it here too."""
    batch, size, fault = list[Span](), 0, None
    try:
        for span in found:
            batch.append(span)
            if (size := size + span.length) >= _BATCH:
                yield batch
                batch, size = [], 0
    except ValueError as error:
        fault = error
    if batch:
        yield batch
    if fault:
        raise fault


def complain(con: sqlite3.Connection, about: str, text: str) -> None:
    """Note what could not be read, to be told on the page."""
    con.execute("INSERT INTO problem VALUES (?, ?)", [about, text])


@dataclass(slots=True)
class _Writer:
    """Writes one file's samples.

    Attributes:
        file: Its number.
        numbers: Where samples get theirs, across files.
        kinds: Numbers of what its samples belong to.
        rows: Records so far.
        faults: Why records are no samples, with their number.
    """

    con: sqlite3.Connection
    path: Path
    file: int
    numbers: Iterator[int]
    kinds: dict[Naming, int] = field(default_factory=dict)
    rows: int = 0
    faults: list[str] = field(default_factory=list)

    def write(self, batch: Sequence[Span]) -> None:
        """Insert a batch."""
        clips, samples, texts, actions = [], [], [], []
        counts = Counter[int]()
        for span in batch:
            self.rows += 1
            try:
                one = shown(span.value)
            except ValueError as error:
                self.faults.append(f"record {self.rows}: {error}" if len(self.faults) < 3 else "")
                continue
            name = one.id or f"{self.path.stem}#{self.rows}"
            what, clip = naming(self.path, name)
            kind, number = self._kind(what), next(self.numbers)
            counts[kind] += 1
            clips.append((clip,))
            samples.append((number, name, kind, clip, span.offset, span.length))
            texts.append((number, f"{name} {one.prompt} {one.answer}"))
            if what.question == "q6" and (action := _action(one)):
                actions.append((action.speed, action.path, clip))
        insert = self.con.executemany
        insert("INSERT OR IGNORE INTO clip (id) VALUES (?)", clips)
        clip_n = "(SELECT n FROM clip WHERE id = ?)"
        insert(f"INSERT INTO sample VALUES (?, ?, ?, {clip_n}, ?, ?)", samples)  # noqa: S608
        insert("INSERT INTO words (rowid, text) VALUES (?, ?)", texts)
        insert("UPDATE clip SET speed = ?, path = ? WHERE id = ?", actions)
        added = [(n, kind) for kind, n in counts.items()]
        insert("UPDATE kind SET count = count + ? WHERE n = ?", added)

    def close(self) -> None:
        """Tell what of the file is not shown."""
        if self.faults:
            told = "; ".join(filter(None, self.faults))
            text = f"{self.path}: {len(self.faults)} of {self.rows} records are no samples: {told}"
            complain(self.con, "file", text)

    def _kind(self, what: Naming) -> int:
        if what not in self.kinds:
            row = [self.file, what.dataset, what.split, what.question]
            done = self.con.execute("INSERT INTO kind VALUES (NULL, ?, ?, ?, ?, 0)", row)
            self.kinds[what] = done.lastrowid or 0
        return self.kinds[what]


def _action(sample: Shown) -> MetaAction | None:
    question = question_of("q6")
    try:
        action = question.read(sample.answer) if question else None
    except AnswerError:
        return None
    return action if isinstance(action, MetaAction) else None


def _read_table(con: sqlite3.Connection, path: Path) -> None:
    """Take over a clip table's meta-actions and tags."""
    import pyarrow.parquet as parquet

    columns = ["id", "speed_word", "path_word", "tags"]
    for batch in parquet.ParquetFile(path).iter_batches(columns=columns):
        names, speeds, paths, tags = (batch.column(name).to_pylist() for name in columns)
        con.executemany(
            "INSERT INTO clip (id, speed, path) VALUES (?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET speed = excluded.speed, path = excluded.path",
            zip(names, speeds, paths, strict=True),
        )
        con.executemany(
            "INSERT OR IGNORE INTO tag SELECT ?, ?, n FROM clip WHERE id = ?",
            [
                (key, value, name)
                for name, of_clip in zip(names, tags, strict=True)
                for key, value in of_clip or ()
                if value
            ],
        )
