"""Does one thing to many items in processes of this machine; one at a time in this very process."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from multiprocessing import forkserver, get_context, parent_process, resource_tracker
from signal import (
    SIG_BLOCK,
    SIG_IGN,
    SIG_SETMASK,
    SIG_UNBLOCK,
    SIGINT,
    default_int_handler,
    pthread_sigmask,
    signal,
)
from threading import Thread, current_thread, main_thread
from types import FrameType
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

_AHEAD = 2
"""Items handed out for each worker: one to work on, and one so that it need not wait."""
_SERVER = get_context("forkserver")
"""Workers come out of one clean process: no thread or lock of this one is half in them."""


def begin(modules: Iterable[str] = ()) -> None:
    """Have the process that workers come out of import what they need, while this one goes on.

    Each worker imports it by itself otherwise. The first call starts that process; it lasts as
    long as this one, and knows no environment variable that is set later.
    """
    if modules := list(modules):
        _SERVER.set_forkserver_preload(modules)
    resource_tracker.ensure_running()  # the server starts it, and that would let Ctrl-C in
    with undisturbed():
        forkserver.ensure_running()


@contextmanager
def undisturbed() -> Iterator[None]:
    """Have Ctrl-C wait until this is done, such as a process started: half done it ends in noise.

    What is started meanwhile is deaf to it.
    """
    if current_thread() is not main_thread():  # Ctrl-C is told to the main thread alone
        yield
        return
    pressed = list[tuple[int, FrameType | None]]()
    # Another thread may take the signal, whatever the mask of this one.
    answer = signal(SIGINT, lambda *told: pressed.append(told))
    mask = pthread_sigmask(SIG_BLOCK, {SIGINT})
    try:
        yield
    finally:
        pthread_sigmask(SIG_SETMASK, mask)
        signal(SIGINT, answer)
    if pressed and callable(answer):
        answer(*pressed[0])


def side_by_side(work: Callable[[T], R], items: Iterable[T], workers: int) -> Iterator[tuple[T, R]]:
    """Yield each item and what came of it, as they are finished and in no order.

    Args:
        work: A function of a module: workers import it.
        items: Taken only as workers get free, so they may be many.
        workers: How many processes; with one, none is started.

    Raises:
        OSError: A worker died; the message says how to go on.
    """
    if workers <= 1:
        yield from ((item, work(item)) for item in items)
        return
    begin()
    rest = iter(items)
    with ProcessPoolExecutor(workers, mp_context=_SERVER, initializer=_ready) as pool:
        try:
            asked: dict[Future[R], T] = {}
            while (more := list(islice(rest, workers * _AHEAD - len(asked)))) or asked:
                with undisturbed():
                    asked.update((pool.submit(_at_work, work, item), item) for item in more)
                for future in wait(asked, return_when=FIRST_COMPLETED).done:
                    yield asked.pop(future), future.result()
        except BrokenProcessPool as error:
            raise OSError(
                "a worker process died, most likely for want of memory (or, in a script of your "
                "own, of `if __name__ == '__main__':`); run the same command again with a smaller "
                "--workers to go on"
            ) from error
        except EOFError as error:
            raise OSError(
                "the process that workers come out of ended while it imported what they need; "
                "run the same command with --workers 1, which tells what is wrong"
            ) from error
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _at_work(work: Callable[[T], R], item: T) -> R:
    """Work on an item, and be open to Ctrl-C meanwhile: a worker that waits would end in noise."""
    try:
        signal(SIGINT, default_int_handler)
        return work(item)
    finally:
        signal(SIGINT, SIG_IGN)


def _ready() -> None:
    """Let Ctrl-C in again, which this worker was made deaf to, and pass over it until at work."""
    end_with_parent()
    signal(SIGINT, SIG_IGN)
    pthread_sigmask(SIG_UNBLOCK, {SIGINT})


def end_with_parent() -> None:
    """Have this worker end when the main process is killed; it would wait for work forever."""

    def wait_for_it() -> None:
        if parent := parent_process():
            parent.join()
            os._exit(1)

    Thread(target=wait_for_it, daemon=True).start()
