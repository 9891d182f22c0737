"""A run as NeuroNCAP's engine leaves it, small enough to work out by hand."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from PIL import Image

from impromptu.closed_loop import runs

ACTOR_M = 20.0


def matrix(x_m: float, y_m: float = 0.0, yaw_rad: float = 0.0) -> list[list[float]]:
    made: list[list[float]] = runs.matrix(np.array([x_m, y_m, yaw_rad])).tolist()
    return made


def engine_run(
    folder: Path,
    speed_mps: float = 6.0,
    steps: range = range(3, 10),
    other: Mapping[str, Any] = MappingProxyType({}),
) -> Path:
    """The ego drives along x, planned 1 m a step to the left; a car of 4 x 2 m stands at 20 m.

    The front of the ego is 2.509 m ahead of its pose and the car's rear at 18 m, so at 6 m/s they
    touch after 2.582 s: the look at 2.6 s. Pictures are grey, and lighter with time.
    """
    folder.mkdir(parents=True)
    stamps = [500_000 * k for k in steps]
    hit = speed_mps * stamps[-1] / 1e6 > ACTOR_M - 4.509
    files = {
        "metrics.json": {"any_collide@0.0s": hit, "ncap_score": 1.25 if hit else 5.0},
        "reference_trajectory.json": {500_000 * k: [4.0 * k, 0, 0] for k in range(13)},
        "ego_poses.json": {t: matrix(speed_mps * t / 1e6) for t in stamps},
        "trajectories.json": {t: [[0.0, k + 1.0] for k in range(6)] for t in stamps},
        "actors.json": [
            {
                "timestamps": [0, 9_000_000],
                "poses": [matrix(ACTOR_M)] * 2,
                "dims": [2.0, 4.0, 1.5],
                "uuid": "a",
                "is_target_actor": True,
            }
        ],
    }
    for name, value in {**files, **other}.items():
        (folder / name).write_text(json.dumps(value))
    (folder / "CAM_FRONT").mkdir()
    for stamp in stamps:
        grey = stamp // 50_000
        Image.new("RGB", (64, 36), (grey,) * 3).save(folder / "CAM_FRONT" / f"{stamp}.png")
    return folder
