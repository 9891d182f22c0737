"""Paths as lines and points of an SVG: from above, and on a camera's image."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from impromptu.arrays import Floats
from impromptu.clip import Clip, Trajectory
from impromptu.geometry import SE2
from impromptu.pictures.front import ground_pixels, image_size_px

_WAS = re.compile(r"\(t-[\d.]+s\) \[(-?[\d.]+), (-?[\d.]+)\]")
PAST, TRUE = -2, -1
_RATIO = 1.2
"""Width to height of the view from above."""


@dataclass(frozen=True, slots=True)
class Line:
    """A path to draw.

    Attributes:
        kind: Of its marks: ``PAST``, ``TRUE``, or a run's place.
        color: As SVG writes it; empty for the past, which has the page's.
        line: The path's corners, as the points of a polyline.
        dots: Its waypoints.
    """

    kind: int
    color: str
    line: str
    dots: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Above:
    """A scene from above, in metres; up is ahead, so SVG's x is -y and its y is -x.

    Attributes:
        box: The ``viewBox``: left, top, width, height.
        grid: Distance between grid lines.
        across, along: Where vertical and horizontal grid lines are.
    """

    box: tuple[float, float, float, float]
    across: Sequence[float]
    along: Sequence[float]
    lines: Sequence[Line]


@dataclass(frozen=True, slots=True)
class OnImage:
    """Paths in the pixels of an image of this size."""

    width_px: int
    height_px: int
    lines: Sequence[Line]


@dataclass(frozen=True, slots=True)
class Route:
    """A path to come: ``TRUE`` or a run's place, and its colour."""

    kind: int
    color: str
    xy_m: Floats


def past_in(prompt: str) -> Floats:
    """Return the (n, 2) past positions that our prompts tell, the present last."""
    points = [(float(x), float(y)) for x, y in _WAS.findall(prompt)]
    return np.array(points if points and points[-1] == (0, 0) else [*points, (0.0, 0.0)])


def above(past_m: Floats, routes: Sequence[Route]) -> Above:
    """Lay out a view from above: the first route, the true one if there is one, is all in it.

    Others may widen it by half its size and no more, so that one wild answer does not shrink all
    else to a dot.
    """
    known_m = np.vstack([past_m[-4:], routes[0].xy_m]) if routes else past_m[-4:]
    low_m, high_m = known_m.min(axis=0), known_m.max(axis=0)
    room_m = max(float((high_m - low_m).max()) / 2, 8.0)
    every_m = np.vstack([known_m, *(route.xy_m for route in routes)])
    low_m = np.maximum(every_m.min(axis=0), low_m - room_m) - 4
    high_m = np.minimum(every_m.max(axis=0), high_m + room_m) + 4
    ahead_m, aside_m = high_m - low_m
    height_m = float(max(ahead_m, aside_m / _RATIO, 20.0))
    middle_m = (low_m + high_m) / 2
    left, top = -middle_m[1] - height_m * _RATIO / 2, -middle_m[0] - height_m / 2
    box = (float(left), float(top), height_m * _RATIO, height_m)
    step_m = 5 * 2 ** max(0, math.ceil(math.log2(height_m / 40)))
    lines = [Line(PAST, "", _points(_up(past_m)), _dots(_up(past_m)))]
    for route in routes:
        from_now_m = np.vstack([np.zeros((1, 2)), route.xy_m])
        lines.append(_line(route, _up(from_now_m), _up(route.xy_m)))
    return Above(box, _ticks(box[0], box[2], step_m), _ticks(box[1], box[3], step_m), lines)


def on_image(clip: Clip, image: str, task: str, routes: Sequence[Route]) -> OnImage | None:
    """Project routes onto the ground of one of a clip's images; None without its calibration.

    Args:
        clip: Whose cameras.
        image: A path as a sample writes it; that of a camera if folder and name are the same, for
            in some datasets every camera's image of an instant has the same name.
        task: The planning question is asked in the frame of its own sensor, others in the ego's.
        routes: In the question's frame.
    """
    ends = Path(image).parts[-2:]
    camera = next((c for c in clip.observation.cameras if c.image.parts[-2:] == ends), None)
    if camera is None or camera.intrinsics_px is None or camera.ego_SE3_camera is None:
        return None
    tracked = clip.observation.ego_SE2_planning if task == "planning" else None
    frame, lines = tracked or SE2(0.0, np.zeros(2)), []
    for route in routes:
        dots_m = frame.transform(route.xy_m)
        path_m = np.vstack([frame.translation_m, dots_m])
        path_px = ground_pixels(camera, path_m, joined=True)
        lines.append(_line(route, path_px, ground_pixels(camera, dots_m)))
    width_px, height_px = camera.size_px or image_size_px(camera)
    return OnImage(width_px, height_px, lines)


def xy(path: Trajectory) -> Floats:
    """Return waypoints within a range that an SVG can hold: answers can be as wild as 9e307."""
    return np.clip(path.xy_m, -1e5, 1e5)


def _line(route: Route, corners: Floats, dots: Floats) -> Line:
    return Line(route.kind, route.color, _points(corners), _dots(dots))


def _up(xy_m: Floats) -> Floats:
    return -xy_m[:, ::-1]


def _points(corners: Floats) -> str:
    return " ".join(f"{x:z.2f},{y:z.2f}" for x, y in _dots(corners))


def _dots(points: Floats) -> list[tuple[float, float]]:
    """Return what there is of points; those behind a camera are not."""
    seen = points[np.isfinite(points).all(axis=1)].clip(-1e5, 1e5)
    return [(round(float(x), 2), round(float(y), 2)) for x, y in seen]


def _ticks(start: float, length: float, step: float) -> list[float]:
    first = math.ceil(start / step)
    return [step * k for k in range(first, math.floor((start + length) / step) + 1)]
