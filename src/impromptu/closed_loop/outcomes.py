"""Reads finished runs and scores them: ours, and those of NeuroNCAP's engine.

Where ``trace.jsonl`` tells the speed, the collision is looked for again and the score is exact.
The engine's own files hold no speed. Its own score can be taken over with ``v_ref="upstream"``;
with ``v_ref="fixed"`` the speed at the impact is told from poses half a second apart, which was
seen to put a score off by 0.067 on average and 0.53 at worst.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from impromptu.arrays import Bools, Floats, Ints
from impromptu.closed_loop import collisions, scores
from impromptu.closed_loop.scenarios import CATEGORIES
from impromptu.closed_loop.scores import Outcome
from impromptu.closed_loop.simulation import IMPACT_S
from impromptu.files import read_json, read_json_lines
from impromptu.geometry import yaws_rad

VRef = Literal["fixed", "upstream"]
READABLE = ("read", "rule")
"""What the model server tells of a plan that is the driver's own."""
UNSEEN = "metrics.json tells of a collision, the poses do not; --v_ref upstream takes its score"
_IMPACT_FRAMES = round(2 * IMPACT_S)
_PRIMING = {"side-0921": 3}
_PRIMING_ELSEWHERE = 2


@dataclass(frozen=True, slots=True)
class Failed:
    """A run that has no outcome, and why."""

    scenario: str
    run: int
    why: str


@dataclass(frozen=True, slots=True, eq=False)
class _Track:
    """Poses at times: (n,) stamps in us, (n, 3) x, y, yaw; of an actor also its (2,) size."""

    stamps_us: Ints
    pose: Floats
    size_m: Floats
    target: bool = False

    def at(self, stamps_us: Ints) -> Floats:
        """Return (k, 3) poses, on straight lines between those known."""
        yaw = np.unwrap(self.pose[:, 2])
        columns = (*self.pose[:, :2].T, yaw)
        return np.stack([np.interp(stamps_us, self.stamps_us, column) for column in columns], -1)

    def velocity_mps(self, stamp_us: int) -> Floats:
        """Return the (2,) velocity between the poses around a time."""
        if len(self.stamps_us) < 2:
            return np.zeros(2)
        after = int(np.clip(np.searchsorted(self.stamps_us, stamp_us), 1, len(self.stamps_us) - 1))
        seconds = (self.stamps_us[after] - self.stamps_us[after - 1]) / 1e6
        velocity: Floats = (self.pose[after, :2] - self.pose[after - 1, :2]) / seconds
        return velocity


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    """What a run's folder holds.

    Attributes:
        ego: Its states.
        speed_mps: (n,) at these; None where the files do not tell.
        start_us: Stamp of its first step.
        reference: The log.
    """

    ego: _Track
    speed_mps: Floats | None
    actors: Sequence[_Track]
    start_us: int
    reference: _Track


def read(runs: Path, v_ref: VRef) -> tuple[list[Outcome], list[Failed]]:
    """Score all runs in a folder.

    Raises:
        FileNotFoundError: There is no run in it.
        ValueError: A run's file cannot be read; the message names it.
    """
    outcomes, failed = list[Outcome](), list[Failed]()
    for scenario, run, folder in _folders(runs):
        if not (folder / "metrics.json").is_file():
            failed.append(Failed(scenario, run, _why(folder)))
            continue
        try:
            found = _outcome(folder, scenario, run, v_ref)
        except (KeyError, TypeError, IndexError) as error:
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
    return any((folder / "run.json").is_file() for _, _, folder in _folders(runs))


def _folders(runs: Path) -> Iterator[tuple[str, int, Path]]:
    """Yield scenario, run and folder; a single run has no level of its own."""
    for scenario in sorted(path for path in runs.glob("*-*") if path.is_dir()):
        category, _, sequence = scenario.name.partition("-")
        if category not in CATEGORIES or not sequence.isdigit():
            continue
        if (scenario / "metrics.json").is_file():
            yield scenario.name, 0, scenario
        numbers = [path.name[4:] for path in scenario.glob("run_*")]
        for number in sorted((name for name in numbers if name.isdigit()), key=int):
            yield scenario.name, int(number), scenario / f"run_{number}"


def _why(folder: Path) -> str:
    failure = folder / "failure.json"
    return str(read_json(failure)["error"]) if failure.is_file() else "no metrics.json"


def _outcome(folder: Path, scenario: str, run: int, v_ref: VRef) -> Outcome | Failed:
    metrics = read_json(folder / "metrics.json")
    collided = bool(metrics["any_collide@0.0s"])
    trace = _trace(folder)
    statuses = [line.get("status") for line in trace]
    told = [status for status in statuses if status not in (None, "refused")]
    unreadable = sum(status not in READABLE for status in told) if told else None
    if not trace and v_ref == "upstream":
        return Outcome(scenario, run, float(metrics["ncap_score"]), collided, 0, None, "metrics")
    value, source = scores.NO_COLLISION, "trace" if trace else "poses"
    if collided:
        # One that crashed while it followed the log has no pose in the engine's file.
        if not trace and not (folder / "ego_poses.json").is_file():
            return Failed(scenario, run, UNSEEN)
        loaded = _load(folder, scenario, trace)
        impact = _impact_mps(loaded)
        if impact is None:
            return Failed(scenario, run, UNSEEN)
        value = scores.score(impact, _reference_mps(loaded, v_ref, folder))
    return Outcome(scenario, run, value, collided, len(told), unreadable, source)


def _trace(folder: Path) -> list[Mapping[str, Any]]:
    path = folder / "trace.jsonl"
    return [line for _, line in read_json_lines(path)] if path.is_file() else []


def _load(folder: Path, scenario: str, trace: Sequence[Mapping[str, Any]]) -> _Run:
    actors = [_actor(row) for row in read_json(folder / "actors.json")]
    reference = read_json(folder / "reference_trajectory.json")
    route = _Track(_stamps(reference), _rows(reference)[:, :3], np.zeros(2))
    if trace:
        stamps = np.array([line["timestamp_us"] for line in trace])
        pose = np.array([[line[name] for name in ("x_m", "y_m", "yaw_rad")] for line in trace])
        speed = np.array([_speed(line) for line in trace])
        return _Run(_Track(stamps, pose, np.zeros(2)), speed, actors, int(stamps[0]), route)
    poses = read_json(folder / "ego_poses.json")
    ego = _Track(_stamps(poses), _flat(_rows(poses)), np.zeros(2))
    return _Run(ego, None, actors, _start_us(scenario, ego, route), route)


def _speed(line: Mapping[str, Any]) -> float:
    """Return the speed of the vehicle's centre, or of its rear axle where only that is told."""
    if "velocity_mps" in line:
        return float(np.hypot(*line["velocity_mps"]))
    return abs(float(line["speed_mps"]))


def _stamps(table: Mapping[str, Any]) -> Ints:
    return np.array([int(stamp) for stamp in table])


def _rows(table: Mapping[str, Any]) -> Floats:
    return np.array(list(table.values()), dtype=np.float64)


def _flat(matrices: Floats) -> Floats:
    """Return (n, 3) x, y, yaw of (n, 4, 4) poses."""
    return np.column_stack([matrices[:, :2, 3], yaws_rad(matrices[:, :3, :3])])


def _actor(row: Mapping[str, Any]) -> _Track:
    width_m, length_m, _ = row["dims"]
    poses = _flat(np.array(row["poses"], dtype=np.float64))
    size_m, stamps_us = np.array([length_m, width_m]), np.array(row["timestamps"])
    return _Track(stamps_us, poses, size_m, bool(row["is_target_actor"]))


def _start_us(scenario: str, ego: _Track, route: _Track) -> int:
    """Return the log's stamp at which the engine began: priming steps before the first it logs.

    The first pose in its file is half a second after the last step that followed the log.
    """
    primed = int(np.argmin(np.abs(route.stamps_us - (ego.stamps_us[0] - 500_000))))
    first = max(primed - _PRIMING.get(scenario, _PRIMING_ELSEWHERE), 0)
    return int(route.stamps_us[first])


def _impact_mps(run: _Run) -> float | None:
    """Return the relative speed where the ego first touches an actor; the target before others."""
    looks_us, poses = _looks(run.ego)
    found = []
    for actor in run.actors:
        touched = _touched(looks_us, poses, actor)
        if touched.any():
            found.append((not actor.target, int(np.argmax(touched)), actor))
    if not found:
        return None
    _, look, actor = min(found, key=lambda one: one[:2])
    speed = _speed_mps(run, look)
    yaw = poses[look, 2]
    ego = speed * np.array([np.cos(yaw), np.sin(yaw)])
    return float(np.linalg.norm(ego - actor.velocity_mps(int(looks_us[look]))))


def _looks(ego: _Track) -> tuple[Ints, Floats]:
    """Return stamps and poses at the first state, and ten times in every half second after it."""
    between = collisions.between(ego.pose[:-1], ego.pose[1:]).reshape(-1, 3)
    share = np.arange(1, collisions.SUBSTEPS + 1) / collisions.SUBSTEPS
    since = np.diff(ego.stamps_us)[:, None] * share + ego.stamps_us[:-1, None]
    looks_us = np.concatenate([ego.stamps_us[:1], since.ravel().astype(np.int64)])
    return looks_us, np.concatenate([ego.pose[:1], between])


def _touched(looks_us: Ints, poses: Floats, actor: _Track) -> Bools:
    there = (looks_us >= actor.stamps_us[0]) & (looks_us <= actor.stamps_us[-1])
    boxes = np.column_stack([actor.at(looks_us), np.tile(actor.size_m, (len(looks_us), 1))])
    touched: Bools = there & collisions.overlap(collisions.ego_boxes(poses), boxes)
    return touched


def _speed_mps(run: _Run, look: int) -> float:
    """Return the ego's speed at a look, the first of which is the first state."""
    state = look / collisions.SUBSTEPS
    if run.speed_mps is not None:
        return float(np.interp(state, np.arange(len(run.speed_mps)), run.speed_mps))
    seconds = np.diff(run.ego.stamps_us) / 1e6
    mean_mps = np.linalg.norm(np.diff(run.ego.pose[:, :2], axis=0), axis=-1) / seconds
    if len(mean_mps) < 2:
        return float(mean_mps[0]) if len(mean_mps) else 0.0
    # Mean speeds stand for the middles of half seconds; beyond the last, their change goes on.
    before = int(np.clip(np.floor(state - 0.5), 0, len(mean_mps) - 2))
    share = state - 0.5 - before
    return float(max(0.0, mean_mps[before] + share * (mean_mps[before + 1] - mean_mps[before])))


def _reference_mps(run: _Run, v_ref: VRef, folder: Path) -> float:
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
