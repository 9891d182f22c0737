"""The past as prompts tell it, and lists of waypoints as answers write them."""

import re
from collections.abc import Callable

import numpy as np

from impromptu.clip import STEP_S, EgoStatus, Observation, Trajectory
from impromptu.questions import AnswerError
from impromptu.questions._text import tagged, untagged
from impromptu.wording import Wording

TAG = "PLANNING"
Number = Callable[[float], str]

_BRACKETS = re.compile(r"\[([^\[\]]*\d[^\[\]]*)\]")
_NUMBER = r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*"
_POINT = re.compile(f"{_NUMBER},{_NUMBER}", re.ASCII)


def history(observation: Observation, wording: Wording, task: str, number: Number) -> str:
    """Write the past: ``(t-1.5s) [x, y], Acceleration: ..., Velocity: ..., (t-1.0s) ...``.

    What is not known of a status is left out.
    """
    past = observation.past
    entries = []
    for t_s, (x, y), status in zip(past.t_s, past.xy_m, observation.statuses, strict=True):
        # The published formats write the present as [0.0, 0.0], whatever the other decimals.
        at = f"{number(x)}, {number(y)}" if t_s else "0.0, 0.0"
        entries += [f"(t-{abs(t_s):.1f}s) [{at}]", *_status(status, wording, task, number)]
    return ", ".join(entries)


def _status(status: EgoStatus | None, wording: Wording, task: str, number: Number) -> list[str]:
    if status is None:
        return []
    parts = []
    if status.acceleration_mps2 is not None:
        x, y = map(number, status.acceleration_mps2)
        parts.append(wording.render(f"{task}.acceleration", x=x, y=y))
    x, y = map(number, status.velocity_mps)
    parts.append(wording.render(f"{task}.velocity", x=x, y=y))
    if task == "planning" and status.steering_rad is not None:
        steering = number(status.steering_rad)
        parts.append(wording.render("planning.steering", steering=steering))
    return parts


def history_s(observation: Observation) -> str:
    """Write how far back the past goes, in seconds: ``1.5``."""
    return f"{-observation.past.t_s[0]:z.1f}"


def write(trajectory: Trajectory, wording: Wording, task: str, number: Number) -> str:
    """Write waypoints as ``[x, y], [x, y]`` in the task's answer sentence, in tags."""
    points = ", ".join(f"[{number(x)}, {number(y)}]" for x, y in trajectory.xy_m)
    return tagged(TAG, wording.render(f"{task}.answer", waypoints=points))


def read(text: str, count: int) -> Trajectory:
    """Read waypoints 0.5 s apart, the first at 0.5 s.

    Brackets without a digit, such as the sentence's own ``[x, y]``, are passed over.

    Raises:
        AnswerError: There are not ``count`` of them, or one is not two finite numbers.
    """
    points = [_point(inside) for inside in _BRACKETS.findall(untagged(TAG, text))]
    if len(points) != count:
        raise AnswerError(f"expected {count} waypoints, found {len(points)} in {text[:80]!r}")
    return Trajectory(STEP_S * np.arange(1, count + 1), np.array(points))


def _point(inside: str) -> tuple[float, float]:
    match = _POINT.fullmatch(inside)
    point = (float(match[1]), float(match[2])) if match else (np.inf, np.inf)
    if not np.isfinite(point).all():
        raise AnswerError(f"expected a waypoint [x, y] of two numbers, got [{inside[:80]}]")
    return point
