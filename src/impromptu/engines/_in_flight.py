"""Keeps many samples under way at once in an engine that answers each when it is done."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from itertools import islice

from impromptu.conversation import Sample
from impromptu.engines import Answered, Answerer, Completion, Refused, _qwen_chat

Ask = Callable[[Sample], Awaitable[Completion]]


def in_flight(ask: Ask, limit: int, close: Callable[[], Awaitable[None]]) -> Answerer:
    """Ask about at most ``limit`` samples at a time, taking the next when one is answered.

    Args:
        ask: Raises ``Refused`` for a sample that cannot be asked, anything else to end the run.
        limit: Bounds what is in memory too: a sample's images are opened when it is taken.
        close: Called at the end, however it comes.
    """

    def answers(samples: Iterable[Sample]) -> Answered:
        waiting, running, held = iter(samples), set[asyncio.Task[None]](), 0
        with asyncio.Runner() as runner:
            finished = asyncio.Queue[tuple[Sample, Completion | Exception]]()

            async def one(sample: Sample) -> None:
                await finished.put((sample, await _outcome(ask, sample)))

            try:
                while True:
                    for sample in islice(waiting, limit - held):
                        held += 1
                        task = runner.get_loop().create_task(one(sample))
                        running.add(task)
                        task.add_done_callback(running.discard)
                    if not held:
                        return
                    sample, outcome = runner.run(finished.get())
                    held -= 1
                    if isinstance(outcome, Exception):
                        yield from _good(finished)
                        raise outcome
                    yield sample, outcome
            finally:
                runner.run(_end(running, close))

    return answers


def _good(finished: asyncio.Queue[tuple[Sample, Completion | Exception]]) -> Answered:
    """Yield what was finished by the time another sample ended the run."""
    while not finished.empty():
        sample, outcome = finished.get_nowait()
        if isinstance(outcome, Completion):
            yield sample, outcome


async def _outcome(ask: Ask, sample: Sample) -> Completion | Exception:
    try:
        return await ask(sample)
    except Refused as error:
        return Completion("", "error", str(error))
    except (OSError, ValueError) as error:  # it ends the run where the answers are taken
        return error
    except Exception as error:  # of libraries, which raise what they like
        return OSError(f"the engine failed at {sample.id}: {_qwen_chat.one_line(error)}")


async def _end(running: set[asyncio.Task[None]], close: Callable[[], Awaitable[None]]) -> None:
    left = list(running)
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    await close()
