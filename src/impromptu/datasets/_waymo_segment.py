"""One Waymo segment, whichever release it was read from: frames, labels, cameras, images."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from impromptu.arrays import Floats, Ints
from impromptu.clip import PackedImage
from impromptu.geometry import SE3
from impromptu.poses import Poses

_RIGID_TOLERANCE = 0.01
LAST_US = 2**62 // 1000
"""No stamp is later."""
FARTHEST_M = 1e7
"""A number larger than this is no place on earth, but damage."""
WAYMO_SE3_CAMERA = SE3(np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]]), np.zeros(3))
"""Waymo's camera axes are x forward, y left, z up."""


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """Boxes in the vehicle frames of their instants, a row a box.

    Attributes:
        stamps_ns: (m,).
        ids: Track of each.
        types: (m,) numbers of ``Label.Type``.
        boxes: (m, 7) centre x, y, z, length, width, height, heading; NaN where not given.
        points: (m,) lidar points within.
    """

    stamps_ns: Ints
    ids: Sequence[str]
    types: Ints
    boxes: Floats
    points: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """A camera's (width, height), its (3, 3) pinhole matrix, and its pose; not valid if damaged."""

    size_px: tuple[int, int]
    intrinsics_px: Floats
    ego_SE3_camera: Poses


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """One JPEG inside a segment's file.

    Attributes:
        packed: How to get at it.
        world_SE3_ego: The vehicle at the middle of its exposure; not valid where not logged.
    """

    packed: PackedImage
    world_SE3_ego: Poses


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """A segment, a row a frame, in the file's order.

    Attributes:
        stamps_ns: (n,).
        world_SE3_ego: (n,).
        labels: Of all frames.
        calibrations: By ``CameraName`` number.
        images: Finds the images of some frames by their stamps: those of each, if it has any, by
            ``CameraName`` number.
        tags: ``location``, ``time_of_day`` and ``weather``, as far as told.
        name: As the release calls it, whatever its file is called; empty where not told.
    """

    stamps_ns: Ints
    world_SE3_ego: Poses
    labels: Labels
    calibrations: Mapping[int, Calibration]
    images: Callable[[Ints], Sequence[Mapping[int, Image]]]
    tags: Mapping[str, str] = field(default_factory=dict)
    name: str = ""


def rigid(transforms: Floats) -> Poses:
    """Turn (..., 16) row-major 4 by 4 matrices into poses; not valid where they are no motion."""
    matrix = transforms.reshape(*transforms.shape[:-1], 4, 4)
    rotation, bottom = matrix[..., :3, :3], matrix[..., 3, :]
    with np.errstate(invalid="ignore", over="ignore"):
        skew = np.abs(rotation @ np.swapaxes(rotation, -1, -2) - np.eye(3)).max(axis=(-1, -2))
        upright = np.linalg.det(rotation) > 0
        whole = (np.abs(matrix) <= FARTHEST_M).all(axis=(-1, -2)) & (bottom == [0, 0, 0, 1]).all(-1)
    valid = whole & upright & (skew <= _RIGID_TOLERANCE)
    sound = np.where(valid[..., None, None], matrix, np.eye(4))
    return Poses(sound[..., :3, :3], sound[..., :3, 3], valid)


def pinhole(focal_u: float, focal_v: float, centre_u: float, centre_v: float) -> Floats:
    """Return the (3, 3) matrix of a camera, in pixels; its distortion is left out."""
    return np.array([[focal_u, 0.0, centre_u], [0.0, focal_v, centre_v], [0.0, 0.0, 1.0]])


def camera_pose(extrinsic: Floats) -> Poses:
    """Turn a (16,) extrinsic into ``ego_SE3_camera``, camera axes x right, y down, z forward."""
    turn = WAYMO_SE3_CAMERA
    return rigid(extrinsic) @ Poses(turn.rotation, turn.translation_m, np.array(True))
