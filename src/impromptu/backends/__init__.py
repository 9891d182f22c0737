"""Backends: each module here is a place where units of work are done side by side."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from impromptu.counts import LogCounts
from impromptu.part import Unit


@dataclass(frozen=True, slots=True)
class Backend:
    """A place to work; where it is decides nothing of what is written.

    Attributes:
        run: (units, workers) -> each unit and its counts, as they are finished and in no order;
            at most ``workers`` of them are under way at once. A worker that dies is an
            ``OSError``, that says how to go on.
    """

    run: Callable[[Sequence[Unit], int], Iterator[tuple[Unit, LogCounts]]]
