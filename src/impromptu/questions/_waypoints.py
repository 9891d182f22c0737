"""The past as prompts tell it, and waypoints as answers write them: in numbers or in tokens."""

import re
from collections.abc import Callable
from functools import cache
from itertools import chain, islice
from math import isfinite

import numpy as np

from impromptu import action_tokens
from impromptu.arrays import Floats, assembled, floats
from impromptu.clip import STEP_S, EgoStatus, Observation, Trajectory
from impromptu.questions import AnswerError
from impromptu.questions._text import tagged, untagged
from impromptu.wording import Wording

TAG = "PLANNING"
Number = Callable[[float], str]

_BRACKETS = re.compile(r"\[([^\[\]]*)\]")
_FIRST = re.compile(r"\[[-\d]", re.ASCII)
_DIGIT = re.compile(r"\d")
_NUMBER = r"\s*([-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)\s*"
_POINT = re.compile(rf"\[{_NUMBER},{_NUMBER}\]", re.ASCII)
# Possessive, so that a long text that is no list is given up at once.
_LISTED = r" *+[-+]?\d++(?:\.\d++)?+(?:[eE][-+]?\d++)?+ *+"
_LIST = re.compile(rf"(?:\[{_LISTED},{_LISTED}\](?: *+, *+(?=\[)| *+\Z))++", re.ASCII)


def history(observation: Observation, wording: Wording, task: str, number: Number) -> str:
    """Write the past: ``(t-1.5s) [x, y], Acceleration: ..., Velocity: ..., (t-1.0s) ...``.

    What is not known of a status is left out.
    """
    past = observation.past
    entries = []
    rows = zip(past.t_s.tolist(), past.xy_m.tolist(), observation.statuses, strict=True)
    for t_s, (x, y), status in rows:
        # The published formats write the present as [0.0, 0.0], whatever the other decimals.
        at = f"{number(x)}, {number(y)}" if t_s else "0.0, 0.0"
        entries += [f"(t-{abs(t_s):.1f}s) [{at}]", *_status(status, wording, task, number)]
    return ", ".join(entries)


def _status(status: EgoStatus | None, wording: Wording, task: str, number: Number) -> list[str]:
    if status is None:
        return []
    parts = []
    if status.acceleration_mps2 is not None:
        x, y = map(number, status.acceleration_mps2.tolist())
        parts.append(wording.render(f"{task}.acceleration", x=x, y=y))
    x, y = map(number, status.velocity_mps.tolist())
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
    points = ", ".join(f"[{number(x)}, {number(y)}]" for x, y in trajectory.xy_m.tolist())
    return tagged(TAG, wording.render(f"{task}.answer", waypoints=points))


def read(text: str, count: int) -> Trajectory:
    """Read waypoints 0.5 s apart, the first at 0.5 s, as numbers or as action tokens.

    Brackets without a digit, such as the sentence's own ``[x, y]``, are passed over, and so is all
    that stands outside the tags: the reasoning of a slow answer.

    Raises:
        AnswerError: There are not ``count`` of them, one is not two finite numbers, or there is
            something else among action tokens.
    """
    inside = untagged(TAG, text)
    xy_m = _moves(inside) if action_tokens.MARK in inside else _plain_list(inside)
    if xy_m is None:
        xy_m = _points(inside)
    if len(xy_m) != count:
        raise AnswerError(
            f"expected {count} waypoints, found {len(xy_m)} in {text[:80]!r}", "number_of_waypoints"
        )
    try:
        xy_m = floats(xy_m, count, 2, name="waypoints")
    except ValueError as error:
        raise AnswerError(
            f"expected waypoints of two numbers, got {text[:80]!r}", "number_too_large"
        ) from error
    return assembled(Trajectory, _times_s(count), xy_m, None)


def _moves(text: str) -> Floats:
    """Read action tokens and nothing else, (n, 2).

    Raises:
        AnswerError: There is something else, or x and y do not take turns.
    """
    parts = action_tokens.TOKEN.split(text)
    if strange := "".join(parts[::3]).strip(" ,\t\r\n"):
        raise AnswerError(
            f"expected action tokens such as {action_tokens.token('x', 413)} and nothing else, "
            f"got {strange[:80]!r}",
            "unknown_token",
        )
    if "".join(parts[1::3]) != "xy" * (len(parts) // 6):
        raise AnswerError(f"expected x and y by turns, got {text[:80]!r}", "tokens_out_of_turn")
    return action_tokens.places_m(text)


def _plain_list(text: str) -> Floats | None:
    """Read waypoints that end the text as a plain list, (n, 2); None where they do not.

    Several times as fast as looking for one waypoint after the other.
    """
    if (start := _FIRST.search(text)) is None:
        return None
    head, points = text[: start.start()], text[start.start() :]
    if head.count("[") != head.count("[x, y]") or _LIST.fullmatch(points) is None:
        return None
    numbers = points.replace("[", "").replace("]", "").split(",")
    return np.array(list(map(float, numbers))).reshape(-1, 2)


def _points(text: str) -> Floats:
    """Read waypoints wherever they are, (n, 2).

    Raises:
        AnswerError: A bracket with a digit in it is no waypoint.
    """
    # Text, x, y, text, x, y ... text.
    parts = _POINT.split(text)
    if _brackets("".join(parts[::3])):
        for bracket in _brackets(text):
            _require_point(bracket)
    return np.array([*map(float, parts[1::3]), *map(float, parts[2::3])]).reshape(2, -1).T


def read_padded(text: str, count: int) -> Trajectory:
    """Read the first ``count`` finite waypoints wherever they are, the last one repeated if short.

    Text without any stands still at the origin. Where there is an opening tag, what stands before
    it is passed over.
    """
    inside = text.rpartition(f"<{TAG}>")[2]
    found = (tuple(map(float, match.groups())) for match in _POINT.finditer(inside))
    moves = map(tuple, action_tokens.places_m(inside).tolist())
    points = list(islice(filter(_is_finite, chain(found, moves)), count)) or [(0.0, 0.0)]
    points += points[-1:] * (count - len(points))
    return Trajectory(_times_s(count), np.array(points))


def _is_finite(point: tuple[float, ...]) -> bool:
    return all(map(isfinite, point))


def _brackets(text: str) -> list[str]:
    """Return the brackets that hold a digit and no other bracket."""
    return [found[0] for found in _BRACKETS.finditer(text) if _DIGIT.search(found[1])]


def _require_point(bracket: str) -> None:
    if _POINT.fullmatch(bracket) is None:
        raise AnswerError(
            f"expected a waypoint [x, y] of two numbers, got {bracket[:80]}", "not_two_numbers"
        )


@cache
def _times_s(count: int) -> Floats:
    return floats(STEP_S * np.arange(1, count + 1), count, name="times")
