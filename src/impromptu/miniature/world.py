"""The world at any instant: the ego, the bodies around it, and the traffic lights."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from impromptu.arrays import Floats
from impromptu.geometry import SE3
from impromptu.miniature import road
from impromptu.miniature.motion import Motion

Shape = Literal["car", "van", "truck", "bus", "pedestrian", "cyclist"]
Colour = tuple[int, int, int]
Light = Literal["green", "yellow", "red"]

SIZES_M: dict[Shape, tuple[float, float, float]] = {
    "car": (4.5, 1.85, 1.52),
    "van": (5.1, 1.95, 2.15),
    "truck": (7.8, 2.45, 3.2),
    "bus": (11.0, 2.55, 3.1),
    "pedestrian": (0.55, 0.62, 1.74),
    "cyclist": (1.8, 0.62, 1.72),
}
"""Length, width and height."""
EGO_SIZE_M = (4.6, 1.9, 1.6)
EGO_AXLE_TO_CENTRE_M = 1.35
WHEELBASE_M = 2.7
STEERING_RATIO = 16.0
"""Steering wheel angle over road wheel angle."""
GRAVITY_MPS2 = 9.81

_PITCH_PER_MPS2, _ROLL_PER_MPS2 = -0.004, 0.005
"""How a soft suspension leans: nose down in braking, outwards in bends (radians)."""
_STEP_S = 1e-3


@dataclass(frozen=True, slots=True)
class Body:
    """A road user other than the ego; its motion is that of the middle of its box."""

    shape: Shape
    colour: Colour
    motion: Motion
    parked: bool = False

    @property
    def size_m(self) -> tuple[float, float, float]:
        """Length, width, height."""
        return SIZES_M[self.shape]


@dataclass(frozen=True, slots=True)
class Lights:
    """The junction's traffic lights: for either street, when each colour begins.

    Attributes:
        main, side: (time in seconds, colour), rising from time zero.
    """

    main: Sequence[tuple[float, Light]] = ((0.0, "green"),)
    side: Sequence[tuple[float, Light]] = ((0.0, "red"),)

    def colours(self, t_s: float) -> tuple[Light, Light]:
        """Return what the main and the side street see; before time zero, the first colour."""
        main, side = (
            [light for start_s, light in program if start_s <= t_s] or [program[0][1]]
            for program in (self.main, self.side)
        )
        return main[-1], side[-1]


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """Upright boxes at (n,) instants, one column for each of m bodies, in the world frame.

    Attributes:
        centre_m: (n, m, 3).
        yaw_rad: (n, m).
        speed_mps: (n, m).
        size_m: (m, 3) length, width, height.
    """

    centre_m: Floats
    yaw_rad: Floats
    speed_mps: Floats
    size_m: Floats


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """One drive.

    Attributes:
        story: What the ego does, for people.
        ego: Motion of the middle of its rear axle.
    """

    story: str
    ego: Motion
    bodies: tuple[Body, ...]
    lights: Lights

    def ego_poses(self, t_s: Floats) -> tuple[Floats, Floats]:
        """Return (n, 3, 3) rotations and (n, 3) positions of the ego frame in the world.

        The frame sits on the ground below the rear axle, x forward, y left, z up; it follows the
        ground's slope, and leans with acceleration.
        """
        t_s = np.asarray(t_s, dtype=np.float64)
        xy, heading = self.ego.xy_heading(t_s)
        ahead = np.stack([np.cos(heading), np.sin(heading)], axis=-1)
        slope = road.slope(xy)
        forward = _unit(np.column_stack([ahead, (slope * ahead).sum(-1)]))
        up = _unit(np.column_stack([-slope, np.ones(len(xy))]))
        ground = np.stack([forward, np.cross(up, forward), up], axis=-1)
        return ground @ self._lean(t_s), np.column_stack([xy, road.height_m(xy)])

    def _lean(self, t_s: Floats) -> Floats:
        """Return (n, 3, 3) rotations of the body on its suspension."""
        speed = self.ego.pace.speed_mps
        braking = (speed(t_s + _STEP_S) - speed(t_s - _STEP_S)) / (2 * _STEP_S)
        pitch = _PITCH_PER_MPS2 * braking
        roll = _ROLL_PER_MPS2 * speed(t_s) ** 2 * self.curvature_per_m(t_s)
        zero, one = np.zeros_like(pitch), np.ones_like(pitch)
        cos, sin = np.cos(pitch), np.sin(pitch)
        pitched = np.array([[cos, zero, sin], [zero, one, zero], [-sin, zero, cos]])
        cos, sin = np.cos(roll), np.sin(roll)
        rolled = np.array([[one, zero, zero], [zero, cos, -sin], [zero, sin, cos]])
        leaned: Floats = np.moveaxis(pitched, -1, 0) @ np.moveaxis(rolled, -1, 0)
        return leaned

    def world_SE3_egos(self, t_s: Floats) -> list[SE3]:
        """Return the ego's pose at each of (n,) times."""
        return [SE3(*pose) for pose in zip(*self.ego_poses(t_s), strict=True)]

    def curvature_per_m(self, t_s: Floats) -> Floats:
        """Return the track's curvature under the rear axle, left positive."""
        along_m, track, step_m = self.ego.pace.travelled_m(t_s), self.ego.track, _STEP_S
        turned = track.heading(along_m + step_m) - track.heading(along_m - step_m)
        curvature: Floats = turned / (2 * step_m)
        return curvature

    def steering_wheel_rad(self, t_s: Floats) -> Floats:
        """Return the steering wheel's angle, left positive, of a kinematic bicycle."""
        angle: Floats = STEERING_RATIO * np.arctan(WHEELBASE_M * self.curvature_per_m(t_s))
        return angle

    def ego_kinematics(
        self, t_s: Floats, arm_m: Sequence[float] = (0, 0, 0)
    ) -> tuple[Floats, Floats, Floats]:
        """Return (n, 3) velocity, acceleration and turning rate, all in world axes.

        Second-order central differences over 1 ms of the analytic pose: their error, some
        1e-6 in SI units, is far below any sensor's.

        Args:
            t_s: (n,) times.
            arm_m: The point of the vehicle that is asked about, in the ego frame.
        """
        (r0, p0), (r1, p1), (r2, p2) = (self.ego_poses(t_s + d) for d in (-_STEP_S, 0.0, _STEP_S))
        p0, p1, p2 = (p + r @ np.asarray(arm_m) for r, p in ((r0, p0), (r1, p1), (r2, p2)))
        velocity = (p2 - p0) / (2 * _STEP_S)
        acceleration = (p2 - 2 * p1 + p0) / _STEP_S**2
        spin = (r2 - r0) / (2 * _STEP_S) @ np.swapaxes(r1, 1, 2)
        rate = np.stack([spin[:, 2, 1], spin[:, 0, 2], spin[:, 1, 0]], axis=-1)
        return velocity, acceleration, rate

    def boxes(self, t_s: Floats) -> Boxes:
        """Return where every body is at each of (n,) times."""
        t_s = np.asarray(t_s, dtype=np.float64)
        size_m = np.array([body.size_m for body in self.bodies]).reshape(-1, 3)
        centre_m = np.empty((len(t_s), len(size_m), 3))
        yaw_rad, speed_mps = np.empty(centre_m.shape[:2]), np.empty(centre_m.shape[:2])
        for column, body in enumerate(self.bodies):
            when_s = t_s[:1] if body.parked else t_s
            centre_m[:, column, :2], yaw_rad[:, column] = body.motion.xy_heading(when_s)
            speed_mps[:, column] = body.motion.pace.speed_mps(when_s)
        centre_m[..., 2] = road.height_m(centre_m[..., :2]) + size_m[:, 2] / 2
        return Boxes(centre_m, yaw_rad, speed_mps, size_m)


def _unit(vectors: Floats) -> Floats:
    """Scale (..., 3) vectors to length 1."""
    scaled: Floats = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return scaled


def axes(yaw_rad: Floats) -> Floats:
    """Return (..., 3, 3) rotations about the vertical."""
    cos, sin, zero, one = np.cos(yaw_rad), np.sin(yaw_rad), 0 * yaw_rad, 1 + 0 * yaw_rad
    rows = [[cos, -sin, zero], [sin, cos, zero], [zero, zero, one]]
    return np.moveaxis(np.array(rows), (0, 1), (-2, -1))
