"""Rigid motions of space and of the ground plane.

``dst_SE3_src`` takes coordinates in ``src`` to coordinates in ``dst``, so in a product the inner
names meet and cancel: ``world_SE3_ego @ ego_SE3_camera`` is ``world_SE3_camera``.
"""

from dataclasses import dataclass

import numpy as np

from impromptu.arrays import Bools, Floats, floats

_UNIT_TOLERANCE = 0.01


def wrap_rad(angle_rad: Floats | float) -> Floats:
    """Bring angles into (-pi, pi]."""
    wrapped: Floats = -np.remainder(np.pi - np.asarray(angle_rad, dtype=np.float64), 2 * np.pi)
    return wrapped + np.pi


def are_unit(quat_wxyz: Floats) -> Bools:
    """Tell which of (..., 4) quaternions are finite and within 1 % of unit length."""
    norm = np.linalg.norm(np.asarray(quat_wxyz, dtype=np.float64), axis=-1)
    unit: Bools = np.abs(norm - 1) <= _UNIT_TOLERANCE
    return unit


def rotations(quat_wxyz: Floats) -> Floats:
    """Turn (..., 4) quaternions, scalar first, into (..., 3, 3) rotation matrices.

    Raises:
        ValueError: A quaternion is not finite or its norm differs from 1 by more than 1 %; the
            message gives the first such row.
    """
    quat = np.asarray(quat_wxyz, dtype=np.float64)
    if (bad := ~are_unit(quat)).any():
        row = int(np.flatnonzero(bad.ravel())[0])
        value = quat.reshape(-1, 4)[row].tolist()
        raise ValueError(f"quaternion {row} is {value}; expected a unit quaternion (w, x, y, z)")
    w, x, y, z = np.moveaxis(quat / np.linalg.norm(quat, axis=-1, keepdims=True), -1, 0)
    return np.stack(
        [
            np.stack([1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)], axis=-1),
            np.stack([2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)], axis=-1),
            np.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], axis=-1),
        ],
        axis=-2,
    )


def yaws_rad(rotation: Floats) -> Floats:
    """Return headings of (..., 3, 3) rotations: where the body's x axis points from above."""
    heading: Floats = np.arctan2(rotation[..., 1, 0], rotation[..., 0, 0])
    return heading


def about_z(yaw_rad: Floats) -> Floats:
    """Return (..., 3, 3) rotations about the z axis, counter-clockwise, by (...) angles."""
    cos, sin, zero = np.cos(yaw_rad), np.sin(yaw_rad), np.zeros_like(yaw_rad)
    rows = [cos, -sin, zero, sin, cos, zero, zero, zero, zero + 1]
    rotation: Floats = np.stack(rows, axis=-1).reshape(*np.shape(yaw_rad), 3, 3)
    return rotation


def turned(points_m: Floats, yaw_rad: Floats) -> Floats:
    """Turn (..., 2) points about the origin, counter-clockwise, by (...) angles."""
    cos, sin = np.cos(yaw_rad), np.sin(yaw_rad)
    x, y = points_m[..., 0], points_m[..., 1]
    return np.stack([cos * x - sin * y, sin * x + cos * y], axis=-1)


@dataclass(frozen=True, slots=True, eq=False)
class SE3:
    """A rigid motion: rotate, then translate.

    Attributes:
        rotation: (3, 3) rotation matrix.
        translation_m: (3,) translation, in metres.
    """

    rotation: Floats
    translation_m: Floats

    def __post_init__(self) -> None:
        """Check shapes once, here, so that no later function need do so."""
        object.__setattr__(self, "rotation", floats(self.rotation, 3, 3, name="SE3.rotation"))
        object.__setattr__(
            self, "translation_m", floats(self.translation_m, 3, name="SE3.translation_m")
        )

    def __matmul__(self, other: "SE3") -> "SE3":
        """Compose: ``a_SE3_b @ b_SE3_c`` is ``a_SE3_c``."""
        return SE3(self.rotation @ other.rotation, self.transform(other.translation_m))

    def inverse(self) -> "SE3":
        """Swap source and destination."""
        return SE3(self.rotation.T, -self.rotation.T @ self.translation_m)

    def transform(self, points_m: Floats) -> Floats:
        """Take (..., 3) points from source to destination coordinates."""
        moved: Floats = points_m @ self.rotation.T + self.translation_m
        return moved


@dataclass(frozen=True, slots=True, eq=False)
class SE2:
    """A rigid motion of the ground plane: turn, then move.

    Attributes:
        yaw_rad: Counter-clockwise turn, in radians.
        translation_m: (2,) translation, in metres.
    """

    yaw_rad: float
    translation_m: Floats

    def __post_init__(self) -> None:
        """Check shapes and values."""
        object.__setattr__(self, "yaw_rad", float(floats(self.yaw_rad, name="SE2.yaw_rad")))
        object.__setattr__(
            self, "translation_m", floats(self.translation_m, 2, name="SE2.translation_m")
        )

    @property
    def rotation(self) -> Floats:
        """The (2, 2) rotation matrix."""
        cos, sin = np.cos(self.yaw_rad), np.sin(self.yaw_rad)
        return np.array([[cos, -sin], [sin, cos]])

    def __matmul__(self, other: "SE2") -> "SE2":
        """Compose: ``a_SE2_b @ b_SE2_c`` is ``a_SE2_c``."""
        return SE2(self.yaw_rad + other.yaw_rad, self.transform(other.translation_m))

    def inverse(self) -> "SE2":
        """Swap source and destination."""
        return SE2(-self.yaw_rad, -self.rotation.T @ self.translation_m)

    def transform(self, points_m: Floats) -> Floats:
        """Take (..., 2) points from source to destination coordinates."""
        moved: Floats = points_m @ self.rotation.T + self.translation_m
        return moved
