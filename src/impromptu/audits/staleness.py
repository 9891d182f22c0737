"""Are labels copied from the keyframe before, or drawn out to fill the horizon?"""

from collections import OrderedDict
from collections.abc import Iterator

import numpy as np

from impromptu.arrays import Floats
from impromptu.audits import Audit, Finding, Record, Tally, graded

_REMEMBERED = 50_000
_STEP_M = 1.0
"""A car that went this far in half a second does not stand to the centimetre in the next."""
_LONG_TEXT = 40
_TEXTS = {
    "copied_path": "{n} answers ({share}) repeat the waypoints of the sample before, though the "
    "car turns or brakes: they are half a second old.",
    "padded": "In {n} answers ({share}) a car that moves at over 2 m/s stands still from one "
    "waypoint to the next and to the end: the horizon was filled with the last one.",
    "zero_end": "{n} answers ({share}) end in [0, 0] after moving: missing waypoints were written "
    "as zeros.",
}


class _Staleness:
    def __init__(self) -> None:
        self.tally = Tally()
        self.paths = self.texts = 0
        self.last: OrderedDict[tuple[str, str, str], int] = OrderedDict()

    def see(self, record: Record) -> None:
        if record.path_m is not None and len(record.path_m) > 2:
            self._path(record, record.path_m)
        elif record.task in ("", "q3", "q5") and len(record.answer) > _LONG_TEXT:
            self.texts += 1
            if self._copied(record):
                self.tally.add("copied_text", record, record.answer)

    def _path(self, record: Record, path: Floats) -> None:
        self.paths += 1
        steps_m = np.hypot(*np.diff(path, axis=0).T)
        if self._copied(record) and record.motion:
            self.tally.add("copied_path", record)
        if not path[-1].any():
            far_m = np.hypot(*path[np.flatnonzero(path.any(axis=1))][-1:].T)
            if far_m.size and far_m[0] > _STEP_M:
                self.tally.add("zero_end", record)
            return
        moves = np.flatnonzero(steps_m)
        held = len(steps_m) - 1 - (moves[-1] if len(moves) else -1)
        if held and len(moves) and steps_m[moves[-1]] > _STEP_M:
            self.tally.add("padded", record, f"the last {held + 1} waypoints are one")

    def _copied(self, record: Record) -> bool:
        """Tell whether the answer is that of the record before of the same log and view."""
        view = record.id.rpartition("/")[2] if record.log_told else ""
        key = (record.log, record.task, view)
        before = self.last.pop(key, None)
        self.last[key] = hash(record.answer)
        if len(self.last) > _REMEMBERED:
            self.last.popitem(last=False)
        return bool(record.log) and before == hash(record.answer)

    def findings(self) -> Iterator[Finding]:
        for name, text in _TEXTS.items():
            severity = graded(self.tally.counts.get(name, 0), self.paths)
            yield from self.tally.finding(severity, name, text, self.paths)
        text = "{n} descriptions ({share}) are those of the sample before, word for word."
        yield from self.tally.finding("warning", "copied_text", text, self.texts)


AUDIT = Audit("Are labels stale or padded?", _Staleness)
