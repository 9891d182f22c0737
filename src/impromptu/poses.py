"""Poses of moving bodies by their own stamps, interpolated between but never across a gap.

Stamps are integer nanoseconds and poses float64 from end to end: a pose only becomes numbers near
zero after it has been put in the frame of another.
"""

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from impromptu.arrays import Bools, Floats, Ints, assembled, floats
from impromptu.geometry import SE2, SE3, are_unit, rotations, yaws_rad

MAX_POSITION_M = 1e8
"""No map's origin is further away: the earth is 4e7 m around."""
MAX_SPEED_MPS, MAX_JUMP_M = 150.0, 20.0
"""No car is faster; between two poses its place may be corrected by so much besides."""


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

    def se3s(self) -> list[SE3]:
        """Return each of (n,) poses likewise; where ``valid`` is false it means nothing."""
        turns = floats(self.rotations, None, 3, 3, name="SE3.rotation")
        moves_m = floats(self.translations_m, None, 3, name="SE3.translation_m")
        return list(map(partial(assembled, SE3), turns, moves_m))

    def se2s(self) -> list[SE2]:
        """Return each as ``world_SE2_body``, seen from above."""
        moves_m = floats(self.translations_m[:, :2], None, 2, name="SE2.translation_m")
        return list(map(partial(assembled, SE2), yaws_rad(self.rotations).tolist(), moves_m))

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
        lost_ns: Stamps of poses that could not be used, and are not here.
    """

    timestamps_ns: Ints
    rotations: Floats
    translations_m: Floats
    max_gap_ns: int
    edge_ns: int = 0
    bodies: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    lost_ns: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    _keys: Ints = field(init=False, repr=False)
    _first: Ints = field(init=False, repr=False)
    _interval_ns: Ints = field(init=False, repr=False)
    _runs: Ints = field(init=False, repr=False)

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

    def _key(self, bodies: Ints | int, times_ns: Ints) -> Ints:
        """Number (body, time) pairs so that one sorted search serves all bodies."""
        start, end = int(self.timestamps_ns.min()), int(self.timestamps_ns.max())
        margin = self.edge_ns + 1
        offset = np.clip(times_ns - start, -margin, end - start + margin)
        key: Ints = bodies * (end - start + 2 * margin + 1) + offset
        return key

    def at(self, times_ns: Ints, bodies: Ints | int = 0) -> Poses:
        """Interpolate at times, of bodies that broadcast against them."""
        base, share, known = self._between(times_ns, bodies)
        return Poses(self._rotated(base, share), self._moved(base, share), known)

    def positions_m(self, times_ns: Ints, bodies: Ints | int = 0) -> Floats:
        """Interpolate places alone, (..., 3); those at times not known mean nothing."""
        base, share, _ = self._between(times_ns, bodies)
        return self._moved(base, share)

    def _between(self, times_ns: Ints, bodies: Ints | int) -> tuple[Ints, Floats, Bools]:
        """Return the pose before each time, the share of its interval, and whether it is known."""
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
        return base, share, exact | known

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
        """Turn by a share of the interval's angle about its axis (Rodrigues' formula).

        Most times asked for are those of poses; of the other intervals each is looked at once.
        """
        rotated, between = np.take(self.rotations, base, axis=0), share != 0
        asked = np.zeros(len(self.timestamps_ns), dtype=bool)
        asked[base[between]] = True
        if (starts := np.flatnonzero(asked)).size:
            angle_rad, once, twice = _turns(self.rotations[starts], self.rotations[starts + 1])
            which = (np.cumsum(asked) - 1)[base[between]]
            angle = (share[between] * angle_rad[which])[:, None, None]
            turned = rotated[between] + np.sin(angle) * once[which]
            rotated[between] = turned + (1 - np.cos(angle)) * twice[which]
        return rotated


def _turns(rotations: Floats, following: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the angle between (n, 3, 3) rotations (n,), and the first times K and K K (n, 3, 3).

    K is the cross-product matrix of the axis that is turned about.
    """
    vector = Rotation.from_matrix(np.swapaxes(rotations, -1, -2) @ following).as_rotvec()
    angle_rad = np.linalg.norm(vector, axis=-1)
    x, y, z = np.moveaxis(vector / np.maximum(angle_rad, 1e-12)[:, None], -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(-1, 3, 3)
    once = rotations @ cross
    return angle_rad, once, once @ cross


def poses(quat_wxyz_xyz: Floats, within_m: float = MAX_POSITION_M) -> Poses:
    """Turn (..., 7) rows qw, qx, qy, qz, x, y, z into poses.

    A row is not valid that has a number which is not finite, a quaternion not of unit length, or
    a coordinate of ``within_m`` or more.
    """
    with np.errstate(over="ignore"):
        unit = are_unit(quat_wxyz_xyz[..., :4])
    valid = unit & (np.abs(quat_wxyz_xyz[..., 4:]) < within_m).all(axis=-1)
    rows = np.where(valid[..., None], quat_wxyz_xyz, [1.0, 0, 0, 0, 0, 0, 0])
    return Poses(rotations(rows[..., :4]), rows[..., 4:], valid)


def pose_track(
    timestamps_ns: Ints, rows: Poses, name: str, *, max_gap_ns: int, edge_ns: int = 0
) -> PoseTrack:
    """Make the track of a car from (n,) poses in any order: those not valid are left out.

    Raises:
        ValueError: No pose is valid, two of one stamp disagree, or a position is too far away or
            too far from the one before; the message begins with ``name``. Of two equal poses of
            one stamp one is kept.
    """
    order = np.argsort(timestamps_ns, kind="stable")
    order = order[rows.valid[order]]
    if not order.size:
        raise ValueError(f"{name}: {len(timestamps_ns)} poses, none usable; download it again")
    stamps, body = timestamps_ns[order], rows[order]
    if (far := np.flatnonzero((np.abs(body.translations_m) >= MAX_POSITION_M).any(axis=-1))).size:
        raise ValueError(
            f"{name}: row {order[far[0]] + 1}, {stamps[far[0]]} ns: position "
            f"{body.translations_m[far[0]].tolist()} m; expected less than {MAX_POSITION_M:g} m: "
            "download it again"
        )
    kept = _first_of_each_stamp(stamps, body, order, name)
    stamps, body, order = stamps[kept], body[kept], order[kept]
    _no_jump(stamps, body, order, name)
    lost_ns = np.sort(timestamps_ns[~rows.valid])
    return PoseTrack(
        stamps, body.rotations, body.translations_m, max_gap_ns, edge_ns, lost_ns=lost_ns
    )


def _first_of_each_stamp(stamps_ns: Ints, body: Poses, order: Ints, name: str) -> Bools:
    again = np.diff(stamps_ns) == 0
    moved = np.diff(body.translations_m, axis=0).any(axis=-1)
    turned = np.diff(body.rotations, axis=0).any(axis=(-1, -2))
    if (clash := np.flatnonzero(again & (moved | turned))).size:
        first, second = sorted(order[clash[0] : clash[0] + 2] + 1)
        raise ValueError(
            f"{name}: rows {first} and {second} have one stamp, {stamps_ns[clash[0]]} ns, and "
            "different poses; expected one pose a stamp: download it again"
        )
    return np.append(True, ~again)


def _no_jump(stamps_ns: Ints, body: Poses, order: Ints, name: str) -> None:
    step_m = np.linalg.norm(np.diff(body.translations_m, axis=0), axis=-1)
    limit_m = MAX_JUMP_M + MAX_SPEED_MPS * np.diff(stamps_ns) / 1e9
    if (jump := np.flatnonzero(step_m > limit_m)).size:
        at = jump[0]
        raise ValueError(
            f"{name}: from row {order[at] + 1} to row {order[at + 1] + 1} the position jumps by "
            f"{step_m[at]:.0f} m in {(stamps_ns[at + 1] - stamps_ns[at]) / 1e9:.3f} s; expected "
            f"at most {limit_m[at]:.0f} m: download it again, or take the log away"
        )
