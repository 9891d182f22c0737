"""The scene from above, in metres: x forward is up, y left is left."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Polygon
from matplotlib.ticker import MultipleLocator

from impromptu.arrays import Floats
from impromptu.clip import Agent, Kind
from impromptu.geometry import SE2
from impromptu.pictures._paint import (
    EGO_LENGTH_M,
    EGO_REAR_M,
    EGO_WIDTH_M,
    GRID,
    INK,
    PAST,
    TRUTH,
    Paths,
    draw_points,
    swept,
)

_KIND_COLOURS: dict[Kind, str] = {
    "vehicle": "#B9C4CF",
    "cyclist": "#56B4E9",
    "pedestrian": "#F0E442",
    "object": "#D8CBB8",
}
_CORNERS = np.array([[1, 1], [1, -1], [-1, -1], [-1, 1]]) / 2
_LINE = 0.06
"""Height of a line of text, as a share of the axes."""


def draw_above(axes: Axes, around: Sequence[Agent], paths: Paths) -> None:
    """Fill axes with the scene, and name what is in it to their right."""
    low_m, high_m = _window(paths, _width_to_height(axes))
    _draw_grid(axes, low_m, high_m)
    agents = [agent for agent in around if _inside(agent, low_m, high_m)]
    for agent in agents:
        box_m = SE2(agent.yaw_rad, agent.center_m[:2]).transform(_CORNERS * agent.size_m[:2])
        _fill(axes, box_m, facecolor=_KIND_COLOURS[agent.kind], edgecolor=INK, linewidth=0.6)
    front_m, rear_m, half_m = EGO_LENGTH_M - EGO_REAR_M, -EGO_REAR_M, EGO_WIDTH_M / 2
    ego_m = [[rear_m, half_m], [front_m, half_m], [front_m, -half_m], [rear_m, -half_m]]
    _fill(axes, np.array(ego_m), facecolor="white", edgecolor=INK, linewidth=1.4)
    _draw_paths(axes, paths)
    _name_paths(axes, paths, low_m, high_m)
    _draw_key(axes, paths, agents)


def _draw_grid(axes: Axes, low_m: Floats, high_m: Floats) -> None:
    axes.set(xlim=(high_m[1], low_m[1]), ylim=(low_m[0], high_m[0]), aspect="equal")
    axes.set(xlabel="y, to the left (m)", ylabel="x, ahead (m)", axisbelow=True)
    axes.grid(color=GRID, linewidth=0.8)
    axes.tick_params(length=0)
    step_m = 5 * 2 ** max(0, math.ceil(math.log2((high_m[0] - low_m[0]) / 40)))
    axes.xaxis.set_major_locator(MultipleLocator(step_m))
    axes.yaxis.set_major_locator(MultipleLocator(step_m))


def _draw_paths(axes: Axes, paths: Paths) -> None:
    axes.plot(*_seen(paths.past.xy_m).T, color=PAST, marker=".", markersize=5, linewidth=1.2)
    for corners_m in swept(paths.from_now(paths.truth)):
        _fill(axes, corners_m, color=TRUTH, alpha=0.35, linewidth=0)
    draw_points(axes, _seen(paths.truth.xy_m), TRUTH, "o", 4)
    for (color, marker), path in paths.readable():
        axes.plot(*_seen(paths.from_now(path)).T, color=color, linewidth=1.4)
        draw_points(axes, _seen(path.xy_m), color, marker, 5)


def _seen(xy_m: Floats) -> Floats:
    """Return (n, 2) points as drawn: y along the horizontal axis, x up."""
    return xy_m[:, ::-1]


def _fill(axes: Axes, corners_m: Floats, **look: Any) -> None:
    axes.add_patch(Polygon(_seen(corners_m), **look))


def _inside(agent: Agent, low_m: Floats, high_m: Floats) -> bool:
    center_m = agent.center_m[:2]
    return bool(((low_m < center_m) & (center_m < high_m)).all())


def _width_to_height(axes: Axes) -> float:
    box, figure = axes.get_position(), axes.get_figure()
    width, height = figure.get_size_inches() if isinstance(figure, Figure) else (1.0, 1.0)
    return float(box.width * width / (box.height * height))


def _window(paths: Paths, width_to_height: float) -> tuple[Floats, Floats]:
    """Return the lowest and highest (x, y) to show: the truth with room around it.

    Predictions may widen the window by half its size and no more, so that one wild answer does
    not shrink all else to a dot.
    """
    known_m = np.vstack([paths.past.xy_m[-4:], paths.truth.xy_m])
    low_m, high_m = known_m.min(axis=0), known_m.max(axis=0)
    room_m = max(float((high_m - low_m).max()) / 2, 8.0)
    every_m = np.vstack([known_m, *(path.xy_m for _, path in paths.readable())])
    low_m = np.maximum(every_m.min(axis=0), low_m - room_m) - 5
    high_m = np.minimum(every_m.max(axis=0), high_m + room_m) + 5
    ahead_m, across_m = high_m - low_m
    height_m = max(ahead_m, across_m / width_to_height, 24.0)
    half_m = height_m / 2 * np.array([1.0, width_to_height])
    middle_m = (low_m + high_m) / 2
    return middle_m - half_m, middle_m + half_m


def _name_paths(axes: Axes, paths: Paths, low_m: Floats, high_m: Floats) -> None:
    """Write the name of each path to come to the right, level with its end where there is room."""
    ends = [("true path", TRUTH, paths.truth.xy_m[-1])]
    for (name, path), (color, _) in zip(paths.predicted.items(), paths.styles(), strict=True):
        if path is not None:
            ends.append((name, color, path.xy_m[-1]))
    levels = [float((x_m - low_m[0]) / (high_m[0] - low_m[0])) for _, _, (x_m, _) in ends]
    for (name, color, (x_m, y_m)), level in zip(ends, spread(levels), strict=True):
        axes.annotate(
            name,
            (y_m, x_m),
            (1.04, level),
            textcoords="axes fraction",
            va="center",
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": color, "linewidth": 1, "shrinkB": 0},
        )


def spread(levels: Sequence[float], line: float = _LINE, lowest: float = 7 * _LINE) -> list[float]:
    """Move levels as little as two sweeps need to keep them a line apart, above the lowest.

    By default that is above the key.
    """
    order, placed = np.argsort(-np.asarray(levels), kind="stable"), np.array(levels)
    ceiling, floor = 1 - line / 2, lowest
    for index in order:
        placed[index] = ceiling = min(placed[index], ceiling)
        ceiling -= line
    for index in order[::-1]:
        placed[index] = floor = max(placed[index], floor)
        floor += line
    return [float(level) for level in placed]


def _draw_key(axes: Axes, paths: Paths, agents: Sequence[Agent]) -> None:
    """Write below the paths' names what else is drawn, and which runs are not."""
    key: list[Artist] = []
    for (name, path), (color, _) in zip(paths.predicted.items(), paths.styles(), strict=True):
        if path is None:
            label = f"{name}\n(unreadable)"
            key.append(Line2D([], [], color=color, marker="x", linestyle="", label=label))
    key.append(Line2D([], [], color=PAST, marker=".", linewidth=1.2, label="past"))
    key.append(Patch(facecolor="white", edgecolor=INK, linewidth=1.4, label="ego"))
    for kind, color in _KIND_COLOURS.items():
        if any(agent.kind == kind for agent in agents):
            key.append(Patch(facecolor=color, edgecolor=INK, linewidth=0.6, label=kind))
    axes.legend(
        handles=key,
        loc="lower left",
        bbox_to_anchor=(1.01, -0.02),
        frameon=False,
        handlelength=1.2,
        handleheight=0.8,
        labelspacing=0.35,
    )
