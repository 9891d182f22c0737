"""What a prompt tells in numbers about the ego: its past path, its status, its command.

The marks of a history, ``(t-0.5s) [x, y]``, are the same in every wording, preset and published
file. What follows a mark, up to the next one or the end of the line, is its status: the numbers
behind the words velocity, acceleration and steering, any of which may be missing.
"""

import re
from dataclasses import dataclass

import numpy as np

from impromptu.arrays import Floats

LIMIT = 1e5
"""No metre, m/s, m/s2 or radian of a car is that far from zero; a history with one is not read."""

_NUMBER = r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)"
_MARK = re.compile(
    rf"\(\s*t\s*-\s*(\d+(?:\.\d+)?)\s*s\s*\)\s*\[\s*{_NUMBER}\s*,\s*{_NUMBER}\s*\]", re.ASCII
)
# A label and its number, and a second number only where nothing but "Y" stands between the two.
_VECTOR = rf"[^\d\n,]{{0,20}}?{_NUMBER}(?:\s*,\s*Y?\s*{_NUMBER})?"
_VELOCITY, _ACCELERATION, _STEERING = (
    re.compile(rf"\b{word}\w*{_VECTOR}", re.IGNORECASE | re.ASCII)
    for word in ("veloc", "accel", "steer")
)
_SPEED = re.compile(rf"{_NUMBER}\s*m/s\b(?!\^)", re.ASCII)
COMMANDS = "go straight", "turn left", "turn right"
"""Navigation commands; the published ``go straight and turn left`` is two of them."""


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """A history as a prompt tells it, oldest first; the last point is the present, at 0 s.

    Attributes:
        t_s: (n,) times, rising to 0.
        xy_m: (n, 2) in the present frame.
        velocity_mps, acceleration_mps2: (n, 2), along the axes that the prompt uses; NaN where
            not told, which of a velocity may be its second part alone.
        steering_rad: (n,) NaN where not told.
    """

    t_s: Floats
    xy_m: Floats
    velocity_mps: Floats
    acceleration_mps2: Floats
    steering_rad: Floats

    def now_mps(self) -> Floats | None:
        """Return the present velocity, (2,): as told, else of the last step; None without one."""
        x, y = self.velocity_mps[-1]
        if not np.isnan(x):
            return np.array([x, 0.0 if np.isnan(y) else y])
        if len(self.t_s) < 2:
            return None
        step_mps: Floats = (self.xy_m[-1] - self.xy_m[-2]) / (self.t_s[-1] - self.t_s[-2])
        return step_mps


def read_history(prompt: str) -> Told | None:
    """Read a prompt's history; None where it has none, several, or one that cannot be."""
    marks = list(_MARK.finditer(prompt))
    if not marks:
        return None
    ends = [mark.start() for mark in marks[1:]] + [len(prompt)]
    statuses = [
        prompt[mark.end() : end].partition("\n")[0] for mark, end in zip(marks, ends, strict=True)
    ]
    return _sound(
        np.array([[-float(mark[1]), float(mark[2]), float(mark[3])] for mark in marks]),
        np.array([_status(status) for status in statuses]),
    )


def read_speed(prompt: str) -> Told | None:
    """Read a prompt's only speed, as a history of one point; None where there is not just one."""
    found = _SPEED.findall(prompt)
    if len(found) != 1:
        return None
    return _sound(np.zeros((1, 3)), np.array([[float(found[0]), 0.0, *[np.nan] * 3]]))


def _status(text: str) -> list[float]:
    """Return velocity x, y, acceleration x, y and steering, NaN for what is not there."""
    return [
        *_numbers(_VELOCITY, text, 2),
        *_numbers(_ACCELERATION, text, 2),
        *_numbers(_STEERING, text, 1),
    ]


def _numbers(label: re.Pattern[str], text: str, count: int) -> list[float]:
    match = label.search(text)
    found = match.groups()[:count] if match else (None,) * count
    return [np.nan if number is None else float(number) for number in found]


def _sound(points: Floats, statuses: Floats) -> Told | None:
    """Take (n, 3) times and places and (n, 5) statuses for a history, if they can be one."""
    t_s = points[:, 0] + 0.0
    beyond = (np.abs(points) > LIMIT).any() or (np.abs(statuses) > LIMIT).any()
    if t_s[-1] != 0 or (np.diff(t_s) <= 0).any() or beyond:
        return None
    return Told(t_s, points[:, 1:], statuses[:, :2], statuses[:, 2:4], statuses[:, 4])


def told_commands(prompt: str) -> Floats:
    """Return 1 for each of ``COMMANDS`` that the prompt has, else 0."""
    return np.array([float(command in prompt) for command in COMMANDS])
