"""What the files of a finished run tell: ours, and those of NeuroNCAP's engine."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from impromptu.arrays import Bools, Floats, Ints
from impromptu.closed_loop import collisions
from impromptu.closed_loop.scenarios import CATEGORIES
from impromptu.files import read_json, read_json_lines
from impromptu.geometry import yaws_rad

READABLE = ("read", "rule")
"""What the model server tells of a plan that is the driver's own."""
_PRIMING = {"side-0921": 3}
_PRIMING_ELSEWHERE = 2


@dataclass(frozen=True, slots=True, eq=False)
class Track:
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
class Recorded:
    """What a run's folder holds.

    Attributes:
        ego: Its states.
        speed_mps: (n,) at these; None where the files do not tell.
        start_us: Stamp of its first step.
        reference: The log.
    """

    ego: Track
    speed_mps: Floats | None
    actors: Sequence[Track]
    start_us: int
    reference: Track


def folders(runs: Path) -> Iterator[tuple[str, int, Path]]:
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


def trace(folder: Path) -> list[Mapping[str, Any]]:
    """Return the lines of a run's trace; none where there is no such file."""
    path = folder / "trace.jsonl"
    return [line for _, line in read_json_lines(path)] if path.is_file() else []


def load(folder: Path, scenario: str, trace: Sequence[Mapping[str, Any]]) -> Recorded:
    """Read a run.

    Raises:
        OSError: A file is missing.
        ValueError: One is not JSON, or tells a place or speed that is none.
        AttributeError, KeyError, TypeError, IndexError: One is not as the engine writes it.
    """
    run = _loaded(folder, scenario, trace)
    told = [run.ego.pose, run.reference.pose, *(actor.pose for actor in run.actors)]
    told += [] if run.speed_mps is None else [run.speed_mps]
    if not all(np.isfinite(values).all() for values in told):
        raise ValueError(f"{folder}: a place or speed in it is not finite; the run is not scored")
    return run


def _loaded(folder: Path, scenario: str, trace: Sequence[Mapping[str, Any]]) -> Recorded:
    actors = [_actor(row) for row in read_json(folder / "actors.json")]
    reference = read_json(folder / "reference_trajectory.json")
    route = Track(_stamps(reference), _rows(reference)[:, :3], np.zeros(2))
    if trace:
        stamps = np.array([line["timestamp_us"] for line in trace])
        pose = np.array([[line[name] for name in ("x_m", "y_m", "yaw_rad")] for line in trace])
        speed = np.array([_speed(line) for line in trace])
        return Recorded(Track(stamps, pose, np.zeros(2)), speed, actors, int(stamps[0]), route)
    poses = read_json(folder / "ego_poses.json")
    ego = Track(_stamps(poses), _flat(_rows(poses)), np.zeros(2))
    return Recorded(ego, None, actors, _start_us(scenario, ego, route), route)


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


def _actor(row: Mapping[str, Any]) -> Track:
    width_m, length_m, _ = row["dims"]
    poses = _flat(np.array(row["poses"], dtype=np.float64))
    size_m, stamps_us = np.array([length_m, width_m]), np.array(row["timestamps"])
    return Track(stamps_us, poses, size_m, bool(row["is_target_actor"]))


def _start_us(scenario: str, ego: Track, route: Track) -> int:
    """Return the log's stamp at which the engine began: priming steps before the first it logs.

    The first pose in its file is half a second after the last step that followed the log.
    """
    primed = int(np.argmin(np.abs(route.stamps_us - (ego.stamps_us[0] - 500_000))))
    first = max(primed - _PRIMING.get(scenario, _PRIMING_ELSEWHERE), 0)
    return int(route.stamps_us[first])


def looks(ego: Track) -> tuple[Ints, Floats]:
    """Return stamps and poses at the first state, and ten times in every half second after it."""
    between = collisions.between(ego.pose[:-1], ego.pose[1:]).reshape(-1, 3)
    share = np.arange(1, collisions.SUBSTEPS + 1) / collisions.SUBSTEPS
    since = np.diff(ego.stamps_us)[:, None] * share + ego.stamps_us[:-1, None]
    looks_us = np.concatenate([ego.stamps_us[:1], since.ravel().astype(np.int64)])
    return looks_us, np.concatenate([ego.pose[:1], between])


def _touched(looks_us: Ints, poses: Floats, actor: Track) -> Bools:
    there = (looks_us >= actor.stamps_us[0]) & (looks_us <= actor.stamps_us[-1])
    boxes = np.column_stack([actor.at(looks_us), np.tile(actor.size_m, (len(looks_us), 1))])
    touched: Bools = there & collisions.overlap(collisions.ego_boxes(poses), boxes)
    return touched


def impact(run: Recorded) -> tuple[int, Track] | None:
    """Return the look at which the ego first touches an actor; the target before others."""
    looks_us, poses = looks(run.ego)
    found = []
    for actor in run.actors:
        touched = _touched(looks_us, poses, actor)
        if touched.any():
            found.append((not actor.target, int(np.argmax(touched)), actor))
    return min(found, key=lambda one: one[:2])[1:] if found else None


def impact_mps(run: Recorded) -> float | None:
    """Return the relative speed at that look; None where nothing is touched."""
    if (found := impact(run)) is None:
        return None
    (look, actor), (looks_us, poses) = found, looks(run.ego)
    yaw = poses[look, 2]
    ego = speed_mps(run, look) * np.array([np.cos(yaw), np.sin(yaw)])
    return float(np.linalg.norm(ego - actor.velocity_mps(int(looks_us[look]))))


def speed_mps(run: Recorded, look: float) -> float:
    """Return the ego's speed at a look, or between two; the first of them is the first state."""
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
