"""The published scoring script's arithmetic, faults included: only to compare with its figures.

It forgives what a driver would not: a turn to the wrong side scores 0 m (each waypoint takes the
smallest of four sign flips), naming every possible intention scores 1, distances of road users are
not looked at, "No" anywhere in a text means nobody is there, and an answer that cannot be read
counts as a car that stands still. The strict evaluation has none of this.

The rules are written here from a description of what the published script does. It pairs files by
sorted position, passes over names that hold ``.json`` and joins predictions by line; here files
and answers are joined as the strict evaluation joins them, and each result says what differs.
"""

import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from impromptu.answer_files import Joined
from impromptu.arrays import Floats

FORGIVES = (
    "published arithmetic, faults included: it forgives mirrored waypoints, wrong distances, "
    "superfluous answers and unreadable text; use it only beside published figures"
)
LIGHTS = ("None", "Red", "Green", "Yellow")
STEPS = 10

_ROAD_USER = re.compile(
    r"(?:a|an) ([A-Za-z\s]+) located \d+ meters ahead of me "
    r"and \d+ meters to the (?:left|right|front|back)"
)
_INTENTION = re.compile(r"Object \d+: (\w+), (\w+)")
_PLAN = re.compile(r"<SPEED PATH PLAN>\s*([A-Z+_]+)\s*,\s*([A-Z+_]+)\s*</SPEED PATH PLAN>")
_SPEED_KEY = re.compile(r'"Velocity Plan"\s*:\s*"([^"]*)"')
_PATH_KEY = re.compile(r'"Path Plan"\s*:\s*"([^"]*)"')
_TRUE_POINT = re.compile(r"\[(-?\d+\.\d+), (-?\d+\.\d+)\]")
_POINT = re.compile(r"\[\s*(-?\d+\.\d+)\s*,\s*(-?\d+\.\d+)\s*\]")


@dataclass(frozen=True, slots=True)
class Rule:
    """How one task is scored: the names of its figures, and (true, predicted) -> one of each.

    ``score`` raises ValueError where the published script stops with an error or has no number.
    """

    figures: tuple[str, ...]
    path_key: str
    score: Callable[[str, str], tuple[float, ...]]


def evaluate(joined: Joined) -> dict[str, Any]:
    """Score one pair of files; return the published keys, and what to know about them.

    Figures are None, with a ``note``, where the published script divides by zero or stops.

    Raises:
        LookupError: The published script does not score this task.
    """
    task = joined.pair.task
    if task not in RULES:
        raise LookupError(f"the released protocol scores {', '.join(RULES)}, not {task}")
    rule = RULES[task]
    answered = [(a.id, a.true, a.predicted) for a in joined.answers if a.predicted is not None]
    rows, note = list[tuple[float, ...]](), "" if answered else "no prediction to score"
    for name, true, predicted in answered:
        try:
            rows.append(rule.score(true, predicted))
        except ValueError as error:
            rows, note = [], f"{name}: {error}; the published script has no result here"
            break
    means: list[float | None] = [_mean(column) for column in zip(*rows, strict=True)]
    return {
        "q": task,
        **dict(zip(rule.figures, means or [None] * len(rule.figures), strict=True)),
        rule.path_key: str(joined.pair.prediction),
        "cnt": len(answered),
        "protocol": "released",
        "forgives": FORGIVES,
        "asked": len(joined.answers),
        "joined_by": joined.joined_by,
        "preset": joined.preset,
        "differs": _differences(joined),
        "note": note,
    }


def road_users(true: str, predicted: str) -> tuple[float]:
    """Return F1 of the multisets of classes named with a distance and a side (q1)."""
    truth, answer = _classes(true), _classes(predicted)
    if not truth or not answer:
        return (float(not truth and not answer),)
    overlap = _overlap(truth, answer)
    if not overlap:
        return (0.0,)
    precision, recall = overlap / len(answer), overlap / len(truth)
    return (2 * precision * recall / (precision + recall),)


def intentions(true: str, predicted: str) -> tuple[float, ...]:
    """Return multiset overlap over number of true objects, of speed, path and pair (q2)."""
    truth, answer = _INTENTION.findall(true), _INTENTION.findall(predicted)
    if not truth:
        return 1.0, 1.0, 1.0
    speed = _overlap([s for s, _ in truth], [s for s, _ in answer])
    path = _overlap([p for _, p in truth], [p for _, p in answer])
    return speed / len(truth), path / len(truth), _overlap(truth, answer) / len(truth)


def traffic_light(true: str, predicted: str) -> tuple[float]:
    """Return 1 where the first word of ``LIGHTS`` found in the prediction is the truth (q4)."""
    answer = next((word for word in LIGHTS if word in predicted), predicted)
    return (float(answer == true),)


def plan(true: str, predicted: str) -> tuple[float, ...]:
    """Return 1 or 0 for the speed word, the path word and both (q6).

    Raises:
        ValueError: The true answer has no tags.
    """
    if (truth := _PLAN.search(true)) is None:
        raise ValueError(f"the true answer {true!r:.60} has no <SPEED PATH PLAN> tags")
    speed, path = (
        word == right for word, right in zip(_plan(predicted), truth.groups(), strict=True)
    )
    return float(speed), float(path), float(speed and path)


def waypoints(true: str, predicted: str) -> tuple[float, ...]:
    """Return the mean distances in metres up to 1, 2, 3, 4, 5 s, best of four sign flips (q7).

    Raises:
        ValueError: The true answer has under ten points with decimals, or a distance overflows.
    """
    truth = _TRUE_POINT.findall(true)[:STEPS]
    if len(truth) < STEPS:
        raise ValueError(f"the true answer has {len(truth)} points with decimals, not {STEPS}")
    gap_m = np.abs(_points(predicted)) - np.abs(np.array(truth, dtype=np.float64))
    # Of |x - t|, |-x - t| the smaller is ||x| - |t||, to the last bit: rounding is symmetric.
    with np.errstate(over="ignore"):
        distance_m = np.sqrt((gap_m**2).sum(axis=1))
    if not np.isfinite(distance_m).all():
        raise ValueError("a waypoint is too far away to square its distance")
    return tuple(float(distance_m[:count].mean()) for count in range(2, STEPS + 1, 2))


RULES = {
    "q1": Rule(("accuray",), "filepath", road_users),
    "q2": Rule(("speed", "path", "both"), "filepath", intentions),
    "q4": Rule(("accuray",), "filepath", traffic_light),
    "q6": Rule(("speed", "path", "both"), "filepath", plan),
    "q7": Rule(tuple(f"loss_{s}" for s in range(1, 6)), "pred_path", waypoints),
}


def _classes(text: str) -> list[str]:
    return [] if "No" in text else _ROAD_USER.findall(text)


def _plan(text: str) -> tuple[str, str]:
    if tagged := _PLAN.search(text):
        return tagged[1], tagged[2]
    speed, path = _SPEED_KEY.search(text), _PATH_KEY.search(text)
    return (speed[1], path[1]) if speed and path else ("", "")


def _points(text: str) -> Floats:
    points = _POINT.findall(text)[:STEPS]
    if len(points) == STEPS - 1:
        points.append(points[-1])
    return np.array(points, dtype=np.float64) if len(points) == STEPS else np.zeros((STEPS, 2))


def _overlap(one: Iterable[Hashable], other: Iterable[Hashable]) -> int:
    return (Counter(one) & Counter(other)).total()


def _mean(values: Sequence[float]) -> float:
    """Add from left to right; ``sum`` rounds differently from Python 3.12 on."""
    return reduce(add, values, 0.0) / len(values)


def _differences(joined: Joined) -> list[str]:
    """Say what the published script would have done with these files."""
    said = ["it pairs the files of two folders by sorted position, not by name"]
    for path in (joined.pair.truth, joined.pair.prediction):
        if ".json" in path.name:
            said.append(f"it passes over {path.name}, because the name holds '.json'")
    if joined.joined_by == "id":
        said.append("it joins by line; these answers were joined by id")
    if missing := sum(answer.predicted is None for answer in joined.answers):
        said.append(f"it takes any number of lines in silence; {missing} samples have no answer")
    return said
