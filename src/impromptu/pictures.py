"""Pictures of a clip: waypoints on its front image, and the scene from above."""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import matplotlib.style
import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon
from PIL import Image

from impromptu.arrays import Floats
from impromptu.clip import Agent, Camera, Clip, Trajectory
from impromptu.geometry import SE2

NEAR_M = 0.3
"""Nothing nearer to a camera than this is drawn: at zero depth a pixel is undefined."""

# Okabe and Ito's palette, told apart with any kind of colour vision; shapes repeat what it says.
TRUTH = "#009E73"
RUN_STYLES = (
    ("#D55E00", "o"),
    ("#0072B2", "s"),
    ("#CC79A7", "^"),
    ("#E69F00", "D"),
    ("#56B4E9", "v"),
)
KIND_COLOURS = {
    "vehicle": "#B9C4CF",
    "cyclist": "#56B4E9",
    "pedestrian": "#F0E442",
    "object": "#E8E4DC",
}
INK, PAST, GRID = "#1F2933", "#52606D", "#E4E7EB"

EGO_SIZE_M = (4.1, 1.85)
"""Length and width of the ego as drawn; its rear end is ``EGO_REAR_M`` behind the rear axle."""
EGO_REAR_M = 1.0

_STYLE: dict[str, object] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.edgecolor": GRID,
    "axes.labelcolor": PAST,
    "text.color": INK,
    "xtick.color": PAST,
    "ytick.color": PAST,
}
_OUTLINE = [patheffects.withStroke(linewidth=3.2, foreground="white")]


@dataclass(frozen=True, slots=True, eq=False)
class Paths:
    """What is drawn of one sample, all in the present ego frame.

    Attributes:
        predicted: By run, in the order that gives runs their colours; None where the run gave no
            answer that could be read.
    """

    past: Trajectory
    truth: Trajectory
    predicted: Mapping[str, Trajectory | None]


def run_style(position: int) -> tuple[str, str]:
    """Return the colour and marker of the run at a position."""
    return RUN_STYLES[position % len(RUN_STYLES)]


def front_camera(clip: Clip) -> Camera | None:
    """Return the front camera if it can be drawn on: calibrated, and its image is there."""
    for camera in clip.observation.cameras:
        calibrated = camera.intrinsics_px is not None and camera.ego_SE3_camera is not None
        if camera.view == "FRONT" and calibrated and camera.image.is_file():
            return camera
    return None


def front_png(camera: Camera, paths: Paths) -> bytes:
    """Draw waypoints on the image, as if painted on the ground (z = 0 of the ego frame)."""
    with matplotlib.style.context(["default", _STYLE]):
        with Image.open(camera.image) as image:
            figure = Figure(figsize=(8, 8 * image.height / image.width), dpi=120)
        draw_front(figure.add_axes((0, 0, 1, 1)), camera, paths)
        return _png(figure)


def above_png(clip: Clip, paths: Paths) -> bytes:
    """Draw the scene from above: x forward is up, y left is left, in metres."""
    with matplotlib.style.context(["default", _STYLE]):
        figure = Figure(figsize=(6.4, 5.4), dpi=120)
        draw_above(figure.add_axes((0.1, 0.1, 0.62, 0.88)), clip, paths)
        return _png(figure)


def wide_png(camera: Camera, clip: Clip, paths: Paths) -> bytes:
    """Draw the front image with waypoints beside the scene from above."""
    with matplotlib.style.context(["default", _STYLE]):
        figure = Figure(figsize=(11.2, 3.9), dpi=110)
        front = figure.add_axes((0.005, 0.01, 0.61, 0.98))
        draw_front(front, camera, paths)
        front.set_anchor("W")
        draw_above(figure.add_axes((0.655, 0.12, 0.215, 0.86)), clip, paths)
        return _png(figure, colours=192)


def draw_front(axes: Axes, camera: Camera, paths: Paths) -> None:
    """Fill axes with the camera's image and the paths on its ground."""
    with Image.open(camera.image) as image:
        axes.imshow(image.convert("RGB"), interpolation="bicubic")
        axes.set(xlim=(-0.5, image.width - 0.5), ylim=(image.height - 0.5, -0.5))
    axes.set_axis_off()
    for corners in _ribbon(_from_now(paths.truth)):
        shown = ground_pixels(camera, np.vstack([corners, corners[:1]]))
        shown = shown[np.isfinite(shown).all(axis=1)]
        if len(shown):
            axes.add_patch(Polygon(shown, color=TRUTH, alpha=0.45, linewidth=0))
    _draw_points(axes, ground_pixels(camera, paths.truth.xy_m, joined=False), TRUTH, "o", 4)
    for color, marker, path in _styled(paths):
        line_px = ground_pixels(camera, _from_now(path))
        axes.plot(*line_px.T, color=color, linewidth=1.6, path_effects=_OUTLINE)
        _draw_points(axes, ground_pixels(camera, path.xy_m, joined=False), color, marker, 6)


def ground_pixels(camera: Camera, xy_m: Floats, joined: bool = True) -> Floats:
    """Project (n, 2) ground points of the present ego frame into a calibrated camera.

    Args:
        camera: Where to.
        xy_m: Points on the ground, metres.
        joined: Whether the points are a path; then it is cut where it passes the near plane.

    Returns:
        (n, 2) pixels, or (2n - 1, 2) if joined; NaN where nearer than ``NEAR_M`` or behind.

    Raises:
        ValueError: The camera has no calibration.
    """
    if camera.intrinsics_px is None or camera.ego_SE3_camera is None:
        raise ValueError(f"camera {camera.view} of {camera.image} has no calibration to draw with")
    ground_m = np.column_stack([xy_m, np.zeros(len(xy_m))])
    points_m = camera.ego_SE3_camera.inverse().transform(ground_m)
    if joined:
        points_m = _cut_at_near_plane(points_m)
    shown_m = np.where(points_m[:, 2:] >= NEAR_M, points_m, np.nan)
    homogeneous = shown_m @ camera.intrinsics_px.T
    pixels: Floats = homogeneous[:, :2] / homogeneous[:, 2:]
    return pixels


def _cut_at_near_plane(points_m: Floats) -> Floats:
    """Put between each two points the one where their line crosses, or else the first again."""
    start_m, end_m = points_m[:-1], points_m[1:]
    start_z, end_z = start_m[:, 2:], end_m[:, 2:]
    crosses = (start_z < NEAR_M) != (end_z < NEAR_M)
    share = np.where(crosses, NEAR_M - start_z, 0) / np.where(crosses, end_z - start_z, 1)
    between_m = start_m + share * (end_m - start_m)
    # Rounding may leave a crossing a hair behind the plane it lies on.
    between_m[:, 2:] = np.where(crosses, NEAR_M, between_m[:, 2:])
    cut_m = np.empty((2 * len(points_m) - 1, 3))
    cut_m[0::2], cut_m[1::2] = points_m, between_m
    return cut_m


def draw_above(axes: Axes, clip: Clip, paths: Paths) -> None:
    """Fill axes with the scene from above, and name each path beside them."""
    low_m, high_m = _window(paths, _aspect(axes))
    axes.set(xlim=(high_m[1], low_m[1]), ylim=(low_m[0], high_m[0]), aspect="equal")
    axes.set(xlabel="y, to the left (m)", ylabel="x, ahead (m)", axisbelow=True)
    axes.grid(color=GRID, linewidth=0.8)
    axes.tick_params(length=0)
    for agent in clip.observation.agents:
        corners_m = _corners(agent)
        color = KIND_COLOURS[agent.kind]
        axes.add_patch(Polygon(corners_m[:, ::-1], facecolor=color, edgecolor=INK, linewidth=0.6))
    _draw_ego(axes)
    axes.plot(*_plane(paths.past.xy_m), color=PAST, marker=".", markersize=5, linewidth=1.2)
    for corners in _ribbon(_from_now(paths.truth)):
        axes.add_patch(Polygon(corners[:, ::-1], color=TRUTH, alpha=0.35, linewidth=0))
    _draw_points(axes, paths.truth.xy_m[:, ::-1], TRUTH, "o", 4)
    for color, marker, path in _styled(paths):
        axes.plot(*_plane(_from_now(path)), color=color, linewidth=1.4)
        _draw_points(axes, path.xy_m[:, ::-1], color, marker, 5)
    _name_paths(axes, paths)


def _plane(xy_m: Floats) -> tuple[Floats, Floats]:
    """Return what goes along the horizontal axis (y) and the vertical one (x)."""
    return xy_m[:, 1], xy_m[:, 0]


def _from_now(path: Trajectory) -> Floats:
    return np.vstack([np.zeros((1, 2)), path.xy_m])


def _styled(paths: Paths) -> Iterator[tuple[str, str, Trajectory]]:
    """Yield colour, marker and path of every run that has one."""
    for position, path in enumerate(paths.predicted.values()):
        if path is not None:
            yield *run_style(position), path


def _draw_points(axes: Axes, points: Floats, color: str, marker: str, size: float) -> None:
    axes.plot(
        *points.T,
        marker,
        color=color,
        markersize=size,
        markeredgecolor="white",
        markeredgewidth=0.8,
    )


def _draw_ego(axes: Axes) -> None:
    length_m, width_m = EGO_SIZE_M
    x_m = np.array([0, 0, length_m, length_m]) - EGO_REAR_M
    y_m = np.array([-1, 1, 1, -1]) * width_m / 2
    axes.add_patch(
        Polygon(np.column_stack([y_m, x_m]), facecolor="white", edgecolor=INK, linewidth=1.4)
    )


def _corners(agent: Agent) -> Floats:
    """Return the (4, 2) corners of an agent's box on the ground."""
    half_m = agent.size_m[:2] / 2
    signs = np.array([[1, 1], [1, -1], [-1, -1], [-1, 1]])
    return SE2(agent.yaw_rad, agent.center_m[:2]).transform(signs * half_m)


def _ribbon(xy_m: Floats) -> Iterator[Floats]:
    """Yield the (4, 2) pieces of the strip that the ego's width sweeps along a path.

    Steps under 5 cm are left out: a standing car sweeps nothing, and has no direction.
    """
    moving = np.hypot(*np.diff(xy_m, axis=0).T) >= 0.05
    xy_m = xy_m[np.concatenate([[True], moving])]
    if len(xy_m) < 2:
        return
    ahead = np.gradient(xy_m, axis=0)
    side_m = np.column_stack([-ahead[:, 1], ahead[:, 0]])
    side_m *= EGO_SIZE_M[1] / 2 / np.maximum(np.hypot(*ahead.T), 1e-9)[:, None]
    left_m, right_m = xy_m + side_m, xy_m - side_m
    for k in range(len(xy_m) - 1):
        yield np.stack([left_m[k], left_m[k + 1], right_m[k + 1], right_m[k]])


def _aspect(axes: Axes) -> float:
    """Return width / height of axes as laid out."""
    box, inches = axes.get_position(), axes.get_figure()
    width, height = inches.get_size_inches() if isinstance(inches, Figure) else (1.0, 1.0)
    return float(box.width * width / (box.height * height))


def _window(paths: Paths, aspect: float) -> tuple[Floats, Floats]:
    """Return the (x, y) corners to show: the truth with room around it, in the axes' shape.

    Predictions may widen the window by half its size and no more, so that one wild answer does
    not shrink all else to a dot.
    """
    known_m = np.vstack([paths.past.xy_m[-4:], _from_now(paths.truth)])
    low_m, high_m = known_m.min(axis=0), known_m.max(axis=0)
    room_m = np.maximum((high_m - low_m).max() / 2, 8)
    guessed_m = [path.xy_m for path in paths.predicted.values() if path is not None]
    every_m = np.vstack([known_m, *guessed_m])
    low_m = np.maximum(every_m.min(axis=0), low_m - room_m) - 5
    high_m = np.minimum(every_m.max(axis=0), high_m + room_m) + 5
    span_m = high_m - low_m
    wanted_m = max(span_m[0], span_m[1] / aspect, 24.0) * np.array([1, aspect])
    middle_m = (low_m + high_m) / 2
    return middle_m - wanted_m / 2, middle_m + wanted_m / 2


def _name_paths(axes: Axes, paths: Paths) -> None:
    """Write each path's name to the right of the axes, level with its end where there is room."""
    ends = [("true path", TRUTH, paths.truth), ("past", PAST, paths.past[:1])]
    for position, (name, path) in enumerate(paths.predicted.items()):
        ends.append((name, run_style(position)[0], path))
    bottom_m, top_m = axes.get_ylim()
    levels = [
        0.0 if path is None else float((path.xy_m[-1, 0] - bottom_m) / (top_m - bottom_m))
        for _, _, path in ends
    ]
    for (name, color, path), level in zip(ends, _spread(levels, 0.07), strict=True):
        text = name if path is not None else f"{name}:\nno readable answer"
        axes.annotate(
            text,
            xy=(1, level) if path is None else (path.xy_m[-1, 1], path.xy_m[-1, 0]),
            xycoords="axes fraction" if path is None else "data",
            xytext=(1.04, level),
            textcoords="axes fraction",
            va="center",
            color=INK,
            annotation_clip=False,
            arrowprops=None if path is None else {"arrowstyle": "-", "color": color, "lw": 1},
        )


def _spread(levels: Sequence[float], gap: float) -> list[float]:
    """Move levels in [0, 1] as little as a downward sweep needs to keep them a gap apart."""
    order = np.argsort(-np.asarray(levels), kind="stable")
    placed = np.empty(len(levels))
    ceiling = 0.98
    for index in order:
        placed[index] = ceiling = min(levels[index], ceiling)
        ceiling -= gap
    # What was pushed out at the bottom pushes its neighbours back up.
    floor = 0.02
    for index in order[::-1]:
        placed[index] = floor = max(placed[index], floor)
        floor += gap
    return [float(level) for level in placed]


def _png(figure: Figure, colours: int | None = None) -> bytes:
    """Return the same PNG bytes for the same figure: no date, no version of the drawing library."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", facecolor="white", metadata={"Software": None})
    if colours is None:
        return buffer.getvalue()
    small = io.BytesIO()
    with Image.open(buffer) as image:
        image.convert("RGB").quantize(colours).save(small, format="png", optimize=True)
    return small.getvalue()
