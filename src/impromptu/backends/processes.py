"""Units in processes of this machine; one at a time in this very process."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from threading import Thread

from impromptu.backends import Backend, R, U


def _run(
    work: Callable[[U], R], units: Sequence[U], workers: int, gpus: int = 0
) -> Iterator[tuple[U, R]]:
    workers = min(workers, len(units))
    if workers <= 1:
        yield from ((unit, work(unit)) for unit in units)
        return
    spawn = get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=spawn, initializer=end_with_parent) as pool:
        asked = {pool.submit(work, unit): unit for unit in units}
        try:
            for future in as_completed(asked):
                yield asked[future], future.result()
        except BrokenProcessPool as error:
            raise OSError(
                "a worker process died, most likely for want of memory; "
                "run the same command again with a smaller --workers to go on"
            ) from error
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def end_with_parent() -> None:
    """Have this worker end when the main process is killed; it would wait for work forever."""

    def wait() -> None:
        if parent := parent_process():
            parent.join()
            os._exit(1)

    Thread(target=wait, daemon=True).start()


BACKEND = Backend(_run)
