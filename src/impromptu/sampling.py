"""Resample poses by their own stamps onto the 2 Hz grid of a clip, never across a gap.

Stamps are integer nanoseconds and poses float64 from end to end: a pose only becomes numbers near
zero after it has been put in the frame of the present.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from impromptu.arrays import Bools, Floats, Ints
from impromptu.clip import STEP_S, EgoStatus, Trajectory
from impromptu.geometry import SE3, are_unit, rotations, yaws_rad

PAST_STEPS = 6
"""A clip shows at most 3 s before the present."""
FUTURE_STEPS = 10
"""A clip knows at most 5 s after the present."""
STEP_NS = round(STEP_S * 1e9)
PAST_T_S = STEP_S * np.arange(-PAST_STEPS, 1)
FUTURE_T_S = STEP_S * np.arange(1, FUTURE_STEPS + 1)
# Two backward differences of the oldest shown point reach two steps further back.
_GRID = np.arange(-PAST_STEPS - 2, FUTURE_STEPS + 1)
_NOW = PAST_STEPS + 2


@dataclass(frozen=True, slots=True, eq=False)
class Poses:
    """Poses at asked times; where ``valid`` is false the rest means nothing.

    Attributes:
        rotations: (..., 3, 3) body to world.
        translations_m: (..., 3) in the world.
        valid: (...) whether the track holds that time.
    """

    rotations: Floats
    translations_m: Floats
    valid: Bools

    def __getitem__(self, index: Any) -> "Poses":
        """Return a part, by any numpy index of the leading axes."""
        return Poses(self.rotations[index], self.translations_m[index], self.valid[index])

    def se3(self) -> SE3:
        """Return one pose as ``world_SE3_body``."""
        return SE3(self.rotations, self.translations_m)

    def __matmul__(self, other: "Poses") -> "Poses":
        """Compose pose by pose: ``a_SE3_b @ b_SE3_c`` is ``a_SE3_c``."""
        turned_m = (self.rotations @ other.translations_m[..., None])[..., 0]
        return Poses(
            self.rotations @ other.rotations,
            self.translations_m + turned_m,
            self.valid & other.valid,
        )

    def seen_from(self, base: "Poses") -> "Poses":
        """Express these poses in the frames of others of broadcastable shape, in full SE3."""
        into = np.swapaxes(base.rotations, -1, -2)
        offset_m = self.translations_m - base.translations_m
        moved_m = (into @ offset_m[..., None])[..., 0]
        return Poses(into @ self.rotations, moved_m, self.valid & base.valid)


@dataclass(frozen=True, slots=True, eq=False)
class PoseTrack:
    """Poses of one body, or of several told apart by ``bodies``, in one world frame.

    Between two poses of a body that are no further apart than ``max_gap_ns``, position is linear
    and rotation is slerp. Nothing is known in a wider gap.

    Attributes:
        timestamps_ns: (n,) rising within each body.
        rotations: (n, 3, 3) body to world.
        translations_m: (n, 3).
        edge_ns: How far beyond a body's first or last pose its nearest interval is continued;
            for keyframes, whose last one may come a little before the time asked for.
        bodies: (n,) which body each pose is of, from 0 without holes, never falling; all 0 if
            left out.
    """

    timestamps_ns: Ints
    rotations: Floats
    translations_m: Floats
    max_gap_ns: int
    edge_ns: int = 0
    bodies: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    _keys: Ints = field(init=False, repr=False)
    _first: Ints = field(init=False, repr=False)
    _interval_ns: Ints = field(init=False, repr=False)
    _runs: Ints = field(init=False, repr=False)
    _turn: tuple[Floats, Floats] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Check the order of stamps, and prepare what every query needs.

        Raises:
            ValueError: The track is empty or its stamps do not rise.
        """
        if not len(self.timestamps_ns):
            raise ValueError("no usable pose")
        if not len(self.bodies):
            object.__setattr__(self, "bodies", np.zeros(len(self.timestamps_ns), np.int64))
        interval_ns = np.append(np.diff(self.timestamps_ns), 0)
        interval_ns[np.append(np.diff(self.bodies) != 0, True)] = 0
        object.__setattr__(self, "_keys", self._key(self.bodies, self.timestamps_ns))
        if (wrong := np.flatnonzero(np.diff(self._keys) <= 0)).size:
            first = int(self.timestamps_ns[wrong[0] + 1])
            raise ValueError(f"stamps must rise; {first} ns comes after one not earlier")
        bodies = np.arange(self.bodies[-1] + 2)
        object.__setattr__(self, "_first", np.searchsorted(self.bodies, bodies))
        object.__setattr__(self, "_interval_ns", interval_ns)
        breaks = (interval_ns == 0) | (interval_ns > self.max_gap_ns)
        object.__setattr__(self, "_runs", np.append(0, np.cumsum(breaks)[:-1]))
        object.__setattr__(self, "_turn", _turns(self.rotations, interval_ns))

    def _key(self, bodies: Ints | int, times_ns: Ints) -> Ints:
        """Number (body, time) pairs so that one sorted search serves all bodies."""
        start, end = int(self.timestamps_ns.min()), int(self.timestamps_ns.max())
        margin = self.edge_ns + 1
        offset = np.clip(times_ns - start, -margin, end - start + margin)
        key: Ints = bodies * (end - start + 2 * margin + 1) + offset
        return key

    def at(self, times_ns: Ints, bodies: Ints | int = 0) -> Poses:
        """Interpolate at times, of bodies that broadcast against them."""
        times_ns, bodies = np.broadcast_arrays(times_ns, bodies)
        row, first, last = (
            self._row(times_ns, bodies),
            self._first[bodies],
            self._first[bodies + 1] - 1,
        )
        exact = self.timestamps_ns[row] == times_ns
        # Beyond the last pose its last interval is the one to continue.
        base = np.where(exact, row, np.minimum(row, np.maximum(first, last - 1)))
        after_ns, interval_ns = times_ns - self.timestamps_ns[base], self._interval_ns[base]
        beyond_ns = np.maximum(-after_ns, after_ns - interval_ns)
        known = (interval_ns > 0) & (interval_ns <= self.max_gap_ns) & (beyond_ns <= self.edge_ns)
        share = np.where(known & ~exact, after_ns / np.maximum(interval_ns, 1), 0.0)
        return Poses(self._rotated(base, share), self._moved(base, share), exact | known)

    def unbroken(self, times_ns: Ints, since_ns: Ints, bodies: Ints | int = 0) -> Bools:
        """Tell whether no gap lies between valid times and others, both of one body."""
        first, second = (self._runs[self._row(end_ns, bodies)] for end_ns in (times_ns, since_ns))
        same: Bools = first == second
        return same

    def _row(self, times_ns: Ints, bodies: Ints | int) -> Ints:
        """Find the body's last pose not later than each time, or its first."""
        row = np.searchsorted(self._keys, self._key(bodies, times_ns), side="right") - 1
        found: Ints = np.maximum(row, self._first[bodies])
        return found

    def _moved(self, base: Ints, share: Floats) -> Floats:
        start_m = self.translations_m[base]
        step_m = self.translations_m[np.minimum(base + 1, len(self.timestamps_ns) - 1)] - start_m
        moved: Floats = start_m + share[..., None] * step_m
        return moved

    def _rotated(self, base: Ints, share: Floats) -> Floats:
        """Turn by a share of the interval's angle about its axis (Rodrigues' formula)."""
        angle_rad, axis = self._turn
        angle, cross = (share * angle_rad[base])[..., None, None], axis[base]
        turn = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * (cross @ cross)
        rotated: Floats = self.rotations[base] @ turn
        return rotated


def _turns(rotations: Floats, interval_ns: Ints) -> tuple[Floats, Floats]:
    """Return each interval's angle (n,) and its axis as a cross-product matrix (n, 3, 3)."""
    following = np.concatenate([rotations[1:], rotations[-1:]])
    vector = Rotation.from_matrix(np.swapaxes(rotations, -1, -2) @ following).as_rotvec()
    angle_rad = np.where(interval_ns > 0, np.linalg.norm(vector, axis=-1), 0.0)
    x, y, z = np.moveaxis(vector / np.maximum(angle_rad, 1e-12)[:, None], -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(-1, 3, 3)
    return angle_rad, cross


def poses(quat_wxyz_xyz: Floats) -> Poses:
    """Turn (..., 7) rows qw, qx, qy, qz, x, y, z into poses.

    A row that is not finite or whose quaternion is not of unit length is not valid.
    """
    valid = are_unit(quat_wxyz_xyz[..., :4]) & np.isfinite(quat_wxyz_xyz[..., 4:]).all(axis=-1)
    rows = np.where(valid[..., None], quat_wxyz_xyz, [1.0, 0, 0, 0, 0, 0, 0])
    return Poses(rotations(rows[..., :4]), rows[..., 4:], valid)


def pose_track(
    timestamps_ns: Ints, rows: Poses, name: str, *, max_gap_ns: int, edge_ns: int = 0
) -> PoseTrack:
    """Make a track of (n,) poses in any order: those not valid are left out.

    Raises:
        ValueError: No pose is valid, or two of one stamp disagree; the message begins with
            ``name``. Of two that agree one is kept.
    """
    order = np.argsort(timestamps_ns, kind="stable")
    order = order[rows.valid[order]]
    if not order.size:
        raise ValueError(f"{name}: {len(timestamps_ns)} poses, none usable; download it again")
    stamps, body = timestamps_ns[order], rows[order]
    again = np.diff(stamps) == 0
    moved = np.diff(body.translations_m, axis=0).any(axis=-1)
    turned = np.diff(body.rotations, axis=0).any(axis=(-1, -2))
    if (clash := np.flatnonzero(again & (moved | turned))).size:
        first, second = sorted(order[clash[0] : clash[0] + 2] + 1)
        raise ValueError(
            f"{name}: rows {first} and {second} have one stamp, {stamps[clash[0]]} ns, and "
            "different poses; expected one pose a stamp: download it again"
        )
    kept = np.append(True, ~again)
    stamps, body = stamps[kept], body[kept]
    return PoseTrack(stamps, body.rotations, body.translations_m, max_gap_ns, edge_ns)


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
    """

    present: Poses
    times_ns: Ints
    past_steps: Ints
    future_steps: Ints
    xy_m: Floats
    yaw_rad: Floats
    velocity_mps: Floats
    acceleration_mps2: Floats

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
        return Trajectory(t_s, self.xy_m[anchor, part], self.yaw_rad[anchor, part])

    def statuses(
        self, anchor: int, motion: Floats | None = None, steering_rad: Floats | None = None
    ) -> tuple[EgoStatus | None, ...]:
        """Return a status for each point of ``past``: the logged one, else backward differences.

        Args:
            anchor: Which present.
            motion: (n, 7, 4) logged velocity x, y and acceleration x, y at ``times_ns`` in ego
                axes of each instant, NaN where nothing was logged; or None.
            steering_rad: (n, 7) logged steering wheel angle, likewise.
        """
        logged = np.full((PAST_STEPS + 1, 5), np.nan)
        if motion is not None:
            logged[:, :4] = motion[anchor]
        if steering_rad is not None:
            logged[:, 4] = steering_rad[anchor]
        first = PAST_STEPS - int(self.past_steps[anchor])
        return tuple(self._status(anchor, step, logged[step]) for step in range(first, len(logged)))

    def _status(self, anchor: int, step: int, logged: Floats) -> EgoStatus | None:
        steering = None if np.isnan(logged[4]) else float(logged[4])
        if not np.isnan(logged[:4]).any():
            return EgoStatus(logged[:2], logged[2:4], steering)
        velocity = self.velocity_mps[anchor, step + _NOW - PAST_STEPS]
        acceleration = self.acceleration_mps2[anchor, step + _NOW - PAST_STEPS]
        if np.isnan(velocity).any():
            return None
        known = None if np.isnan(acceleration).any() else acceleration
        return EgoStatus(velocity, known, steering, logged=False)


def windows(track: PoseTrack, anchors_ns: Ints) -> Windows:
    """Resample the ego's track around all presents of a log at once."""
    times_ns = anchors_ns[:, None] + STEP_NS * _GRID
    world = track.at(times_ns)
    present = world[:, _NOW]
    ego = world.seen_from(world[:, _NOW, None])
    # Times that no gap parts from the present follow on one another.
    run = world.valid & track.unbroken(times_ns, anchors_ns[:, None])
    velocity = _backward(world.translations_m, run)
    acceleration = _backward(velocity, run & ~np.isnan(velocity[..., 0]))
    return Windows(
        present=present,
        times_ns=times_ns[:, _NOW - PAST_STEPS : _NOW + 1],
        past_steps=np.minimum(run[:, :_NOW].sum(axis=1), PAST_STEPS),
        future_steps=run[:, _NOW + 1 :].sum(axis=1),
        # The present is the origin exactly, whatever rounding says.
        xy_m=np.where((_GRID == 0)[:, None], 0.0, ego.translations_m[..., :2]),
        yaw_rad=np.where(_GRID == 0, 0.0, yaws_rad(ego.rotations)),
        velocity_mps=_in_axes_of(world.rotations, velocity),
        acceleration_mps2=_in_axes_of(world.rotations, acceleration),
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
