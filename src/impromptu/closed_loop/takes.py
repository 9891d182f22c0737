"""A finished run, ready to be filmed: where everything was at any time, and what was planned."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from impromptu.arrays import Floats, Ints
from impromptu.closed_loop import collisions, recorded
from impromptu.closed_loop.recorded import Recorded, Track
from impromptu.closed_loop.scores import Outcome
from impromptu.closed_loop.tracker import WAYPOINTS
from impromptu.files import read_json
from impromptu.geometry import turned
from impromptu.miniature.world import SIZES_M, Shape


@dataclass(frozen=True, slots=True, eq=False)
class Hit:
    """A collision.

    Attributes:
        stamp_us: Of the look that first found it.
        impact_mps: Relative speed.
    """

    stamp_us: int
    impact_mps: float


@dataclass(frozen=True, slots=True, eq=False)
class Plans:
    """What was planned: (n,) stamps in us, (n, 6, 2) places in the world, whether it was read."""

    stamps_us: Ints
    world_m: Floats
    read: Sequence[bool]


@dataclass(frozen=True, slots=True, eq=False)
class Take:
    """One run of one model.

    Attributes:
        model: Its name, for people.
        title: What happens in the scenario; empty where nobody told.
        shape: What the mini-simulator's actor is; None in NeuroNCAP's runs.
        hit: None for no collision.
    """

    model: str
    folder: Path
    outcome: Outcome
    title: str
    shape: Shape | None
    run: Recorded
    plans: Plans
    hit: Hit | None

    @property
    def begin_us(self) -> int:
        """Return the stamp of the first state that is known."""
        return int(self.run.ego.stamps_us[0])

    @property
    def end_us(self) -> int:
        """Return the stamp at which it was over."""
        return self.hit.stamp_us if self.hit else int(self.run.ego.stamps_us[-1])

    def pose(self, stamp_us: int) -> Floats:
        """Return the (3,) rear-axle pose at a time, held before the first and after the end."""
        pose: Floats = self.run.ego.at(np.array([min(stamp_us, self.end_us)]))[0]
        return pose

    def driven_m(self, stamp_us: int) -> Floats:
        """Return the (n, 2) places up to a time."""
        ego = self.run.ego
        past = ego.pose[ego.stamps_us < min(stamp_us, self.end_us), :2]
        return np.concatenate([past, self.pose(stamp_us)[None, :2]])

    def speed_mps(self, stamp_us: int) -> float:
        """Return the speed at a time."""
        stamps = self.run.ego.stamps_us
        state = float(np.interp(min(stamp_us, self.end_us), stamps, np.arange(len(stamps))))
        return recorded.speed_mps(self.run, state * collisions.SUBSTEPS)

    def boxes(self, stamp_us: int) -> Floats:
        """Return the (n, 5) boxes x, y, yaw, length, width of the actors that are there."""
        stamp = np.array([min(stamp_us, self.end_us)])
        there = [
            np.append(actor.at(stamp)[0], actor.size_m)
            for actor in self.run.actors
            if actor.stamps_us[0] <= stamp[0] <= actor.stamps_us[-1]
        ]
        return np.array(there).reshape(-1, 5)

    def plan(self, stamp_us: int) -> tuple[Floats, bool] | None:
        """Return the (6, 2) places last planned, in the world, and whether the answer was read."""
        known = int(np.searchsorted(self.plans.stamps_us, min(stamp_us, self.end_us), "right"))
        return (self.plans.world_m[known - 1], self.plans.read[known - 1]) if known else None


def taken(model: str, folder: Path, outcome: Outcome) -> Take:
    """Read the files of a finished run.

    Raises:
        OSError: One is missing.
        ValueError: One is cut short, or not as the engine or the simulator writes it.
    """
    try:
        trace = recorded.trace(folder)
        run = recorded.load(folder, outcome.scenario, trace)
        about = _about(folder)
        return Take(
            model,
            folder,
            outcome,
            str(about.get("title", "")),
            _shape(about, folder),
            run,
            _plans(folder, trace, run.ego),
            _hit(run),
        )
    except (AttributeError, KeyError, TypeError, IndexError) as error:
        raise ValueError(f"{folder}: not as the engine writes it: {error!r}") from error
    except ValueError as error:
        raise ValueError(f"{folder}: not as the engine writes it: {error}") from error


def _about(folder: Path) -> Mapping[str, Any]:
    path = folder / "run.json"
    about: Mapping[str, Any] = read_json(path) if path.is_file() else {}
    return about


def _shape(about: Mapping[str, Any], folder: Path) -> Shape | None:
    shape: Shape | None = about.get("shape")
    if shape is not None and shape not in SIZES_M:
        raise ValueError(
            f"{folder / 'run.json'}: no shape {shape!r}; there are {', '.join(SIZES_M)}"
        )
    return shape


def _hit(run: Recorded) -> Hit | None:
    found, impact_mps = recorded.impact(run), recorded.impact_mps(run)
    if found is None or impact_mps is None:
        return None
    looks_us, _ = recorded.looks(run.ego)
    return Hit(int(looks_us[found[0]]), impact_mps)


def _plans(folder: Path, trace: Sequence[Mapping[str, Any]], ego: Track) -> Plans:
    """Return the plans that the trace tells, or else the engine's own file."""
    asked = [line for line in trace if line.get("trajectory") is not None]
    stamps = [int(line["timestamp_us"]) for line in asked]
    plans = [line["trajectory"] for line in asked]
    read = [line.get("status") in (None, *recorded.READABLE) for line in asked]
    path = folder / "trajectories.json"
    if not trace and path.is_file():
        table = read_json(path)
        stamps, plans, read = [int(key) for key in table], [*table.values()], [True] * len(table)
    stamps_us = np.array(stamps, dtype=np.int64)
    planned_m = np.array(plans, dtype=np.float64).reshape(-1, WAYPOINTS, 2)
    pose = ego.at(stamps_us)[:, None]
    return Plans(stamps_us, pose[..., :2] + turned(planned_m, pose[..., 2]), read)
