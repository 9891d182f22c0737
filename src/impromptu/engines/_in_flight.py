"""Keeps many samples under way at once in an engine that answers each when it is done."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from itertools import islice
from typing import Protocol, TypeVar

from impromptu.conversation import Sample
from impromptu.engines import Completion, Refused, _qwen_chat


class Named(Protocol):
    """What can be asked about, and named in an error."""

    @property
    def id(self) -> str:
        """Its name."""


T = TypeVar("T", bound=Named)
A = TypeVar("A")


def in_flight(
    ask: Callable[[T], Awaitable[A]], limit: int, close: Callable[[], Awaitable[None]]
) -> Callable[[Iterable[T]], Iterator[tuple[T, A]]]:
    """Ask at most ``limit`` things at a time, taking the next when one is answered.

    Args:
        ask: What it raises ends the run; what was answered by then is still given.
        limit: Bounds what is in memory too: a sample's images are opened when it is taken.
        close: Called at the end, however it comes.
    """

    def answers(things: Iterable[T]) -> Iterator[tuple[T, A]]:
        waiting, running, held = iter(things), set[asyncio.Task[None]](), 0
        with asyncio.Runner() as runner:
            finished = asyncio.Queue[tuple[T, A | Exception]]()

            async def one(thing: T) -> None:
                await finished.put((thing, await _outcome(ask, thing)))

            try:
                while True:
                    for thing in islice(waiting, limit - held):
                        held += 1
                        task = runner.get_loop().create_task(one(thing))
                        running.add(task)
                        task.add_done_callback(running.discard)
                    if not held:
                        return
                    thing, outcome = runner.run(finished.get())
                    held -= 1
                    if isinstance(outcome, Exception):
                        yield from _good(finished)
                        raise outcome
                    yield thing, outcome
            finally:
                runner.run(_end(running, close))

    return answers


def refusing(
    ask: Callable[[Sample], Awaitable[Completion]],
) -> Callable[[Sample], Awaitable[Completion]]:
    """Make a sample that cannot be asked an error of its own, which does not end the run."""

    async def outcome(sample: Sample) -> Completion:
        try:
            return await ask(sample)
        except Refused as error:
            return Completion("", "error", str(error))

    return outcome


def _good(finished: asyncio.Queue[tuple[T, A | Exception]]) -> Iterator[tuple[T, A]]:
    """Yield what was finished by the time another ended the run."""
    while not finished.empty():
        thing, outcome = finished.get_nowait()
        if not isinstance(outcome, Exception):
            yield thing, outcome


async def _outcome(ask: Callable[[T], Awaitable[A]], thing: T) -> A | Exception:
    try:
        return await ask(thing)
    except (OSError, ValueError) as error:  # it ends the run where the answers are taken
        return error
    except Exception as error:  # of libraries, which raise what they like
        return OSError(f"the engine failed at {thing.id}: {_qwen_chat.one_line(error)}")


async def _end(running: set[asyncio.Task[None]], close: Callable[[], Awaitable[None]]) -> None:
    left = list(running)
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    await close()
