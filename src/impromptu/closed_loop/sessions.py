"""Runs, told apart by name: what each has seen, as much of it as a prompt may tell."""

import asyncio
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from impromptu.arrays import Floats, Ints
from impromptu.closed_loop.plans import Held
from impromptu.closed_loop.protocol import Step
from impromptu.datasets.nuscenes import EDGE_NS, MAX_GAP_NS
from impromptu.poses import Poses, pose_track
from impromptu.sampling import PAST_STEPS, STEP_NS, Windows, windows

MAX_SESSIONS = 256
MAX_STEPS = 256
"""Of one session at once; at 2 Hz there are nine."""
KEPT_NS = (PAST_STEPS + 2) * STEP_NS + EDGE_NS
"""The past that a prompt shows, and the two steps before that differences reach back to."""

NEW_RUN = "a new run begins with POST reset, in AlpaSim with start_session"


class OrderError(ValueError):
    """A step that does not follow the one before, or a run that has not begun."""

    status = 409


@dataclass(slots=True, eq=False)
class Session:
    """One run, from its reset on.

    Attributes:
        name: As in the address.
        run: How many there were under this name, this one included.
        steps: Those of the last 4 s.
        count: All steps so far.
        answered_ns: The last step that got an answer.
        held: The last plan that could be read.
        turn: Held by the step that is worked on.
    """

    name: str
    run: int
    steps: deque[Step] = field(default_factory=lambda: deque(maxlen=MAX_STEPS))
    count: int = 0
    answered_ns: int = -1
    held: Held | None = None
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def observe(self, step: Step) -> "Seen":
        """Take a step in, and return the way here.

        One that got no answer may be sent again.

        Raises:
            OrderError: Its time is not after that of the step before, or its place is further
                away than any car drives; nothing has changed.
        """
        before = [one for one in self.steps if one.timestamp_ns != step.timestamp_ns]
        latest_ns = max([self.answered_ns + 1, *(one.timestamp_ns for one in before)])
        if step.timestamp_ns < latest_ns:
            raise OrderError(
                f"timestamp {step.timestamp_ns // 1000} us is not after that of the step before, "
                f"{latest_ns // 1000} us; {NEW_RUN}"
            )
        kept = [one for one in before if one.timestamp_ns >= step.timestamp_ns - KEPT_NS]
        seen = way([*kept, step])
        self.count += step.timestamp_ns not in (one.timestamp_ns for one in self.steps)
        self.steps = deque([*kept, step], MAX_STEPS)
        return seen


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """The way to a step.

    Attributes:
        ego: Resampled as for training, with one present.
        motion: (1, 7, 4) velocity and acceleration at its times, as ``Windows.statuses`` takes it.
    """

    ego: Windows
    motion: Floats


def way(steps: list[Step]) -> Seen:
    """Resample steps on the 2 Hz grid that ends at the last one, by the rules of the training.

    Raises:
        OrderError: They are no way of one car.
    """
    stamps_ns = np.array([step.timestamp_ns for step in steps])
    poses = Poses(
        np.array([step.world_SE3_ego.rotation for step in steps]),
        np.array([step.world_SE3_ego.translation_m for step in steps]),
        np.ones(len(steps), bool),
    )
    try:
        track = pose_track(stamps_ns, poses, "ego2world", max_gap_ns=MAX_GAP_NS, edge_ns=EDGE_NS)
    except ValueError as error:
        raise OrderError(f"{error}; {NEW_RUN}") from error
    ego = windows(track, stamps_ns[-1:])
    return Seen(ego, _at(ego.times_ns, stamps_ns, _motion(steps)))


def _motion(steps: list[Step]) -> Floats:
    """Return velocity and acceleration of the rear axle at each step, (n, 4).

    A simulated step's acceleration is that of a point ahead of the rear axle by a formula that
    leaves out the turn, so it is told from the speeds instead: their change since the step
    before, and to the side speed times yaw rate, as a rear axle that does not slip has it.
    """
    accelerations = [steps[0].acceleration_mps2]
    for before, step in pairwise(steps):
        seconds = (step.timestamp_ns - before.timestamp_ns) / 1e9
        speed_mps = step.velocity_mps[0]
        simulated = (speed_mps - before.velocity_mps[0]) / seconds, speed_mps * step.yaw_rate_radps
        accelerations.append(np.array(simulated) if step.simulated else step.acceleration_mps2)
    velocities = [step.velocity_mps for step in steps]
    return np.concatenate([velocities, accelerations], axis=1)


def _at(times_ns: Ints, stamps_ns: Ints, values: Floats) -> Floats:
    """Interpolate (n, k) values at times, (..., k)."""
    since_s = (times_ns - stamps_ns[-1]) / 1e9
    known_s = (stamps_ns - stamps_ns[-1]) / 1e9
    return np.stack([np.interp(since_s, known_s, column) for column in values.T], axis=-1)


class Sessions:
    """The runs that are under way; of too many, the one that was left alone the longest goes."""

    def __init__(self, largest: int = MAX_SESSIONS) -> None:
        self._largest, self._open = largest, OrderedDict[str, Session]()

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._open)

    def __contains__(self, name: str) -> bool:
        """Tell whether a run of this name is under way."""
        return name in self._open

    def close(self, name: str) -> None:
        """Forget a run, if there is one of this name."""
        self._open.pop(name, None)

    def reset(self, name: str) -> Session:
        """Begin a run; an earlier one of this name is over."""
        earlier = self._open.pop(name, None)
        self._open[name] = Session(name, earlier.run + 1 if earlier else 1)
        while len(self._open) > self._largest:
            self._open.popitem(last=False)
        return self._open[name]

    def find(self, name: str) -> Session:
        """Return a run that has begun.

        Raises:
            OrderError: There is none of this name.
        """
        if name not in self._open:
            raise OrderError(f"session {name!r} has not begun, or is forgotten: POST reset first")
        self._open.move_to_end(name)
        return self._open[name]
