"""What the nuScenes CAN bus expansion logged of the ego's motion, where a scene has it."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from impromptu.arrays import Floats, Ints
from impromptu.datasets import LogError
from impromptu.files import read_json
from impromptu.sampling import LOGGED_LIMIT, Signal

MAX_AGE_NS = 150_000_000
"""Messages come at 50 Hz (pose) and 100 Hz (steering), in some copies at 10 Hz."""

POSE, STEERING = "pose", "steeranglefeedback"


def files(root: Path, scene: str) -> list[Path]:
    """Return those files of a scene that exist."""
    paths = [_path(root, scene, kind) for kind in (POSE, STEERING)]
    return [path for path in paths if os.path.lexists(path)]


def _path(root: Path, scene: str, kind: str) -> Path:
    return root / "can_bus" / f"{scene}_{kind}.json"


def motion(root: Path, scene: str, times_ns: Ints) -> Floats | None:
    """Return velocity x, y (m/s) and acceleration x, y (m/s2) in ego axes at times, (..., 4).

    Each is the latest message not later than its time; NaN where that is too old. None where the
    scene has no such file.
    """
    path = _path(root, scene, POSE)
    return _values(path, "vel, accel", lambda row: [*row["vel"][:2], *row["accel"][:2]], times_ns)


def steering_rad(root: Path, scene: str, times_ns: Ints) -> Floats | None:
    """Return the steering wheel angle at times, left positive, likewise."""
    path = _path(root, scene, STEERING)
    values = _values(path, "value", lambda row: [row["value"]], times_ns)
    return None if values is None else values[..., 0]


def _values(
    path: Path,
    fields: str,
    pick: Callable[[Mapping[str, Any]], Sequence[float]],
    times_ns: Ints,
) -> Floats | None:
    if not path.is_file():
        return None
    number = 0
    try:
        messages = read_json(path)
        stamps, values = np.empty(len(messages), np.int64), []
        for number, message in enumerate(messages, start=1):
            stamps[number - 1] = 1000 * int(message["utime"])
            values.append(list(map(float, pick(message))))
        table, order = np.array(values), np.argsort(stamps, kind="stable")
        if (wrong := np.argwhere(~(np.abs(table) <= LOGGED_LIMIT))).size:
            number = wrong[0, 0] + 1
            raise ValueError(
                f"{table[tuple(wrong[0])]} is beyond {LOGGED_LIMIT:g} m/s, m/s2 or rad"
            )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise LogError(
            f"{path}: message {number}: {error}; expected a list of objects with utime (us) and "
            f"{fields}: unpack the CAN bus expansion again, or take this file away"
        ) from error
    return Signal(stamps[order], table[order], MAX_AGE_NS).at(times_ns) if values else None
