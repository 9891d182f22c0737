"""Hits on a raster, as ST-P3's successors count them: the ego a fixed patch of cells, never turned.

The raster has 200 x 200 cells of 0.5 m around the origin. A box covers the cells of the polygon
between its corners, each corner rounded to a cell, its outline included (what ``cv2.fillPoly``
draws). The ego covers 8 x 4 grid points, which are those within its box: on the published grid
they lie from 1.5 m behind to 2.0 m ahead of the waypoint and from 0.5 m to its right to 1.0 m to
its left, and each takes the cell that its coordinates are cut off to. A point beyond the border
counts as on it.

Rounding corners but cutting off the ego's points shifts the ego against the boxes by a quarter of
a metre on average, and the grid points' own offset by as much again, so the patch lies half a
metre too far left; UniAD counts rows from behind and VAD from ahead, so forward the two differ.
The published figures were made so, and therefore so is this.
"""

from collections.abc import Callable

import numpy as np

from impromptu.arrays import Bools, Floats, Ints
from impromptu.geometry import turned
from impromptu.metrics._collision import Boxes

CELLS = 200
CELL_M = 0.5
_ROWS = np.arange(97, 105)
"""Of the ego at the origin, on the published grid, whose first cell's centre is at -49.75 m."""
_COLUMNS = np.arange(98, 102)
_EGO_REACH_M = 5.0
"""More than any cell of the ego's is from its waypoint."""

Rows = Callable[[Floats], Floats]


def rows_from_behind(x_m: Floats) -> Floats:
    """Return the row, unrounded, of what is x m ahead, as UniAD counts."""
    return CELLS / 2 + x_m / CELL_M


def rows_from_ahead(x_m: Floats) -> Floats:
    """Return the row, unrounded, of what is x m ahead, as VAD counts."""
    return CELLS / 2 - x_m / CELL_M


def columns_from_left(y_m: Floats) -> Floats:
    """Return the column, unrounded, of what is y m to the left."""
    return CELLS / 2 - y_m / CELL_M


def patch(xy_m: Floats, rows: Rows) -> tuple[Ints, Ints]:
    """Return the rows (..., 8) and columns (..., 4) that the ego covers at points (..., 2)."""
    forward = _ROWS - CELLS / 2
    # Counted from ahead, a grid point further ahead has a smaller row.
    ahead = forward if rows is rows_from_behind else -forward
    row = rows(xy_m[..., :1]) + ahead
    column = columns_from_left(xy_m[..., 1:]) + (_COLUMNS - CELLS / 2)
    return _cells(row), _cells(column)


def _cells(place: Floats) -> Ints:
    return np.clip(np.floor(place), 0, CELLS - 1).astype(np.int64)


def corners(boxes: Boxes, rows: Rows) -> tuple[Ints, Ints]:
    """Return rows and columns (m, 4) of the cells that the corners of boxes round to."""
    signs = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) / 2
    offsets_m = turned(signs * boxes.size_m[:, None], boxes.yaw_rad[:, None])
    xy_m = boxes.xy_m[:, None] + offsets_m
    places = rows(xy_m[..., 0]), columns_from_left(xy_m[..., 1])
    row, column = (np.clip(np.round(place), -1e6, 1e6).astype(np.int64) for place in places)
    return row, column


def hits(xy_m: Floats, boxes: Boxes, rows: Rows) -> Bools:
    """Tell at which of (n, k) steps the ego's patch shares a cell with a box."""
    boxes = _in_reach(xy_m, boxes)
    ego_row, ego_column = patch(xy_m, rows)
    row, column = corners(boxes, rows)
    near = np.ones(len(row), dtype=bool)
    for ego, box in (ego_row, row), (ego_column, column):
        first, last = ego.min(axis=-1), ego.max(axis=-1)
        near &= box.max(axis=1) >= first[boxes.sample, boxes.step]
        near &= box.min(axis=1) <= last[boxes.sample, boxes.step]
    chosen = np.flatnonzero(near)
    sample, step = boxes.sample[chosen], boxes.step[chosen]
    filled = _filled(row[chosen], column[chosen], ego_row[sample, step], ego_column[sample, step])
    hit = np.zeros(xy_m.shape[:2], dtype=bool)
    hit[sample[filled], step[filled]] = True
    return hit


def _in_reach(xy_m: Floats, boxes: Boxes) -> Boxes:
    """Return the boxes that may share a cell with the ego: the corners of most need no look.

    What is off the raster is drawn on its rim, so the ego counts as being there.
    """
    rim_m = CELLS * CELL_M / 2
    ego_m = np.clip(xy_m, -rim_m, rim_m)[boxes.sample, boxes.step]
    reach_m = np.hypot(boxes.size_m[:, 0], boxes.size_m[:, 1]) / 2 + _EGO_REACH_M
    return boxes.of((np.abs(boxes.xy_m - ego_m) <= reach_m[:, None]).all(axis=1))


def _filled(row: Ints, column: Ints, ego_row: Ints, ego_column: Ints) -> Bools:
    """Tell which of m quadrilaterals (m, 4) fill a cell of their own patch (m, r) x (m, c).

    A cell is filled where its centre is no further outside of any edge than half a cell along the
    axis that the edge crosses more steeply (the cells that a drawn line takes; of those at just
    half a cell OpenCV takes some, by the edge's direction), and within the quadrilateral's rows
    and columns.
    """
    area = (row * np.roll(column, -1, axis=1) - np.roll(row, -1, axis=1) * column).sum(axis=1)
    sign = np.where(area < 0, -1, 1)[:, None]
    edge_row = sign * (np.roll(row, -1, axis=1) - row)
    edge_column = sign * (np.roll(column, -1, axis=1) - column)
    steep = np.abs(edge_row) > np.abs(edge_column)
    length = np.maximum(np.abs(edge_row), np.abs(edge_column))
    ties = np.where(steep, edge_row > 0, edge_row < 0) | (length == 0)
    slack = length - ~ties
    inside = _within(ego_row, row)[:, :, None] & _within(ego_column, column)[:, None, :]
    for corner in np.split(np.arange(4), 4):
        off_row = edge_column[:, corner] * (ego_row - row[:, corner])
        off_column = edge_row[:, corner] * (ego_column - column[:, corner])
        twice = 2 * (off_row[:, :, None] - off_column[:, None, :])
        inside &= twice <= slack[:, corner, None]
    return np.asarray(inside.any(axis=(1, 2)))


def _within(place: Ints, corner: Ints) -> Bools:
    first, last = corner.min(axis=1)[:, None], corner.max(axis=1)[:, None]
    return np.asarray((place >= first) & (place <= last))
