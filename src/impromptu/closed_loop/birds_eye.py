"""A run from above: the street or a grid, the actors, the ego, its way and its plan."""

import numpy as np
from PIL import Image, ImageDraw

from impromptu.arrays import Floats
from impromptu.closed_loop.camera import PAINT_RGB, flat_street
from impromptu.closed_loop.collisions import EGO_M, ego_boxes
from impromptu.closed_loop.takes import Take
from impromptu.geometry import turned

BEHIND_M, AHEAD_M = 8.0, 34.0
_SHARP = 2
"""It is drawn so many times larger, and reduced: smooth edges."""
_REACH_M, _GRID_M = 75.0, 10.0
_GROUND, _LOG_THERE = "#8d9a7a", "#c6ccd3"
_PAPER, _LOG, _GRID, _INK = "#eef0f2", "#8793a0", "#d3d9df", "#1f2933"
_HIT = "#e0281b"
_CORNERS = np.array([[1, 1], [1, -1], [-1, -1], [-1, 1]]) / 2


def above(take: Take, stamp_us: int, colour: str, size_px: tuple[int, int]) -> Image.Image:
    """Draw a moment: x ahead is up, y to the left is left; the ego keeps its place."""
    simulated = take.shape is not None
    sheet = _Sheet(take.pose(stamp_us), size_px, _GROUND if simulated else _PAPER)
    sheet.street() if simulated else sheet.grid()
    sheet.line(take.run.reference.pose[:, :2], _LOG_THERE if simulated else _LOG, 0.16)
    sheet.line(take.driven_m(stamp_us), colour, 0.3)
    for box in take.boxes(stamp_us):
        sheet.box(box, "#{:02x}{:02x}{:02x}".format(*PAINT_RGB), _INK)
    ego = ego_boxes(take.pose(stamp_us))
    sheet.box(ego, "white", colour)
    if planned := take.plan(stamp_us):
        sheet.plan(planned[0], colour)
    if take.hit and stamp_us >= take.hit.stamp_us:
        sheet.ring(_touched_m(ego, take.boxes(stamp_us)), _HIT)
    return sheet.finished()


def _touched_m(ego: Floats, boxes: Floats) -> Floats:
    """Return the (2,) place in the ego's box that is nearest to the middle of an actor."""
    middles = turned(boxes[:, :2] - ego[:2], -ego[2])
    nearest = np.clip(middles, -np.array(EGO_M) / 2, np.array(EGO_M) / 2)
    chosen = int(np.argmin(np.linalg.norm(middles - nearest, axis=-1)))
    place: Floats = ego[:2] + turned(nearest[chosen], ego[2])
    return place


class _Sheet:
    """A drawing about an ego at a (3,) pose; places are of the world, in metres."""

    def __init__(self, pose: Floats, size_px: tuple[int, int], ground: str) -> None:
        self.pose, (width, height) = pose, size_px
        self.metre_px = _SHARP * height / (BEHIND_M + AHEAD_M)
        self.image = Image.new("RGB", (_SHARP * width, _SHARP * height), ground)
        self.draw = ImageDraw.Draw(self.image)

    def finished(self) -> Image.Image:
        """Return it in its final size."""
        return self.image.reduce(_SHARP)

    def pixels(self, xy_m: Floats) -> Floats:
        """Return the (..., 2) pixels of (..., 2) places."""
        ahead = turned(xy_m - self.pose[:2], -self.pose[2])
        across_px = self.image.width / 2 - self.metre_px * ahead[..., 1]
        down_px = self.metre_px * (AHEAD_M - ahead[..., 0])
        return np.stack([across_px, down_px], axis=-1)

    def street(self) -> None:
        """Paint the mini-simulator's street."""
        quads = flat_street()
        near = np.linalg.norm(quads.middle_m[:, :2] - self.pose[:2], axis=-1) < _REACH_M
        outlines = self.pixels(quads.corners_m[near, :, :2]).reshape(-1, 8).tolist()
        for outline, colour in zip(outlines, quads.colour[near].astype(int).tolist(), strict=True):
            self.draw.polygon(outline, fill=tuple(colour))

    def grid(self) -> None:
        """Draw lines 10 m apart, which stay where they are in the world."""
        middle = _GRID_M * np.round(self.pose[:2] / _GRID_M)
        for offset in np.arange(-_REACH_M // _GRID_M, _REACH_M // _GRID_M + 1) * _GRID_M:
            along = np.array([-_REACH_M, _REACH_M])
            across = np.full(2, offset)
            for line in ((along, across), (across, along)):
                self.line(middle + np.stack(line, axis=-1), _GRID, 0.08)

    def line(self, xy_m: Floats, colour: str, width_m: float) -> None:
        """Draw a (n, 2) line."""
        points = self.pixels(xy_m).ravel().tolist()
        self.draw.line(points, fill=colour, width=self._wide(width_m), joint="curve")

    def box(self, box: Floats, fill: str, edge: str) -> None:
        """Draw a (5,) box, with a mark where its front is."""
        corners = box[:2] + turned(_CORNERS * box[3:], box[2])
        self.draw.polygon(
            self.pixels(corners).ravel().tolist(), fill=fill, outline=edge, width=self._wide(0.25)
        )
        nose = box[:2] + turned(np.array([[0.5, 0.0], [0.25, 0.0]]) * box[3], box[2])
        self.line(nose, edge, 0.25)

    def plan(self, plan_m: Floats, colour: str) -> None:
        """Draw a (6, 2) plan from the ego on, with a dot at each place."""
        self.line(np.concatenate([self.pose[None, :2], plan_m]), "white", 0.55)
        self.line(np.concatenate([self.pose[None, :2], plan_m]), colour, 0.3)
        for place in self.pixels(plan_m):
            self._dot(place, 0.42, "white")
            self._dot(place, 0.3, colour)

    def ring(self, xy_m: Floats, colour: str) -> None:
        """Mark a place."""
        place, radius = self.pixels(xy_m), 2.2 * self.metre_px
        self.draw.ellipse([*(place - radius), *(place + radius)], None, colour, self._wide(0.45))

    def _dot(self, place: Floats, radius_m: float, colour: str) -> None:
        radius = radius_m * self.metre_px
        self.draw.ellipse([*(place - radius), *(place + radius)], colour)

    def _wide(self, width_m: float) -> int:
        return max(1, round(width_m * self.metre_px))
