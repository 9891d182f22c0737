"""Examines batches side by side, a few ahead of what has been asked for, in order."""

import pickle
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any, TypeVar

from impromptu.json_stream import Broken
from impromptu.preflight.conversion import Names
from impromptu.preflight.examine import Examined, Examiner, Job, examine, prepare
from impromptu.workers import end_with_parent

T = TypeVar("T")
_AHEAD = 2
"""Batches a worker has waiting."""

Batch = tuple[T, list[Any], Names]


def examined(batches: Iterable[Batch[T]], job: Job, workers: int) -> Iterator[tuple[T, Examined]]:
    """Yield what is found in each batch, with what came beside it.

    Raises:
        OSError: A worker process died.
    """
    if workers <= 1:
        examiner = Examiner(job)
        yield from ((beside, examiner.examine(rows, names)) for beside, rows, names in batches)
        return
    waiting: deque[tuple[Batch[T], Future[Examined]]] = deque()
    spawn = get_context("spawn")
    with ProcessPoolExecutor(workers, spawn, initializer=_begin, initargs=(job,)) as pool:
        try:
            for batch in batches:
                waiting.append((batch, pool.submit(examine, *batch[1:])))
                if len(waiting) > _AHEAD * workers:
                    yield _first(pool, waiting)
            while waiting:
                yield _first(pool, waiting)
        except BrokenProcessPool as error:
            raise OSError(
                "a worker process died, most likely for want of memory; "
                "run the same command again with a smaller --workers"
            ) from error
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _first(
    pool: ProcessPoolExecutor, waiting: deque[tuple[Batch[T], Future[Examined]]]
) -> tuple[T, Examined]:
    (beside, rows, names), future = waiting.popleft()
    try:
        return beside, future.result()
    except RecursionError:  # a row nests too deep to be sent; which one is found out here
        return beside, pool.submit(examine, list(map(_sendable, rows)), names).result()


def _sendable(row: Any) -> Any:
    try:
        pickle.dumps(row)
    except RecursionError:
        return Broken("too_deep", "brackets nested too deep")
    return row


def _begin(job: Job) -> None:
    end_with_parent()
    prepare(job)
