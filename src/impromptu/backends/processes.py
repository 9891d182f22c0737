"""Units in processes of this machine; one at a time in this very process."""

from collections.abc import Callable, Iterator, Sequence

from impromptu.backends import Backend, R, U
from impromptu.workers import side_by_side


def _run(
    work: Callable[[U], R], units: Sequence[U], workers: int, gpus: int = 0
) -> Iterator[tuple[U, R]]:
    yield from side_by_side(work, units, min(workers, len(units)))


BACKEND = Backend(_run)
