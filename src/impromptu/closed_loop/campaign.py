"""Drive many runs and write each as it ends; what is there already is not driven again."""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from impromptu.closed_loop import runs
from impromptu.closed_loop.scenarios import Scenario, drawn
from impromptu.closed_loop.simulation import Driver, Stage, drive, staged
from impromptu.files import read_json, require_writable, write_json

GROUP = 256
"""Runs that an in-process driver is asked for at once."""
_RECORD = "campaign.json"
Job = tuple[Scenario, int]


@dataclass(frozen=True, slots=True)
class Ended:
    """A run that ended: how many half seconds it took, or why it broke off."""

    steps: int
    failure: str = ""


def waiting(out: Path, scenarios: Sequence[Scenario], count: int) -> list[Job]:
    """Return the runs that are not finished in a folder."""
    return [
        (scenario, run)
        for scenario in scenarios
        for run in range(count)
        if not runs.finished(runs.folder_of(out, scenario.name, run))
    ]


def open_folder(out: Path, about: dict[str, Any]) -> None:
    """Make a folder for one driver's runs, or go on in it.

    Raises:
        FileExistsError: It holds runs of something else: scores would be of a mixture.
        OSError: It cannot be written to.
    """
    require_writable(out)
    record = out / _RECORD
    if not record.exists():
        if any(out.glob("*-*/run_*")):
            raise FileExistsError(f"{out}: holds runs, but no {_RECORD}; name another folder")
        write_json(record, about)
    elif (there := read_json(record)) != about:
        raise FileExistsError(
            f"{out}: holds runs of {there}, asked for are runs of {about}; name another folder"
        )


def in_process(jobs: Sequence[Job], out: Path, name: str, driver: Driver) -> Iterator[Ended]:
    """Drive runs in groups, each a few arrays."""
    for start in range(0, len(jobs), GROUP):
        stages = [staged(drawn(*job)) for job in jobs[start : start + GROUP]]
        for ended in drive(stages, driver):
            draw = ended.stage.draw
            runs.write(runs.folder_of(out, draw.scenario.name, draw.run), ended, name)
            yield Ended(len(ended.plans_m))


def in_parallel(
    jobs: Sequence[Job], out: Path, name: str, driver: Driver, workers: int
) -> Iterator[Ended]:
    """Drive runs one by one, some at a time, in threads.

    A run that breaks off is noted as failed, and the others go on.
    """
    with ThreadPoolExecutor(workers) as pool:
        try:
            yield from pool.map(lambda job: _one(staged(drawn(*job)), out, name, driver), jobs)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _one(stage: Stage, out: Path, name: str, driver: Driver) -> Ended:
    folder = runs.folder_of(out, stage.draw.scenario.name, stage.draw.run)
    try:
        (ended,) = drive([stage], driver)
    except (OSError, ValueError) as error:
        runs.write_failure(folder, stage, name, str(error))
        return Ended(0, str(error))
    runs.write(folder, ended, name)
    return Ended(len(ended.plans_m))


def told(ended: Sequence[Ended]) -> Counter[str]:
    """Count failures by what they say."""
    return Counter(one.failure for one in ended if one.failure)
