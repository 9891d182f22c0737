"""A run on disk, in NeuroNCAP's layout: ``RUNS/stationary-0103/run_4/`` and what is in it.

``metrics.json``, ``ego_poses.json``, ``trajectories.json``, ``actors.json`` and
``reference_trajectory.json`` are as the engine writes them. ``trace.jsonl`` adds what these do
not tell: speed, whether answers could be read, the last state; and ``run.json`` who drove. A run
that could not be finished has ``failure.json`` and no ``metrics.json``: it is never scored.
"""

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from impromptu.arrays import Floats
from impromptu.closed_loop import scores
from impromptu.closed_loop.collisions import SUBSTEPS
from impromptu.closed_loop.simulation import Drive, Stage
from impromptu.closed_loop.tracker import WAYPOINT_S
from impromptu.files import writing_to
from impromptu.geometry import about_z
from impromptu.miniature.world import SIZES_M

SIMULATOR = "miniature"
EPOCH_US = 1_600_000_000_000_000
"""Stamp of a log's time zero."""
_STEP_US = round(WAYPOINT_S * 1e6)


def folder_of(runs: Path, scenario: str, run: int) -> Path:
    """Return where a run is kept."""
    return runs / scenario / f"run_{run}"


def finished(folder: Path) -> bool:
    """Tell whether a run is there and need not be driven again."""
    return (folder / "metrics.json").is_file()


def start_us(stage: Stage) -> int:
    """Return the stamp of a run's first step."""
    return EPOCH_US + round(stage.draw.start_s * 1e6)


def matrix(pose: Floats) -> Floats:
    """Return the (..., 4, 4) world matrices of (..., 3) poses x, y, yaw on flat ground."""
    made = np.zeros((*pose.shape[:-1], 4, 4))
    made[..., :3, :3], made[..., 3, 3] = about_z(pose[..., 2]), 1.0
    made[..., :2, 3] = pose[..., :2]
    return made


def write(folder: Path, drive: Drive, driver: str) -> None:
    """Write a finished run; it appears under its name when complete."""
    stage, stamps = drive.stage, start_us(drive.stage) + _STEP_US * np.arange(len(drive.pose))
    # The engine's own files begin with the first step to which the model drove, and end with
    # the step at which it was last asked, or the collision was.
    first = stage.draw.scenario.priming_steps + 1
    told = {int(stamps[k]): k for k in range(first, len(drive.plans_m) + (drive.hit is not None))}
    plans = dict(zip(told, drive.plans_m[first:].tolist(), strict=False))
    poses = matrix(drive.pose)
    with _appearing(folder) as new:
        _write(new / "metrics.json", _metrics(drive))
        _write(new / "ego_poses.json", {at: poses[k].tolist() for at, k in told.items()})
        _write(new / "trajectories.json", plans)
        _write(new / "actors.json", [_actor(stage)])
        _write(new / "reference_trajectory.json", _reference(stage))
        _write(new / "run.json", _about(stage, driver))
        lines = [json.dumps(line, allow_nan=False) for line in _trace(drive, stamps.tolist())]
        (new / "trace.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_failure(folder: Path, stage: Stage, driver: str, why: str) -> None:
    """Note that a run broke off, and why."""
    with _appearing(folder) as new:
        _write(new / "failure.json", {"error": why})
        _write(new / "run.json", _about(stage, driver))


@contextmanager
def _appearing(folder: Path) -> Iterator[Path]:
    """Give a folder to write into that replaces what was there under the name, when complete."""
    with writing_to(folder.parent):
        folder.parent.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        yield new
        new.chmod(0o755)
        shutil.rmtree(folder, ignore_errors=True)
        new.rename(folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, allow_nan=False), encoding="utf-8")


def _metrics(drive: Drive) -> dict[str, Any]:
    hit = drive.impact_mps is not None
    score = scores.score(drive.impact_mps, drive.stage.reference_mps)
    return {
        "any_collide@0.0s": hit,
        "avg_collide@0.0s": float(hit) / len(drive.pose),
        "ncap_score": score,
        "impact_mps": drive.impact_mps,
        "reference_mps": drive.stage.reference_mps,
    }


def _about(stage: Stage, driver: str) -> dict[str, Any]:
    draw = stage.draw
    return {
        "simulator": SIMULATOR,
        "scenario": draw.scenario.name,
        "run": draw.run,
        "driver": driver,
        "title": draw.scenario.title,
        "shape": draw.shape,
        "start_us": start_us(stage),
        "priming_steps": draw.scenario.priming_steps,
    }


def _actor(stage: Stage) -> dict[str, Any]:
    length_m, width_m, height_m = SIZES_M[stage.draw.shape]
    poses = matrix(stage.actor[::SUBSTEPS, :3])
    poses[:, 2, 3] = height_m / 2
    stamps = start_us(stage) + _STEP_US * np.arange(len(poses))
    return {
        "timestamps": stamps.tolist(),
        "poses": poses.tolist(),
        "dims": [width_m, length_m, height_m],
        "uuid": f"{stage.draw.scenario.name}-{stage.draw.shape}",
        "is_target_actor": True,
    }


def _reference(stage: Stage) -> dict[int, list[float]]:
    """Return the log from a run's first frame on, as the engine has it from the log's first."""
    stamps = start_us(stage) + _STEP_US * np.arange(len(stage.log.pose))
    return dict(zip(stamps.tolist(), stage.log.pose.tolist(), strict=True))


def _trace(drive: Drive, stamps_us: list[int]) -> Iterator[dict[str, Any]]:
    """Yield a line a state; the last one, where the run ended, has no plan."""
    priming = drive.stage.draw.scenario.priming_steps
    for step, stamp_us in enumerate(stamps_us):
        asked = step < len(drive.plans_m)
        actor = step * SUBSTEPS
        yield {
            "step": step,
            "timestamp_us": stamp_us,
            "driven": step > priming,
            "x_m": float(drive.pose[step, 0]),
            "y_m": float(drive.pose[step, 1]),
            "yaw_rad": float(drive.pose[step, 2]),
            "velocity_mps": drive.velocity_mps[step].tolist(),
            "actors": [
                {
                    "box": drive.stage.actor[actor].tolist(),
                    "velocity_mps": drive.stage.actor_mps[actor].tolist(),
                }
            ],
            "trajectory": drive.plans_m[step].tolist() if asked else None,
            "status": drive.status[step] if asked else None,
        }
