"""Drives the missing runs of scenarios, some at once, and tells of each run as it ends."""

import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Event

from impromptu.closed_loop import runs
from impromptu.closed_loop.neuroncap import programs
from impromptu.closed_loop.neuroncap.children import (
    Child,
    ChildError,
    Stopped,
    started,
    wait_alive,
    watcher,
)
from impromptu.closed_loop.neuroncap.collecting import Attempt, Ended, collect
from impromptu.closed_loop.neuroncap.config import Config
from impromptu.closed_loop.neuroncap.programs import Ports, Program

WORK, LOGS = ".attempts", "logs"
"""In the folder of runs: what is not finished, and what the programs say."""
_LOOK_S = 0.25


@dataclass(frozen=True, slots=True)
class _Evaluation:
    """What all scenarios share.

    Attributes:
        language: The language model's server, where it is ours.
        free: Ports that nobody uses now.
        told: Runs as they end; None where a scenario has.
        stop: Set where all is to end.
    """

    config: Config
    language: Sequence[Child]
    free: SimpleQueue[Ports]
    told: SimpleQueue[Ended | None] = field(default_factory=SimpleQueue)
    stop: Event = field(default_factory=Event)


def missing(config: Config) -> dict[str, list[int]]:
    """Return the runs that are not there, by scenario; what is all there is left out."""
    found = {
        scenario: [
            number
            for number in range(config.runs)
            if not runs.finished(runs.folder_of(config.out, scenario, number))
        ]
        for scenario in config.chosen
    }
    return {scenario: numbers for scenario, numbers in found.items() if numbers}


def evaluate(config: Config, wanted: dict[str, list[int]]) -> Iterator[Ended]:
    """Drive runs; yield each, whether it was driven or not.

    However this ends, nothing that was started goes on.

    Raises:
        ChildError: The language model's server did not come up.
    """
    with ExitStack() as stack:
        language = [stack.enter_context(_serving(config))] if config.serves_language else []
        free = SimpleQueue[Ports]()
        for lane in programs.lanes(config):
            free.put(lane)
        shared = _Evaluation(config, language, free)
        pool = stack.enter_context(ThreadPoolExecutor(config.parallel))
        stack.callback(pool.shutdown, wait=False, cancel_futures=True)
        stack.callback(shared.stop.set)
        jobs = [pool.submit(_drive_scenario, shared, *job) for job in wanted.items()]
        for _ in jobs:
            yield from iter(shared.told.get, None)
        for job in jobs:
            job.result()


@contextmanager
def _serving(config: Config) -> Iterator[Child]:
    """Start the language model's server, and wait until it knows the model."""
    with started(programs.language_server(config), config.out / LOGS) as child:
        body = wait_alive(child, config.first_port, "/v1/models", config.start_timeout_s)
        names = [one["id"] for one in json.loads(body)["data"]]
        if config.served_model_name not in names:
            raise child.error(f"serves {', '.join(names)}, not {config.served_model_name}")
        yield child


def _drive_scenario(shared: _Evaluation, scenario: str, numbers: Sequence[int]) -> None:
    """Drive a scenario's runs, again if a program died that had got on with them."""
    lane, left, why = shared.free.get(), list(numbers), ""
    try:
        while left:
            before = len(left)
            try:
                for ended in _attempt(shared, lane, scenario, tuple(left)):
                    left.remove(ended.run)
                    shared.told.put(ended)
            except ChildError as error:
                why = str(error)
            if len(left) == before:
                break
        for number in left:
            shared.told.put(Ended(scenario, number, why))
    except Stopped:
        return
    finally:
        shared.free.put(lane)
        shared.told.put(None)


def _attempt(
    shared: _Evaluation, lane: Ports, scenario: str, numbers: Sequence[int]
) -> Iterator[Ended]:
    """Start what a scenario takes, and yield its runs as they end, driven or failed.

    Raises:
        ChildError: A program ended or hangs; the runs that were not yielded were not driven.
        Stopped: All is to end.
    """
    config = shared.config
    made = Attempt(config.out / WORK / scenario, scenario, numbers)
    shutil.rmtree(made.folder, ignore_errors=True)
    made.folder.mkdir(parents=True)
    with ExitStack() as stack:

        def start(program: Program) -> Child:
            return stack.enter_context(started(program, config.out / LOGS / scenario))

        servers = {lane.model: start(programs.model_server(config, lane, made.trace))}
        if not config.simulated:
            servers[lane.renderer] = start(programs.renderer(config, lane, scenario))
        watch = watcher([*servers.values(), *shared.language], shared.stop)
        for port, child in servers.items():
            wait_alive(child, port, "/alive", config.start_timeout_s, watch)
        engine = start(programs.engine(config, lane, made))
        left = list(numbers)
        for ended in _followed(shared, made, engine, watch):
            left.remove(ended.run)
            yield ended
        if left:
            engine.require()
    shutil.rmtree(made.folder)


def _followed(
    shared: _Evaluation, made: Attempt, engine: Child, watch: Callable[[], None]
) -> Iterator[Ended]:
    """Yield an engine's runs until it ends."""
    config, size, since_s = shared.config, -1, time.monotonic()
    while not engine.ended:
        watch()
        yield from collect(made, config.out, failed=False)
        if (now := engine.log.stat().st_size + made.trace.stat().st_size) != size:
            size, since_s = now, time.monotonic()
        elif time.monotonic() - since_s > config.step_timeout_s:
            raise engine.error(f"has got no step further in {config.step_timeout_s:g} s")
        shared.stop.wait(_LOOK_S)
    yield from collect(made, config.out, failed=False)
    # A run that failed because another program died did not fail: that program is to blame.
    shared.stop.wait(_LOOK_S)
    watch()
    yield from collect(made, config.out, failed=True)
