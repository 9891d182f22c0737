"""What the nuScenes CAN bus expansion logged of the ego's motion, where a scene has it."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
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
_LIMIT_US = 2**53
"""Stamps are smaller, or damaged; a float64 holds them."""
_FAULTS = KeyError, TypeError, ValueError, OverflowError


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
    return _values(
        path, "vel, accel", lambda row: (*row["vel"][:2], *row["accel"][:2]), 4, times_ns
    )


def steering_rad(root: Path, scene: str, times_ns: Ints) -> Floats | None:
    """Return the steering wheel angle at times, left positive, likewise."""
    path = _path(root, scene, STEERING)
    values = _values(path, "value", lambda row: (row["value"],), 1, times_ns)
    return None if values is None else values[..., 0]


Message = Mapping[str, Any]


def _values(
    path: Path,
    fields: str,
    pick: Callable[[Message], Sequence[Any]],
    count: int,
    times_ns: Ints,
) -> Floats | None:
    if not path.is_file():
        return None
    number, messages = 0, None
    try:
        # Most numbers of a message are not wanted, and a text takes less time than a number.
        messages = read_json(path, parse_float=str)
        stamps, table = _columns(messages, pick, count)
        if (wrong := np.argwhere(~(np.abs(table) <= LOGGED_LIMIT))).size:
            number = wrong[0, 0] + 1
            raise ValueError(
                f"{table[tuple(wrong[0])]} is beyond {LOGGED_LIMIT:g} m/s, m/s2 or rad"
            )
    except _FAULTS as error:
        number, why = next(_faults(messages, pick, count), (number, error))
        raise LogError(
            f"{path}: message {number}: {why}; expected a list of objects with utime (us) and "
            f"{fields}: unpack the CAN bus expansion again, or take this file away"
        ) from error
    order = np.argsort(stamps, kind="stable")
    return Signal(stamps[order], table[order], MAX_AGE_NS).at(times_ns) if messages else None


def _columns(
    messages: Sequence[Message], pick: Callable[[Message], Sequence[Any]], count: int
) -> tuple[Ints, Floats]:
    stamps = 1000 * np.array([_utime(message) for message in messages], np.int64)
    values = [*map(float, chain.from_iterable(map(pick, messages)))]
    return stamps, np.array(values).reshape(len(messages), count)


def _faults(
    messages: object, pick: Callable[[Message], Sequence[Any]], count: int
) -> Iterator[tuple[int, Exception]]:
    """Yield which messages, from 1, make no columns, and why."""
    for number, message in enumerate(messages if isinstance(messages, list) else [], start=1):
        try:
            _columns([message], pick, count)
        except _FAULTS as error:
            yield number, error


def _utime(message: Message) -> int:
    stamp_us = int(float(message["utime"]))
    if not 0 <= stamp_us < _LIMIT_US:
        raise ValueError(f"utime {stamp_us}; expected 0 to {_LIMIT_US} us")
    return stamp_us
