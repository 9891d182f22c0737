"""Tells motion that could be anybody's from motion that happens once."""

import numpy as np

from impromptu.audits import Record

_MOVED_M, _EVENT_M = 2.0, 0.05


def motion_of(record: Record) -> tuple[str, str, str]:
    """Return what two samples of one drive share: the text of past and future, and the dataset.

    Two datasets never hold the same drive, but made-up ones may.
    """
    return record.id.partition("/")[0] if record.log_told else "", record.prompt, record.answer


def is_eventful(record: Record) -> bool:
    """Tell whether the car moves, and turns, brakes or speeds up on its way.

    Whoever stands or drives on steadily tells the same numbers every half second, and honestly
    so; a path with an event in it is not met twice to the centimetre.
    """
    path_m = record.path_m
    if path_m is None or len(path_m) < 3 or np.abs(path_m[-1]).max() < _MOVED_M:
        return False
    change_m = path_m[2:] - 2 * path_m[1:-1] + path_m[:-2]
    return bool(np.abs(change_m).max() > _EVENT_M)
