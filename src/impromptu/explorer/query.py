"""Asks the index: filters as they stand in the address, pages, neighbours, choices."""

import re
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import urlencode

PAGE = 25

_KINDS = ("dataset", "split", "question")
_KIND = "s.kind IN (SELECT n FROM kind WHERE {} = ?)"
_CLIP = "s.clip IN (SELECT n FROM clip WHERE {} = ?)"
_PLAIN = {
    **{name: _KIND.format(name) for name in _KINDS},
    "speed": _CLIP.format("speed"),
    "path": _CLIP.format("path"),
    "clip": _CLIP.format("id"),
}
_RUN = "a.run = (SELECT n FROM run WHERE name = ?)"
_SAMPLE = """
SELECT s.n, s.id, s.offset, s.length, f.path AS file, k.dataset, k.split, k.question,
  c.n AS clip_n, c.id AS clip, c.speed, c.path
FROM sample s JOIN kind k ON k.n = s.kind JOIN file f ON f.n = k.file JOIN clip c ON c.n = s.clip
WHERE s.n = ?
"""


@dataclass(frozen=True, slots=True)
class Filters:
    """What to show, as the fields of a form; what is empty filters nothing.

    Attributes:
        tag: ``key=value`` of the clip table.
        run: Whose predictions ``state``, ``error_m`` and ``order`` are about; any run's if empty.
        error_m: The least mean error.
        text: Beginnings of words that all must occur.
        order: ``error`` for the worst first, else the order of the files.
        by: ``clip`` for one row a clip.
    """

    dataset: str = ""
    split: str = ""
    question: str = ""
    speed: str = ""
    path: str = ""
    tag: str = ""
    clip: str = ""
    run: str = ""
    state: str = ""
    error_m: str = ""
    text: str = ""
    order: str = ""
    by: str = ""

    @classmethod
    def read(cls, query: Mapping[str, str]) -> "Filters":
        """Take the known fields of an address.

        Raises:
            ValueError: The least error is not a number.
        """
        known = {field.name: query.get(field.name, "").strip() for field in fields(cls)}
        if known["error_m"]:
            float(known["error_m"])
        return cls(**known)

    def address(self, **changes: str | int) -> str:
        """Write them as an address's query, some replaced, others such as ``page`` added."""
        own = {field.name: getattr(self, field.name) for field in fields(self)}
        return urlencode({key: value for key, value in (own | changes).items() if value})

    def where(self) -> tuple[str, list[Any]]:
        """Return an SQL condition and its values."""
        terms, values = ["1"], list[Any]()
        for name, term in _PLAIN.items():
            if value := getattr(self, name):
                terms.append(term)
                values.append(value)
        if self.tag:
            terms.append("s.clip IN (SELECT clip FROM tag WHERE key = ? AND value = ?)")
            values += [self.tag.partition("=")[0], self.tag.partition("=")[2]]
        if words := re.findall(r"[^\W_]+", self.text):
            terms.append("s.n IN (SELECT rowid FROM words WHERE words MATCH ?)")
            values.append(" ".join(f'"{word}"*' for word in words))
        if self.state or self.error_m or (self.run and self.order):
            condition, more = self._of_answers()
            terms.append(f"EXISTS (SELECT 1 FROM answer a WHERE {condition})")  # noqa: S608
            values += more
        return " AND ".join(terms), values

    def _of_answers(self) -> tuple[str, list[Any]]:
        given = {
            _RUN: self.run,
            "a.state = ?": self.state,
            "a.error_m >= ?": float(self.error_m) if self.error_m else "",
        }
        kept = {term: value for term, value in given.items() if value != ""}
        return " AND ".join(["a.sample = s.n", *kept]), list(kept.values())

    def ranking(self) -> tuple[str, list[Any]]:
        """Return the SQL order of samples, and its values; what has no error comes last."""
        if not self.order:
            return "s.n", []
        condition, values = self._of_answers()
        worst = f"(SELECT max(a.error_m) FROM answer a WHERE {condition})"  # noqa: S608
        return f"coalesce({worst}, -1) DESC, s.n", values


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sample stands among those that pass, from 1, and the ones before and after it."""

    position: int
    total: int
    before: int | None
    after: int | None


def count(con: sqlite3.Connection, filters: Filters) -> int:
    """Count the samples, or the clips, that pass."""
    where, values = filters.where()
    if (where, filters.by) == ("1", ""):
        return int(con.execute("SELECT coalesce(sum(count), 0) FROM kind").fetchone()[0])
    what = "DISTINCT s.clip" if filters.by else "*"
    query = f"SELECT count({what}) FROM sample s WHERE {where}"  # noqa: S608 - terms of ours
    return int(con.execute(query, values).fetchone()[0])


def page(con: sqlite3.Connection, filters: Filters, number: int) -> list[tuple[sqlite3.Row, int]]:
    """Return a page of samples; of clips, the first sample of each and how many it has."""
    where, values = filters.where()
    chosen = "s.n, 1"
    if filters.by:
        chosen, order = "min(s.n), count(*)", "s.clip"
        where += " GROUP BY s.clip"
    else:
        order, more = filters.ranking()
        values += more
    query = f"SELECT {chosen} FROM sample s WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?"  # noqa: S608
    found = con.execute(query, [*values, PAGE, PAGE * (number - 1)])
    rows = [(sample(con, n), many) for n, many in found.fetchall()]
    return [(row, many) for row, many in rows if row is not None]


def sample(con: sqlite3.Connection, number: int) -> sqlite3.Row | None:
    """Return one sample."""
    row: sqlite3.Row | None = con.execute(_SAMPLE, [number]).fetchone()
    return row


def around(con: sqlite3.Connection, filters: Filters, number: int) -> Place:
    """Find a sample among those that pass; one that does not pass is nowhere."""
    where, values = filters.where()
    order, more = filters.ranking()
    # Plain numbers in a list: several times faster than window functions.
    query = f"SELECT s.n FROM sample s WHERE {where} ORDER BY {order}"  # noqa: S608
    listed = [row[0] for row in con.execute(query, [*values, *more])]
    if number not in listed:
        return Place(0, 0, None, None)
    at = listed.index(number)
    before, after = listed[at - 1 : at] or [None], listed[at + 1 : at + 2] or [None]
    return Place(at + 1, len(listed), before[0], after[0])


def choices(con: sqlite3.Connection) -> dict[str, list[tuple[str, int]]]:
    """Return what each filter can be set to, and how many samples, clips or answers that is."""
    queries = {
        **{name: f"SELECT {name}, sum(count) FROM kind GROUP BY 1" for name in _KINDS},  # noqa: S608
        **{name: f"SELECT {name}, count(*) FROM clip GROUP BY 1" for name in ("speed", "path")},  # noqa: S608
        "tag": "SELECT key || '=' || value, count(*) FROM tag GROUP BY key, value",
        "run": "SELECT name, 0 FROM run ORDER BY n",
        "state": "SELECT state, count(*) FROM answer GROUP BY 1",
    }
    return {
        name: [(value, many) for value, many in con.execute(query) if value]
        for name, query in queries.items()
    }


def answers(con: sqlite3.Connection, number: int) -> list[sqlite3.Row]:
    """Return every run's answer to a sample, in the order of the runs; None of it where absent."""
    query = """
    SELECT r.n, r.name, a.state, a.error_m, a.path, a.offset, a.length
    FROM run r LEFT JOIN answer a ON a.run = r.n AND a.sample = ? ORDER BY r.n
    """
    return con.execute(query, [number]).fetchall()


def tags(con: sqlite3.Connection, clip: int) -> list[tuple[str, str]]:
    """Return what the clip table says of a clip."""
    found = con.execute("SELECT key, value FROM tag WHERE clip = ? ORDER BY 1, 2", [clip])
    return [(key, value) for key, value in found]


def problems(con: sqlite3.Connection) -> list[str]:
    """Return what could not be read."""
    return [text for (text,) in con.execute("SELECT text FROM problem ORDER BY rowid")]
