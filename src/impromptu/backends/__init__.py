"""Backends: each module here is a place where units of work are done side by side."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar


class Unit(Protocol):
    """What is to be done, and the file that it leaves."""

    @property
    def part(self) -> Path:
        """The file."""


U = TypeVar("U", bound=Unit)
R = TypeVar("R")


class Run(Protocol):
    """(work, units, workers) -> each unit and what ``work`` said of it, in no order."""

    def __call__(
        self, work: Callable[[U], R], units: Sequence[U], workers: int, gpus: int = 0
    ) -> Iterator[tuple[U, R]]:
        """Do the work, at most ``workers`` units at once.

        Args:
            work: A function of a module, so that others can import it; it writes the unit's part.
            units: They can be pickled.
            workers: How many at once.
            gpus: That a unit needs; none are asked for where there are none.

        Raises:
            OSError: A worker died; the message says how to go on.
        """


@dataclass(frozen=True, slots=True)
class Backend:
    """A place to work; where it is decides nothing of what is written."""

    run: Run
