"""What a step of the data engine took in, what came of it, and what was dropped and why."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Account:
    """A step as a table.

    Attributes:
        title: What was done.
        remarks: What must be known of it; alone where it could not be done.
        head: Names of the columns.
        rows: Numbers are written as such, None as a dash; a share is a float.
        command: What does the same; empty for none.
    """

    title: str
    remarks: Sequence[str]
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str | int | float | None]] = ()
    command: str = ""

    @property
    def columns(self) -> Sequence[tuple[str, bool]]:
        """Return (name, whether it holds numbers) of each column."""
        cells = zip(*self.rows, strict=True) if self.rows else [()] * len(self.head)
        numeric = (not any(isinstance(cell, str) for cell in column) for column in cells)
        return list(zip(self.head, numeric, strict=True))


def written(cell: str | int | float | None) -> str:
    """Write a cell: a count with its thousands, a share to two decimals."""
    if cell is None:
        return "–"
    if isinstance(cell, str):
        return cell
    return f"{cell:,}" if isinstance(cell, int) else f"{cell:.2f}"
