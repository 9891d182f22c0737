"""Confusion matrices, from the sums that scores hold: ``speed:KEEP>STOP`` counts KEEP told STOP."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from impromptu.report.runs import Entry, SampleFile

NOTHING = "(none)"


@dataclass(frozen=True, slots=True)
class Matrix:
    """One run's answers of one part.

    Attributes:
        words: Of the columns: what was told.
        rows: (what was true, its counts, their shares of the row).
    """

    run: str
    position: int
    part: str
    words: Sequence[str]
    rows: Sequence[tuple[str, Sequence[int], Sequence[float]]]


def matrices(file: SampleFile) -> list[Matrix]:
    """Return the matrices of every run that is pictured or a model, but for the truth's."""
    return [
        _matrix(entry, part, cells)
        for entry in file.entries
        if entry.run.role == "model" or (entry.run.pictured and entry.run.role != "truth")
        for metric in entry.result["metrics"].values()
        for part, cells in _cells(metric["sums"]).items()
    ]


def _cells(sums: Mapping[str, float | None]) -> dict[str, dict[tuple[str, str], int]]:
    """Return counts by part and (true, told); parts that keep margins alone are left out."""
    parts: dict[str, dict[tuple[str, str], int]] = {}
    for name, count in sums.items():
        part, colon, pair = name.partition(":")
        true, arrow, told = pair.partition(">")
        if colon and arrow and part != "both":
            parts.setdefault(part, {})[true or NOTHING, told or NOTHING] = round(count or 0)
    return parts


def _matrix(entry: Entry, part: str, cells: Mapping[tuple[str, str], int]) -> Matrix:
    words = sorted({word for pair in cells for word in pair} - {NOTHING})
    if any(NOTHING in pair for pair in cells):
        words.append(NOTHING)
    rows = []
    for true in words:
        counts = [cells.get((true, told), 0) for told in words]
        whole = sum(counts)
        rows.append((true, counts, [count / whole if whole else 0.0 for count in counts]))
    return Matrix(entry.run.name, entry.position, part, words, rows)
