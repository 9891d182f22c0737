"""Boxes given as seven numbers in a sensor's frame, and rigid motions given as matrices."""

from collections.abc import Sequence

import numpy as np

from impromptu.arrays import Floats, Ints
from impromptu.clip import Kind
from impromptu.datasets._boxes import Boxes
from impromptu.geometry import about_z
from impromptu.poses import Poses

_TOLERANCE = 0.01


def rigid(rotations: Floats, translations_m: Floats) -> Poses:
    """Turn (..., 3, 3) matrices and (..., 3) translations into poses.

    One that is not finite, or whose rotation differs from a right-handed orthonormal matrix by
    more than 1 %, is not valid.
    """
    finite = np.isfinite(rotations).all(axis=(-1, -2)) & np.isfinite(translations_m).all(axis=-1)
    turn = np.where(finite[..., None, None], rotations, 0.0)
    excess = np.abs(np.swapaxes(turn, -1, -2) @ turn - np.eye(3)).max(axis=(-1, -2))
    valid = finite & (excess <= _TOLERANCE) & (np.linalg.det(turn) > 0)
    return Poses(
        np.where(valid[..., None, None], turn, np.eye(3)),
        np.where(valid[..., None], translations_m, 0.0),
        valid,
    )


def upright_boxes(
    timestamps_ns: Ints,
    world_SE3_sensor: Poses,
    ids: Sequence[str],
    categories: Sequence[str],
    kinds: Sequence[Kind],
    numbers: Floats,
) -> tuple[Boxes, Ints]:
    """Place boxes that stand upright in a sensor's frame, all of them observed.

    Args:
        timestamps_ns: (n,) the frame each box is of.
        world_SE3_sensor: (n,) the sensor at that frame; without it a box has no place.
        ids: (n,) tracks.
        categories: (n,) the dataset's words.
        kinds: (n,) ours.
        numbers: (n, 7) centre x, y, z, length, width, height, and yaw counter-clockwise from the
            sensor's x axis.

    Returns:
        The sound boxes that have a place, and the stamps of frames that have an unsound one.
    """
    sound = np.isfinite(numbers).all(axis=-1) & (numbers[:, 3:6] > 0).all(axis=-1)
    known = np.where(sound[:, None], numbers, 0.0)
    placed = world_SE3_sensor @ Poses(about_z(known[:, 6]), known[:, :3], sound)
    boxes = Boxes(
        timestamps_ns=timestamps_ns,
        ids=ids,
        categories=categories,
        kinds=kinds,
        rotations=placed.rotations,
        centers_m=placed.translations_m,
        sizes_m=known[:, 3:6],
        observed=np.ones(len(known), dtype=bool),
    )
    return boxes.rows(np.flatnonzero(placed.valid)), np.unique(timestamps_ns[~sound])
