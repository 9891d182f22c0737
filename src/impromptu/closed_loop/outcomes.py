"""Reads finished runs and scores them: ours, and those of NeuroNCAP's engine.

Where ``trace.jsonl`` tells the speed, the collision is looked for again and the score is exact.
The engine's own files hold no speed. Its own score can be taken over with ``v_ref="upstream"``;
with ``v_ref="fixed"`` the speed at the impact is told from poses half a second apart, which was
seen to put a score off by 0.067 on average and 0.53 at worst.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from impromptu.closed_loop import recorded, scores
from impromptu.closed_loop.recorded import Recorded
from impromptu.closed_loop.scenarios import CATEGORIES
from impromptu.closed_loop.scores import Outcome
from impromptu.closed_loop.simulation import IMPACT_S
from impromptu.files import read_json

VRef = Literal["fixed", "upstream"]
UNSEEN = "metrics.json tells of a collision, the poses do not; --v_ref upstream takes its score"
_IMPACT_FRAMES = round(2 * IMPACT_S)


@dataclass(frozen=True, slots=True)
class Failed:
    """A run that has no outcome, and why."""

    scenario: str
    run: int
    why: str


def read(runs: Path, v_ref: VRef) -> tuple[list[Outcome], list[Failed]]:
    """Score all runs in a folder.

    Raises:
        FileNotFoundError: There is no run in it.
        ValueError: A run's file cannot be read; the message names it.
    """
    outcomes, failed = list[Outcome](), list[Failed]()
    for scenario, run, folder in recorded.folders(runs):
        if not (folder / "metrics.json").is_file():
            failed.append(Failed(scenario, run, _why(folder)))
            continue
        try:
            found = _outcome(folder, scenario, run, v_ref)
        except (AttributeError, KeyError, TypeError, IndexError) as error:
            raise ValueError(f"{folder}: not as the engine writes it: {error!r}") from error
        outcomes += [found] if isinstance(found, Outcome) else []
        failed += [found] if isinstance(found, Failed) else []
    if not outcomes and not failed:
        raise FileNotFoundError(
            f"{runs}: no run in it; expected folders such as {CATEGORIES[0]}-0103/run_0"
        )
    return outcomes, failed


def simulated(runs: Path) -> bool:
    """Tell whether a folder's runs are of the mini-simulator."""
    return any((folder / "run.json").is_file() for _, _, folder in recorded.folders(runs))


def _why(folder: Path) -> str:
    failure = folder / "failure.json"
    return str(read_json(failure)["error"]) if failure.is_file() else "no metrics.json"


def _outcome(folder: Path, scenario: str, run: int, v_ref: VRef) -> Outcome | Failed:
    metrics = read_json(folder / "metrics.json")
    collided = bool(metrics["any_collide@0.0s"])
    trace = recorded.trace(folder)
    statuses = [line.get("status") for line in trace]
    told = [status for status in statuses if status not in (None, "refused")]
    unreadable = sum(status not in recorded.READABLE for status in told) if told else None
    if not trace and v_ref == "upstream":
        own = float(metrics["ncap_score"])
        if not np.isfinite(own):
            return Failed(scenario, run, f"metrics.json has the score {own}")
        return Outcome(scenario, run, own, collided, 0, None, "metrics")
    value, source = scores.NO_COLLISION, "trace" if trace else "poses"
    if collided:
        # One that crashed while it followed the log has no pose in the engine's file.
        if not trace and not (folder / "ego_poses.json").is_file():
            return Failed(scenario, run, UNSEEN)
        loaded = recorded.load(folder, scenario, trace)
        impact = recorded.impact_mps(loaded)
        if impact is None:
            return Failed(scenario, run, UNSEEN)
        value = scores.score(impact, _reference_mps(loaded, v_ref, folder))
    return Outcome(scenario, run, value, collided, len(told), unreadable, source)


def _reference_mps(run: Recorded, v_ref: VRef, folder: Path) -> float:
    """Return the relative speed that the score is measured against.

    ``fixed``: of log and target actor at 4 s after the start, where the scenarios have them meet.
    ``upstream``: the engine's condition is the wrong way round, so it takes the log's last half
    second in place of that at 4 s, and raises IndexError where the log is too short for that.
    """
    first = int(np.searchsorted(run.reference.stamps_us, run.start_us))
    frame = first + _IMPACT_FRAMES
    last = len(run.reference.pose) - 2
    if v_ref == "upstream" and frame > last + 1:
        raise ValueError(f"{folder}: upstream's v_ref does not exist: the log ends too soon")
    chosen = last if v_ref == "upstream" else min(frame, last)
    moved = run.reference.pose[chosen + 1, :2] - run.reference.pose[chosen, :2]
    seconds = 0.5
    ego = moved / seconds
    targets = [actor for actor in run.actors if actor.target]
    at_us = int(run.reference.stamps_us[min(frame, len(run.reference.stamps_us) - 1)])
    actor = targets[0].velocity_mps(at_us) if targets else np.zeros(2)
    return float(np.linalg.norm(ego - actor))
