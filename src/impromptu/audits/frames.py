"""Are waypoints in one frame, x forward and y left, and does the future go on from the past?"""

from collections.abc import Iterator

import numpy as np

from impromptu.arrays import Floats
from impromptu.audits import Audit, Finding, Record, Tally, graded, percent

_MOVED_M = 5.0
_AHEAD_M, _BEHIND_M = 0.5, 1.0
_TURN_M = 0.3
_JUMP_M = 4.0
"""A step may differ so much from the one before it: 16 m/s2 over half a second."""
_LEAST = 20
_ONE_SIDE = 0.35
"""Chance would give a half."""
_TEXTS = {
    "past_ahead": "In {n} samples ({share}) the past lies ahead of the car.",
    "behind": f"In {{n}} answers ({{share}}) the car goes back by more than {_BEHIND_M:g} m.",
    "jump_now": "In {n} samples ({share}) the first waypoints do not go on from the past: from one "
    f"step to the next the motion changes by more than {_JUMP_M:g} m.",
    "jump": "In {n} answers ({share}) a step differs from the one before by more than "
    f"{_JUMP_M:g} m, which is over 16 m/s2 at half-second steps: poses jump.",
}


class _Frames:
    def __init__(self) -> None:
        self.tally = Tally()
        self.moving = self.sideways = self.with_past = self.bends = self.same_side = 0
        self.commands = self.obeyed = 0

    def see(self, record: Record) -> None:
        path = record.path_m
        if path is None or len(path) < 3:
            return
        self.tally.seen += 1
        past = record.past_m
        past = past if past is not None and len(past) else np.zeros((0, 2))
        self._jumps(record, past, path)
        if np.abs(path[-1]).max() < _MOVED_M:
            return
        self.moving += 1
        self.sideways += bool(abs(path[-1, 1]) > 2 * abs(path[-1, 0]))
        if path[:, 0].min() < -_BEHIND_M:
            self.tally.add("behind", record, f"x down to {path[:, 0].min():.1f} m")
        if len(past):
            self._past(record, past, path)
        self._command(record, path)

    def _past(self, record: Record, past: Floats, path: Floats) -> None:
        self.with_past += 1
        if past[:, 0].max() > _AHEAD_M and path[0, 0] > 0:
            self.tally.add("past_ahead", record, f"x up to {past[:, 0].max():.1f} m")
        # In a bend, past and future lie on the same side of the present heading.
        near = path[np.argmin(np.abs(path[:, 0] + past[0, 0]))]
        if min(abs(past[0, 1]), abs(near[1])) > _TURN_M and past[0, 0] < -1:
            self.bends += 1
            self.same_side += bool(past[0, 1] * near[1] > 0)

    def _jumps(self, record: Record, past: Floats, path: Floats) -> None:
        points = np.concatenate([past, np.zeros((1, 2)), path])
        change_m = np.abs(np.diff(points, 2, axis=0)).max(axis=1)
        if change_m.max() <= _JUMP_M:
            return
        at = int(change_m.argmax())
        between = {len(past) - 1: "from past to future"}.get(at, f"near {points[at + 1]}")
        name = "jump_now" if at in (len(past) - 1, len(past)) and len(past) else "jump"
        self.tally.add(name, record, f"{change_m.max():.1f} m {between}")

    def _command(self, record: Record, path: Floats) -> None:
        text = record.prompt.lower()
        left, right = "turn left" in text, "turn right" in text
        if left != right and abs(path[-1, 1]) > _MOVED_M:
            self.commands += 1
            self.obeyed += bool((path[-1, 1] > 0) == left)

    def findings(self) -> Iterator[Finding]:
        yield from self._axes()
        yield from self._sides()
        totals = {"past_ahead": self.with_past, "behind": self.moving}
        for name, text in _TEXTS.items():
            of = totals.get(name, self.tally.seen)
            severity = graded(self.tally.counts.get(name, 0), of)
            yield from self.tally.finding(severity, name, text, of)

    def _axes(self) -> Iterator[Finding]:
        if self.moving >= _LEAST and self.sideways > self.moving / 2:
            text = (
                f"{percent(self.sideways, self.moving)} of the cars that move go sideways: x and y "
                "are swapped (expected x forward, y left)."
            )
            yield Finding("error", "axes_swapped", text, self.sideways, self.moving)

    def _sides(self) -> Iterator[Finding]:
        if self.bends >= _LEAST and self.same_side < _ONE_SIDE * self.bends:
            text = (
                f"In only {percent(self.same_side, self.bends)} of the bends past and future lie "
                "on the same side: y of the prompt and of the answer have opposite signs."
            )
            yield Finding("error", "y_flipped", text, self.bends - self.same_side, self.bends)
        if self.commands >= _LEAST and self.obeyed < _ONE_SIDE * self.commands:
            text = (
                f"Only {percent(self.obeyed, self.commands)} of the prompts that say 'turn left' "
                "or 'turn right' have waypoints there: y points right, or commands are wrong."
            )
            count = self.commands - self.obeyed
            yield Finding("error", "command_side", text, count, self.commands)


AUDIT = Audit("Are waypoints in one frame, x forward and y left?", _Frames)
