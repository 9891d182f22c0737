"""When two boxes on the ground first touch: the separating axis theorem, many boxes at once."""

import numpy as np

from impromptu.arrays import Bools, Floats
from impromptu.geometry import turned, wrap_rad

EGO_M = (4.018, 1.85)
"""Length and width of the ego's box, as NeuroNCAP has them."""
AHEAD_M = 0.5
"""From the rear axle to its middle."""
SUBSTEPS = 10
"""Looks at a half second."""


def ego_boxes(rear_axle: Floats) -> Floats:
    """Return (..., 5) boxes x, y, yaw, length, width of the ego at (..., 3) rear-axle poses."""
    ahead = np.stack([np.cos(rear_axle[..., 2]), np.sin(rear_axle[..., 2])], axis=-1)
    size = np.broadcast_to(EGO_M, ahead.shape)
    return np.concatenate(
        [rear_axle[..., :2] + AHEAD_M * ahead, rear_axle[..., 2:3], size], axis=-1
    )


def overlap(one: Floats, other: Floats) -> Bools:
    """Tell which of (..., 5) boxes x, y, yaw, length, width touch; the shapes broadcast.

    Two rectangles are apart if and only if they are so along a side of one of them.
    """
    return ~(_apart(one, other) | _apart(other, one))


def _apart(one: Floats, other: Floats) -> Bools:
    """Tell whether boxes are apart along the sides of ``one``."""
    middle = turned(other[..., :2] - one[..., :2], -one[..., 2])
    cos, sin = (np.abs(f(other[..., 2] - one[..., 2])) for f in (np.cos, np.sin))
    length, width = other[..., 3], other[..., 4]
    reach = np.stack([cos * length + sin * width, sin * length + cos * width], axis=-1)
    gap: Bools = (np.abs(middle) > (one[..., 3:] + reach) / 2).any(axis=-1)
    return gap


def between(first: Floats, last: Floats, substeps: int = SUBSTEPS) -> Floats:
    """Return (n, substeps, 3) poses on the way from (n, 3) poses to others, these included."""
    share = np.arange(1, substeps + 1)[:, None] / substeps
    change = last - first
    change = np.concatenate([change[:, :2], wrap_rad(change[:, 2:])], axis=-1)
    return first[:, None] + share * change[:, None]
