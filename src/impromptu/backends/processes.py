"""Units in processes of this machine; one at a time in this very process."""

from collections.abc import Iterator, Sequence

from impromptu.backends import Backend
from impromptu.counts import LogCounts
from impromptu.part import Unit, write_part
from impromptu.workers import side_by_side


def _run(units: Sequence[Unit], workers: int) -> Iterator[tuple[Unit, LogCounts]]:
    yield from side_by_side(write_part, units, min(workers, len(units)))


BACKEND = Backend(_run)
