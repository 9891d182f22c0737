"""Do answers about one clip contradict each other: plan and waypoints, road users in two lists?"""

import re
from array import array
from collections.abc import Iterator

import numpy as np

from impromptu.arrays import Bools, Floats, Ints
from impromptu.audits import Audit, Finding, Record, graded, percent
from impromptu.audits._keys import Keys, Reservoir, first_pairs, joined
from impromptu.clip import STEP_S, MetaAction, Trajectory, Unanswerable
from impromptu.geometry import wrap_rad
from impromptu.meta_actions import PATH_WORDS, SPEED_WORDS, decide
from impromptu.questions import AnswerError
from impromptu.questions.meta_action import read as read_action

_POINTS = 6
"""Plans are about 3 s: six waypoints half a second apart."""
_CHANGE_MPS, _STOP_MPS, _KEEP_MPS = 1.0, 2.0, 4.0
_TURN_DEG, _BEND_DEG = 10.0, 35.0
_ASIDE_M, _FAR_M, _WAY_M, _STEP_M = 1.0, 3.0, 5.0, 0.5
_LEAST_TURNS = 10
_WORDS_KEPT = 2_000
_FOOT = re.compile(
    r":\s*(?:\w+[._ ])*(?:pedestrian|person|adult|child)\w*(?:[._ ]\w+)*, (\d{1,4}) met\w+ ahead",
    re.IGNORECASE | re.ASCII,
)
_NEAR_M = 18
"""q1 asks up to 20 m; closer than this no rounding and no box size excuses a "No"."""


class _Geometry:
    def __init__(self) -> None:
        self.plans, self.words = Keys(), array("b")
        self.paths, self.shapes = Keys(), array("f")
        self.nobody, self.on_foot = Keys(), Keys()
        self.kept, self.chosen = list[tuple[int, float, Floats]](), Reservoir(_WORDS_KEPT, seed=0)

    def see(self, record: Record) -> None:
        if record.task == "q6" and record.clip:
            self._plan(record)
        elif record.path_m is not None and len(record.path_m) >= _POINTS and record.clip:
            self._path(record, record.path_m[:_POINTS])
        elif record.task == "q1" and record.paths:
            if record.answer[:2].lower() == "no":
                self.nobody.add(record.paths[0], record.number)
        elif record.task == "q2" and record.paths:
            if any(int(ahead) <= _NEAR_M for ahead in _FOOT.findall(record.prompt)):
                self.on_foot.add(record.paths[0], record.number)

    def _plan(self, record: Record) -> None:
        try:
            action = read_action(record.answer)
        except AnswerError:
            return
        self.plans.add(record.clip, record.number)
        self.words.append(SPEED_WORDS.index(action.speed))
        self.words.append(PATH_WORDS.index(action.path))

    def _path(self, record: Record, path_m: Floats) -> None:
        self.paths.add(record.clip, record.number)
        self.shapes.extend(_shape(path_m))
        if (place := self.chosen.place()) is not None:
            past_m = record.past_m
            step_m = past_m[-1] if past_m is not None and len(past_m) else path_m[0]
            speed_mps = float(np.hypot(*step_m)) / STEP_S
            self.kept[place : place + 1] = [(hash(record.clip), speed_mps, path_m)]

    def findings(self) -> Iterator[Finding]:
        i, j = joined(self.plans.keys(), self.paths.keys())
        if len(i):
            speeds, paths = np.array(self.words).reshape(-1, 2)[i].T
            shapes = np.array(self.shapes, dtype=np.float64).reshape(-1, 4)[j]
            numbers = np.stack([self.plans.numbers()[i], self.paths.numbers()[j]], axis=1)
            yield from _contradictions(speeds, paths, shapes, numbers)
            yield from _sides(paths, shapes)
            yield from self._strict()
        i, j = joined(self.nobody.keys(), self.on_foot.keys())
        if len(i):
            numbers = np.stack([self.nobody.numbers()[i], self.on_foot.numbers()[j]], axis=1)
            text = f"{len(i):,} answers to q1 see nobody, where q2 tells of someone on foot within "
            text += f"{_NEAR_M} m ahead in the same image."
            severity = graded(len(i), len(self.nobody))
            examples = first_pairs(*numbers.T)
            yield Finding(severity, "nobody_yet_someone", text, len(i), len(self.nobody), examples)

    def _strict(self) -> Iterator[Finding]:
        """Compare plans with what our own rules make of the waypoints."""
        keys = np.array([key for key, _, _ in self.kept], dtype=np.int64)
        i, j = joined(keys, self.plans.keys())
        same = total = 0
        words = np.array(self.words).reshape(-1, 2)
        for at, plan in zip(i, j, strict=True):
            _, speed_mps, path_m = self.kept[at]
            made = _decided(speed_mps, path_m)
            speed, path = words[plan]
            told = MetaAction(SPEED_WORDS[speed], PATH_WORDS[path])
            total, same = total + 1, same + (made == told)
        if total:
            text = (
                f"The strict rules, applied to the waypoints alone, give the same plan as q6 in "
                f"{percent(same, total)} of {total:,} clips (strict data: 95 % or more; "
                "its rules also know headings and the speed now)."
            )
            yield Finding(
                "note", "strict_words", text, same, total, figures={"agree": same / total}
            )


def _decided(speed_mps: float, path_m: Floats) -> MetaAction | None:
    try:
        return decide(speed_mps, Trajectory(STEP_S * np.arange(1, _POINTS + 1), path_m))
    except Unanswerable:
        return None


def _shape(path_m: Floats) -> tuple[float, float, float, float]:
    """Return the first and last speed (m/s), the change of course (deg) and the shift left (m).

    The last two are NaN where the car hardly moves: its course is noise then.
    """
    steps_m = np.diff(path_m, axis=0, prepend=0.0)
    way_m = np.hypot(steps_m[:, 0], steps_m[:, 1])
    early, late = way_m[0] / STEP_S, way_m[-1] / STEP_S
    moving = np.flatnonzero(way_m > _STEP_M)
    if way_m.sum() < _WAY_M or len(moving) < 2:
        return early, late, np.nan, np.nan
    first, last = steps_m[moving[0]], steps_m[moving[-1]]
    turn_rad = wrap_rad(np.arctan2(last[1], last[0]) - np.arctan2(first[1], first[0]))
    return early, late, float(np.rad2deg(turn_rad)), path_m[-1, 1]


def _contradictions(speeds: Ints, paths: Ints, shapes: Floats, numbers: Ints) -> Iterator[Finding]:
    early, late, turn, left = shapes.T
    speed, path = SPEED_WORDS.index, PATH_WORDS.index
    gain = late - early
    wrong = (
        ((speeds == speed("STOP")) & (late > _STOP_MPS))
        | ((speeds == speed("ACCELERATE")) & (gain < -_CHANGE_MPS))
        | ((speeds == speed("DECELERATE")) & (gain > _CHANGE_MPS))
        | ((speeds == speed("KEEP")) & (np.abs(gain) > _KEEP_MPS))
    )
    text = (
        "{n} plans of q6 ({share}) contradict the speed along the waypoints of the same clip: STOP "
        f"at over {_STOP_MPS:g} m/s after 3 s, or the speed changes the other way by over "
        f"{_CHANGE_MPS:g} m/s, or KEEP while it changes by over {_KEEP_MPS:g} m/s."
    )
    yield from _wrong("speed_contradiction", text, wrong, numbers)
    straight = np.abs(turn) < _TURN_DEG / 2
    wrong = (
        ((paths == path("LEFT_TURN")) & (turn < -_TURN_DEG) & (left < -_ASIDE_M))
        | ((paths == path("RIGHT_TURN")) & (turn > _TURN_DEG) & (left > _ASIDE_M))
        | ((paths == path("LEFT_CHANGE")) & straight & (left < -_ASIDE_M))
        | ((paths == path("RIGHT_CHANGE")) & straight & (left > _ASIDE_M))
        | ((paths == path("STRAIGHT")) & (np.abs(turn) > _BEND_DEG) & (np.abs(left) > _FAR_M))
    )
    text = (
        "{n} plans of q6 ({share}) contradict the path of the waypoints of the same clip: a turn "
        f"or change to the other side, or STRAIGHT along a bend of over {_BEND_DEG:g} degrees."
    )
    yield from _wrong("path_contradiction", text, wrong, numbers)


def _wrong(name: str, text: str, wrong: Bools, numbers: Ints) -> Iterator[Finding]:
    if count := int(wrong.sum()):
        told = text.replace("{n}", f"{count:,}").replace("{share}", percent(count, len(wrong)))
        severity = graded(count, len(wrong))
        examples = first_pairs(*numbers[wrong].T)
        yield Finding(severity, name, told, count, len(wrong), examples)


def _sides(paths: Ints, shapes: Floats) -> Iterator[Finding]:
    """Compare the side that words tell with the sign of y."""
    left = np.isin(paths, [PATH_WORDS.index(word) for word in ("LEFT_TURN", "LEFT_CHANGE")])
    aside = (np.abs(shapes[:, 3]) > _ASIDE_M) & (paths != PATH_WORDS.index("STRAIGHT"))
    total = int(aside.sum())
    agree = int(((shapes[:, 3] > 0) == left)[aside].sum())
    if total < _LEAST_TURNS:
        return
    text = (
        f"In {percent(agree, total)} of {total:,} clips with a turn or change, words and the sign "
        "of y agree on the side (y points left)."
    )
    if agree < total / 3:
        text += " So y points right, or left and right are swapped in the words."
        yield Finding("error", "left_is_right", text, total - agree, total)
    else:
        yield Finding("note", "sides", text, total - agree, total)


AUDIT = Audit("Do answers about one clip contradict each other?", _Geometry)
