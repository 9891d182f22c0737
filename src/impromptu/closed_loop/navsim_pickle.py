"""Writes a submission as navsim's own script would, without navsim: a pickle of its classes.

A pickle names a class and tells its fields, so the names are enough to write one (Python's
``pickletools`` documents each opcode). navsim's environment has Python 3.9 and NumPy 1: every
Python 3 reads protocol 3, and arrays are named as NumPy 1 does, which NumPy 2 understands.
"""

import pickle  # noqa: S403 (written, never read)
import pickletools
from collections.abc import Mapping
from typing import Any

import numpy as np

from impromptu.arrays import Floats

PROTOCOL = 3
_HEAD = pickle.PROTO + bytes([PROTOCOL])


def dumps(plain: Mapping[str, Any], poses: Mapping[str, Floats]) -> bytes:
    """Return the pickle of a submission of one seed.

    Args:
        plain: What stands beside the predictions: texts and lists of texts.
        poses: By token, (8, 3) x and y in metres and heading in radians, 0.5 s apart.
    """
    predictions = _mapping({token: _trajectory(rows) for token, rows in poses.items()})
    fields = {name: _plain(value) for name, value in plain.items()}
    fields["predictions"] = pickle.EMPTY_LIST + predictions + pickle.APPEND
    return _HEAD + _mapping(fields) + pickle.STOP


def _trajectory(poses: Floats) -> bytes:
    count = len(poses)
    sampling = _instance(
        "nuplan.planning.simulation.trajectory.trajectory_sampling.TrajectorySampling",
        num_poses=_plain(count),
        time_horizon=_plain(0.5 * count),
        interval_length=_plain(0.5),
    )
    return _instance(
        "navsim.common.dataclasses.Trajectory", poses=_array(poses), trajectory_sampling=sampling
    )


def _instance(name: str, **fields: bytes) -> bytes:
    """Return opcodes that make an object of a class: its name, no arguments, and its fields."""
    module, _, kind = name.rpartition(".")
    found = pickle.GLOBAL + f"{module}\n{kind}\n".encode()
    return found + pickle.EMPTY_TUPLE + pickle.NEWOBJ + _mapping(fields) + pickle.BUILD


def _mapping(items: Mapping[str, bytes]) -> bytes:
    pairs = b"".join(_plain(name) + opcodes for name, opcodes in items.items())
    return pickle.EMPTY_DICT + pickle.MARK + pairs + pickle.SETITEMS


def _array(values: Floats) -> bytes:
    opcodes = _plain(np.ascontiguousarray(values, np.float32))
    return opcodes.replace(b"numpy._core.multiarray\n", b"numpy.core.multiarray\n", 1)


def _plain(value: Any) -> bytes:
    """Return the opcodes that leave a value on the stack, without what stands around them."""
    return pickletools.optimize(pickle.dumps(value, PROTOCOL))[len(_HEAD) : -len(pickle.STOP)]
