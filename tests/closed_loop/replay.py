"""A nuScenes miniature told step by step, as NeuroNCAP's engine tells a log while it primes."""

import json
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.closed_loop.requests import step

from impromptu import miniature
from impromptu.generation import generate
from impromptu.geometry import rotations
from impromptu.miniature import nuscenes_rig
from impromptu.miniature.nuscenes_rig import Scene
from impromptu.part import Recipe

SECONDS = 9.0


def write_miniature(out: Path, monkeypatch: pytest.MonkeyPatch, *, steady: bool) -> Path:
    """Write one without the steering angle, which no request tells.

    Args:
        steady: Whether key frames are half a second apart to the microsecond, as steps of the
            closed loop are; otherwise 0.45 to 0.55 s, as in a log.
    """
    jittered = nuscenes_rig.scene

    def exact(drive: Any) -> Scene:
        scene = jittered(drive)
        tenths = np.arange(int(drive.duration_s * 10))
        return replace(
            scene, lidar_us=scene.start_us + 50_000 + 100_000 * tenths, is_key=tenths % 5 == 0
        )

    if steady:
        monkeypatch.setattr(nuscenes_rig, "scene", exact)
    miniature.write(out, logs=4, duration_s=SECONDS, images=False, datasets=["nuscenes"])
    for path in (out / "nuscenes/can_bus").glob("*_steeranglefeedback.json"):
        path.unlink()
    return out


def generated(data_raw: Path, out: Path, task: str, question: str) -> dict[str, str]:
    """Return the prompts that generation writes, by clip."""
    recipe = Recipe((question,), missing_images="keep")
    result = generate(data_raw, out, ["nuscenes"], None, recipe, 1)
    samples = [row for path, _ in result.files for row in json.loads(path.read_text())]
    return {row["id"].removesuffix(f"/{task}"): row["messages"][0]["content"] for row in samples}


def replayed(data_raw: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield scene, clip and request of every key frame."""
    root = data_raw / "nuscenes"
    tables = {
        name: {row["token"]: row for row in json.loads(path.read_text())}
        for name in ("scene", "sample", "sample_data", "ego_pose", "calibrated_sensor", "sensor")
        for path in [root / f"v1.0-mini/{name}.json"]
    }
    for sweep in tables["sample_data"].values():
        calibration = tables["calibrated_sensor"][sweep["calibrated_sensor_token"]]
        sensor = tables["sensor"][calibration["sensor_token"]]
        if sensor["channel"] != "LIDAR_TOP" or not sweep["is_key_frame"]:
            continue
        sample = tables["sample"][sweep["sample_token"]]
        scene = tables["scene"][sample["scene_token"]]["name"]
        request = step(
            ego2world=_matrix(tables["ego_pose"][sweep["ego_pose_token"]]),
            canbus=_canbus(root, scene, sample["timestamp"]),
            timestamp=sample["timestamp"],
            calibration={"lidar2ego": _matrix(calibration)},
        )
        yield scene, f"nuscenes/{scene}/{sample['token']}", request


def _matrix(row: dict[str, Any]) -> list[list[float]]:
    matrix = np.eye(4)
    matrix[:3, :3] = rotations(np.array(row["rotation"]))
    matrix[:3, 3] = row["translation"]
    listed: list[list[float]] = matrix.tolist()
    return listed


def _canbus(root: Path, scene: str, stamp_us: int) -> list[float]:
    messages = json.loads((root / f"can_bus/{scene}_pose.json").read_text())
    last = messages[bisect_right([one["utime"] for one in messages], stamp_us) - 1]
    fields = ("pos", "orientation", "accel", "rotation_rate", "vel")
    return [number for name in fields for number in last[name]]
