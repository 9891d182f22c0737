"""Resample a log onto the 2 Hz grid of its clips: where the ego was, and how it moved."""

from dataclasses import dataclass
from math import isnan

import numpy as np

from impromptu.arrays import Bools, Floats, Ints, assembled, floats
from impromptu.clip import STEP_S, EgoStatus, Trajectory
from impromptu.geometry import yaws_rad
from impromptu.poses import Poses, PoseTrack

PAST_STEPS = 6
"""A clip shows at most 3 s before the present."""
FUTURE_STEPS = 10
"""A clip knows at most 5 s after the present."""
STEP_NS = round(STEP_S * 1e9)
LOGGED_LIMIT = 150.0
"""A logged speed (m/s), acceleration (m/s2) or steering angle (rad) beyond this is a fault."""
PAST_T_S = floats(STEP_S * np.arange(-PAST_STEPS, 1), None, name="PAST_T_S")
FUTURE_T_S = floats(STEP_S * np.arange(1, FUTURE_STEPS + 1), None, name="FUTURE_T_S")
# Two backward differences of the oldest shown point reach two steps further back.
_GRID = np.arange(-PAST_STEPS - 2, FUTURE_STEPS + 1)
_NOW = PAST_STEPS + 2


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """The ego's way around many presents, each in the ego frame of its own present.

    Attributes:
        present: (n,) ``world_SE3_ego``; an anchor where it is not valid gives no clip.
        times_ns: (n, 7) stamps of the whole past grid, the present last.
        past_steps: (n,) points known before the present without a gap, at most 6.
        future_steps: (n,) likewise after it, at most 10.
        xy_m: (n, 19, 2) positions from 4 s before to 5 s after.
        yaw_rad: (n, 19).
        velocity_mps: (n, 19, 2) backward differences in ego axes **of that instant**; NaN where
            the point before is not known.
        acceleration_mps2: (n, 19, 2) backward differences of those velocities, likewise.
        lost_ns: Stamps of the log's poses that could not be used.
    """

    present: Poses
    times_ns: Ints
    past_steps: Ints
    future_steps: Ints
    xy_m: Floats
    yaw_rad: Floats
    velocity_mps: Floats
    acceleration_mps2: Floats
    lost_ns: Ints

    def past(self, anchor: int) -> Trajectory:
        """Return what is known before one present, and the present."""
        steps = int(self.past_steps[anchor])
        return self._part(anchor, -steps, 0, PAST_T_S[PAST_STEPS - steps :])

    def future(self, anchor: int) -> Trajectory:
        """Return what is known after one present."""
        steps = int(self.future_steps[anchor])
        return self._part(anchor, 1, steps, FUTURE_T_S[:steps])

    def _part(self, anchor: int, first: int, last: int, t_s: Floats) -> Trajectory:
        part = slice(_NOW + first, _NOW + last + 1)
        return assembled(Trajectory, t_s, self.xy_m[anchor, part], self.yaw_rad[anchor, part])

    def statuses(
        self, motion: Floats | None = None, steering_rad: Floats | None = None
    ) -> list[tuple[EgoStatus | None, ...]]:
        """Return by present a status for each point of ``past``.

        It is the logged one, else backward differences; None where neither is known.

        Args:
            motion: (n, 7, 4) logged velocity x, y and acceleration x, y at ``times_ns`` in ego
                axes of each instant, NaN where nothing was logged; or None.
            steering_rad: (n, 7) logged steering wheel angle, likewise.
        """
        told = np.concatenate([self.velocity_mps, self.acceleration_mps2], axis=-1)
        told = told[:, _NOW - PAST_STEPS : _NOW + 1]
        logged = np.zeros(told.shape[:2], bool)
        if motion is not None:
            logged = ~np.isnan(motion).any(axis=-1)
            told = np.where(logged[..., None], motion, told)
        if steering_rad is None:
            steering_rad = np.full(logged.shape, np.nan)
        in_past = np.arange(-PAST_STEPS, 1) >= -self.past_steps[:, None]
        known = in_past & ~np.isnan(told[..., :2]).any(axis=-1)
        values = floats(told[known], None, 4, name="EgoStatus", holes=True)
        changing = (~np.isnan(values[:, 2:]).any(axis=-1)).tolist()
        steering = steering_rad[known].tolist()
        made = map(_status, values, changing, steering, logged[known].tolist())
        return [
            tuple(next(made) if one else None for one in row[PAST_STEPS - steps :])
            for row, steps in zip(known.tolist(), self.past_steps.tolist(), strict=True)
        ]


def _status(motion: Floats, changing: bool, steering_rad: float, logged: bool) -> EgoStatus:
    acceleration_mps2 = motion[2:] if changing else None
    steering = None if isnan(steering_rad) else steering_rad
    return assembled(EgoStatus, motion[:2], acceleration_mps2, steering, logged)


def windows(track: PoseTrack, anchors_ns: Ints, bodies: Ints | int = 0) -> Windows:
    """Resample the ego's track around all presents of a log at once.

    Args:
        track: The ego's.
        anchors_ns: (n,) presents.
        bodies: Of a track that is cut into several bodies, the one of each present, (n, 1).
    """
    times_ns = anchors_ns[:, None] + STEP_NS * _GRID
    world = track.at(times_ns, bodies)
    present = world[:, _NOW]
    ego = world.seen_from(world[:, _NOW, None])
    # Times that no gap parts from the present follow on one another.
    run = world.valid & track.unbroken(times_ns, anchors_ns[:, None], bodies)
    velocity = _backward(world.translations_m, run)
    acceleration = _backward(velocity, run & ~np.isnan(velocity[..., 0]))
    # The present is the origin exactly, whatever rounding says.
    is_now = _GRID == 0
    xy_m = np.where(is_now[:, None], 0.0, ego.translations_m[..., :2])
    yaw_rad = np.where(is_now, 0.0, yaws_rad(ego.rotations))
    return Windows(
        present=present,
        times_ns=times_ns[:, _NOW - PAST_STEPS : _NOW + 1],
        past_steps=np.minimum(run[:, :_NOW].sum(axis=1), PAST_STEPS),
        future_steps=run[:, _NOW + 1 :].sum(axis=1),
        xy_m=floats(xy_m, None, None, 2, name="Trajectory.xy_m"),
        yaw_rad=floats(yaw_rad, None, None, name="Trajectory.yaw_rad"),
        velocity_mps=_in_axes_of(world.rotations, velocity),
        acceleration_mps2=_in_axes_of(world.rotations, acceleration),
        lost_ns=track.lost_ns,
    )


def _backward(values: Floats, known: Bools) -> Floats:
    """Difference (n, k, 3) values with the step before; NaN where either is not known."""
    change = np.full_like(values, np.nan)
    both = known[:, 1:] & known[:, :-1]
    change[:, 1:] = np.where(both[..., None], np.diff(values, axis=1) / STEP_S, np.nan)
    return change


def _in_axes_of(rotations: Floats, vectors: Floats) -> Floats:
    """Turn world vectors (n, k, 3) into the axes of each instant, and keep x and y."""
    turned: Floats = (np.swapaxes(rotations, -1, -2) @ vectors[..., None])[..., :2, 0]
    return turned


@dataclass(frozen=True, slots=True, eq=False)
class Signal:
    """A sensor's messages, at least one, rising in time.

    Attributes:
        timestamps_ns: (n,).
        values: (n, k).
        max_age_ns: An older message says nothing about an instant.
    """

    timestamps_ns: Ints
    values: Floats
    max_age_ns: int

    def at(self, times_ns: Ints) -> Floats:
        """Return the latest message not later than each time, (..., k); NaN where too old."""
        row = np.searchsorted(self.timestamps_ns, times_ns, side="right") - 1
        known = (row >= 0) & (times_ns - self.timestamps_ns[row] <= self.max_age_ns)
        values: Floats = np.where(known[..., None], self.values[row], np.nan)
        return values
