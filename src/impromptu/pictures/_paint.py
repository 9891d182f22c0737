"""What the two kinds of picture share: paths, colours, strokes, and files without dates."""

import io
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from impromptu.arrays import Floats
from impromptu.clip import Trajectory

# Okabe and Ito's palette, told apart with any kind of colour vision; shapes repeat what it says.
TRUTH = "#009E73"
_RUN_STYLES = (("#D55E00", "o"), ("#0072B2", "s"), ("#CC79A7", "^"), ("#E69F00", "D"))
INK, PAST, GRID = "#1F2933", "#52606D", "#E4E7EB"

EGO_LENGTH_M, EGO_WIDTH_M, EGO_REAR_M = 4.1, 1.85, 1.0
"""The ego as drawn, its rear end so far behind the rear axle."""

_STYLE: dict[str, Any] = {
    "figure.facecolor": "white",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.edgecolor": GRID,
    "axes.labelcolor": PAST,
    "text.color": INK,
    "xtick.color": PAST,
    "ytick.color": PAST,
}
_STILL_M = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Paths:
    """What is drawn of one sample, all in the present ego frame.

    Attributes:
        past: Ends now.
        predicted: By run, in the order that gives runs their colours; None where the run gave no
            answer that could be read.
    """

    past: Trajectory
    truth: Trajectory
    predicted: Mapping[str, Trajectory | None]

    def from_now(self, path: Trajectory) -> Floats:
        """Return the (n + 1, 2) points of a path to come, the present first."""
        return np.vstack([self.past.xy_m[-1:], path.xy_m])

    def styles(self) -> list[tuple[str, str]]:
        """Return colour and marker of every run."""
        return [run_style(position) for position in range(len(self.predicted))]

    def readable(self) -> Iterator[tuple[tuple[str, str], Trajectory]]:
        """Yield (colour, marker) and path of every run that has one."""
        for style, path in zip(self.styles(), self.predicted.values(), strict=True):
            if path is not None:
                yield style, path


def run_style(position: int) -> tuple[str, str]:
    """Return the colour and matplotlib marker of the run at a position; both start over."""
    return _RUN_STYLES[position % len(_RUN_STYLES)]


def house_style() -> AbstractContextManager[None]:
    """Draw alike whatever the user's own matplotlib settings are."""
    style: AbstractContextManager[None] = matplotlib.style.context(["default", _STYLE])
    return style


def draw_points(axes: Axes, points: Floats, color: str, marker: str, size: float) -> None:
    """Mark (n, 2) points, with a light edge that keeps them apart from what is below."""
    edge: dict[str, Any] = {"markeredgecolor": "white", "markeredgewidth": 0.8}
    axes.plot(*points.T, marker, color=color, markersize=size, **edge)


def swept(xy_m: Floats) -> Floats:
    """Return the (k, 4, 2) pieces of the strip that the ego's width sweeps along (n, 2) points.

    Steps under 5 cm are passed over: a standing car sweeps nothing, and has no direction.
    """
    moving = np.hypot(*np.diff(xy_m, axis=0).T) >= _STILL_M
    xy_m = xy_m[np.concatenate([[True], moving])]
    if len(xy_m) < 2:
        return np.empty((0, 4, 2))
    ahead = np.gradient(xy_m, axis=0)
    length = np.maximum(np.hypot(*ahead.T), 1e-9)[:, None]
    side_m = EGO_WIDTH_M / 2 * np.column_stack([-ahead[:, 1], ahead[:, 0]]) / length
    left_m, right_m = xy_m + side_m, xy_m - side_m
    return np.stack([left_m[:-1], left_m[1:], right_m[1:], right_m[:-1]], axis=1)


def jpeg(figure: Figure) -> bytes:
    """Return JPEG bytes, for a photograph."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="jpeg", pil_kwargs={"quality": 90, "optimize": True})
    return buffer.getvalue()


def png(figure: Figure) -> bytes:
    """Return PNG bytes without the drawing library's version in them."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None}, pil_kwargs={"optimize": True})
    return buffer.getvalue()
