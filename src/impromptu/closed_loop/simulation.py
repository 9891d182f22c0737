"""The loop itself: see, plan, drive half a second, and look whether something was hit.

n runs go through it in step, as one set of arrays. A run follows its log for the priming steps;
the planner is asked from the first step on, as NeuroNCAP does.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from impromptu.arrays import Bools, Floats
from impromptu.closed_loop import collisions
from impromptu.closed_loop.scenarios import Draw
from impromptu.closed_loop.tracker import WAYPOINT_S, WAYPOINTS, WHEELBASE_M
from impromptu.closed_loop.vehicle import Vehicles, half_second
from impromptu.geometry import wrap_rad
from impromptu.miniature.motion import Motion
from impromptu.miniature.world import SIZES_M

IMPACT_S = 4.0
"""Time after the start at which NeuroNCAP's scenarios have the actor meet the log."""
_DIFFERENCE_S = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """One run set up: everything that does not depend on how the ego drives.

    Attributes:
        draw: What it was made of.
        log: The ego in the log at every half second, until 3 s after the end.
        actor: (10 k + 1, 5) the actor's box at every look.
        actor_mps: (10 k + 1, 2) its velocity.
        reference_mps: Relative speed at which it would be hit, had the log gone on.
    """

    draw: Draw
    log: Vehicles
    actor: Floats
    actor_mps: Floats
    reference_mps: float

    @property
    def steps(self) -> int:
        """Half seconds that the run lasts."""
        return round(self.draw.scenario.duration_s / WAYPOINT_S)


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """What planners are asked for: n runs at one step.

    Attributes:
        stages: (n,)
        step: Half seconds since the start.
        cars: The n egos.
    """

    stages: Sequence[Stage]
    step: int
    cars: Vehicles


@dataclass(frozen=True, slots=True, eq=False)
class Plans:
    """What planners answered.

    Attributes:
        xy_m: (n, 6, 2) in the egos' present frames.
        status: (n,) as the model server tells it: ``read``, ``unreadable``, ``rule`` where no model
            was asked; None where nobody told.
    """

    xy_m: Floats
    status: Sequence[str | None]


class Driver(Protocol):
    """Plans for n runs at once; may raise ``OSError`` or ``ValueError``, which ends them all."""

    def __call__(self, asked: Asked, /) -> Plans:
        """Return a plan for each run."""


@dataclass(frozen=True, slots=True, eq=False)
class Drive:
    """How a run went.

    Attributes:
        pose: (k + 1, 3) of the rear axle at every half second.
        velocity_mps: (k + 1, 2) of the vehicle's centre, in its own axes.
        plans_m: (k, 6, 2), one for each state but the last.
        status: (k,)
        hit: Which look, counted from the start, first found a collision; None for none.
        impact_mps: Relative speed there.
    """

    stage: Stage
    pose: Floats
    velocity_mps: Floats
    plans_m: Floats
    status: Sequence[str | None]
    hit: int | None
    impact_mps: float | None


def staged(draw: Draw) -> Stage:
    """Work out where the log and the actor are at all times of a run."""
    steps = round(draw.scenario.duration_s / WAYPOINT_S)
    log = _logged(draw.log, draw.start_s + WAYPOINT_S * np.arange(steps + WAYPOINTS + 1))
    looks = WAYPOINT_S / collisions.SUBSTEPS * np.arange(collisions.SUBSTEPS * steps + 1)
    xy_m, yaw_rad = draw.actor.xy_heading(draw.start_s + looks)
    size_m = np.tile(SIZES_M[draw.shape][:2], (len(looks), 1))
    boxes = np.column_stack([xy_m, yaw_rad, size_m])
    reference_mps = _reference_mps(log.pose, boxes[:: collisions.SUBSTEPS])
    velocity_mps = _velocity_mps(draw.actor, draw.start_s + looks)
    return Stage(draw, log, boxes, velocity_mps, reference_mps)


def _reference_mps(log: Floats, actor: Floats) -> float:
    """Return the relative speed 4 s after the start, from places half a second apart.

    Of the log until half a second later, of the actor since half a second earlier, as the
    engine takes them; a run that is shorter than that has its last ones.
    """
    frame = min(round(IMPACT_S / WAYPOINT_S), len(log) - 2)
    before = min(frame, len(actor) - 1) - 1
    moved_m = log[frame + 1, :2] - log[frame, :2] - (actor[before + 1, :2] - actor[before, :2])
    return float(np.linalg.norm(moved_m)) / WAYPOINT_S


def _velocity_mps(motion: Motion, t_s: Floats) -> Floats:
    heading = motion.xy_heading(t_s)[1]
    ahead = np.stack([np.cos(heading), np.sin(heading)], axis=-1)
    velocity: Floats = motion.pace.speed_mps(t_s)[:, None] * ahead
    return velocity


def _logged(motion: Motion, t_s: Floats) -> Vehicles:
    """Return the states of a car that drives the motion without slipping."""
    xy_m, heading = motion.xy_heading(t_s)
    turn_radps = _rate(lambda at_s: motion.xy_heading(at_s)[1], t_s)
    speed = motion.pace.speed_mps(t_s)
    curvature = turn_radps / np.maximum(speed, 0.1)
    return Vehicles(
        np.column_stack([xy_m, wrap_rad(heading)]),
        speed,
        np.arctan(WHEELBASE_M * curvature),
        _rate(motion.pace.speed_mps, t_s),
        turn_radps,
        np.zeros_like(speed),
    )


def _rate(function: "Function", t_s: Floats) -> Floats:
    """Return the derivative by central differences."""
    change = function(t_s + _DIFFERENCE_S) - function(t_s - _DIFFERENCE_S)
    rate: Floats = change / (2 * _DIFFERENCE_S)
    return rate


class Function(Protocol):
    """Of times."""

    def __call__(self, t_s: Floats, /) -> Floats:
        """Return a value a time."""


def drive(stages: Sequence[Stage], driver: Driver) -> list[Drive]:
    """Drive runs to their ends, all at once."""
    fleet = _Fleet(stages)
    while fleet.going.any():
        fleet.step(driver)
    return list(fleet.drives())


class _Fleet:
    """Runs on their way; row i of every array is run i."""

    def __init__(self, stages: Sequence[Stage]) -> None:
        self.stages = stages
        self.log = _padded([stage.log for stage in stages])
        self.last = np.array([stage.steps for stage in stages])
        self.priming = np.array([stage.draw.scenario.priming_steps for stage in stages])
        self.going = np.ones(len(stages), dtype=bool)
        self.cars = _at(self.log, 0)
        self.states = [self.cars]
        self.plans = list[Floats]()
        self.status: list[list[str | None]] = [[] for _ in stages]
        self.hits: list[tuple[int, float] | None] = [None] * len(stages)
        self.ends = self.last.copy()
        self._look_at([0], self.cars.pose[:, None])

    def step(self, driver: Driver) -> None:
        """Ask for plans, follow them for half a second, and look for collisions."""
        step, rows = len(self.plans), np.flatnonzero(self.going)
        asked = Asked([self.stages[row] for row in rows], step, self.cars.of(self.going))
        answer = driver(asked)
        plans = np.zeros((len(self.stages), WAYPOINTS, 2))
        plans[rows] = answer.xy_m
        for row, status in zip(rows.tolist(), answer.status, strict=True):
            self.status[row].append(status)
        self.plans.append(plans)
        before = self.cars.pose
        driven = half_second(self.cars, plans)
        self.cars = _choose(step < self.priming, _at(self.log, step + 1), driven)
        self.states.append(self.cars)
        first = step * collisions.SUBSTEPS + 1
        looks = range(first, first + collisions.SUBSTEPS)
        self._look_at(looks, collisions.between(before, self.cars.pose))
        self.going &= self.last > step + 1

    def _look_at(self, looks: Sequence[int], poses: Floats) -> None:
        """Note the first collision of each run at (n, looks, 3) poses, and end it there."""
        end = looks[-1]
        for row in np.flatnonzero(self.going).tolist():
            stage = self.stages[row]
            boxes = stage.actor[looks[0] : end + 1]
            touched = collisions.overlap(collisions.ego_boxes(poses[row]), boxes)
            if touched.any():
                found = int(np.argmax(touched))
                self.hits[row] = looks[found], self._impact_mps(row, found, looks, poses)
                self.going[row], self.ends[row] = False, len(self.plans)

    def _impact_mps(self, row: int, found: int, looks: Sequence[int], poses: Floats) -> float:
        """Return the relative speed at a collision, the ego's speed between that of its states."""
        speeds = [np.linalg.norm(one.centre_velocity_mps()[row]) for one in self.states[-2:]]
        speed = speeds[0] + (speeds[-1] - speeds[0]) * (found + 1) / len(looks)
        yaw = poses[row, found, 2]
        ego = speed * np.array([np.cos(yaw), np.sin(yaw)])
        return float(np.linalg.norm(ego - self.stages[row].actor_mps[looks[found]]))

    def drives(self) -> Iterator[Drive]:
        """Yield how each run went."""
        pose = np.stack([cars.pose for cars in self.states], axis=1)
        velocity = np.stack([cars.centre_velocity_mps() for cars in self.states], axis=1)
        plans = np.stack(self.plans, axis=1) if self.plans else np.empty((len(pose), 0, 6, 2))
        for row, stage in enumerate(self.stages):
            end, hit = int(self.ends[row]), self.hits[row]
            yield Drive(
                stage,
                pose[row, : end + 1],
                velocity[row, : end + 1],
                plans[row, :end],
                self.status[row],
                hit[0] if hit else None,
                hit[1] if hit else None,
            )


def _padded(logs: Sequence[Vehicles]) -> Vehicles:
    """Return (n, longest ...) columns; a shorter log is at its last state to the end."""
    longest = max(len(log.pose) for log in logs)
    rows = [np.minimum(np.arange(longest), len(log.pose) - 1) for log in logs]
    names = Vehicles.__slots__
    columns = [
        [getattr(log, name)[row] for log, row in zip(logs, rows, strict=True)] for name in names
    ]
    return Vehicles(*(np.stack(column) for column in columns))


def _at(log: Vehicles, step: int) -> Vehicles:
    """Return the n states of one half second."""
    step = min(step, log.pose.shape[1] - 1)
    return Vehicles(*(getattr(log, name)[:, step] for name in Vehicles.__slots__))


def _choose(first: Bools, one: Vehicles, other: Vehicles) -> Vehicles:
    """Return the one where told, else the other."""
    pose = np.where(first[:, None], one.pose, other.pose)
    more = (
        np.where(first, getattr(one, name), getattr(other, name)) for name in Vehicles.__slots__[1:]
    )
    return Vehicles(pose, *more)
