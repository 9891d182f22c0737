"""Write a drive's CAN bus as the nuScenes extension does."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator

from impromptu.arrays import Floats, Ints
from impromptu.geometry import SE3
from impromptu.miniature.files import Drive, Rows, moved, quat_wxyz
from impromptu.miniature.world import GRAVITY_MPS2, World

_BEFORE_S = 0.1
_FULL_BRAKE_MPS2 = 8.0


def _ticks_us(duration_s: float, period_s: float, rng: Generator) -> Ints:
    """Return message times: near the beat, from a little before the drive to a little after."""
    beat_s = np.arange(-_BEFORE_S, duration_s + _BEFORE_S, period_s)
    late_s = rng.uniform(0.0, 0.1 * period_s, len(beat_s))
    ticks: Ints = np.round((beat_s + late_s) * 1e6).astype(np.int64)
    return ticks


def body_kinematics(world: World, t_s: Floats) -> tuple[Floats, Floats, Floats]:
    """Return (n, 3) velocity, specific force (gravity included) and turning rate in ego axes."""
    velocity, acceleration, rate = world.ego_kinematics(t_s)
    force = acceleration + [0.0, 0.0, GRAVITY_MPS2]
    world_R_ego, _ = world.ego_poses(t_s)
    inward = [np.einsum("nji,nj->ni", world_R_ego, vector) for vector in (velocity, force, rate)]
    return inward[0], inward[1], inward[2]


def _rows(columns: dict[str, Any]) -> list[dict[str, Any]]:
    """Turn columns into rows."""
    lists = [np.asarray(column).tolist() for column in columns.values()]
    return [dict(zip(columns, row, strict=True)) for row in zip(*lists, strict=True)]


def _poses(world: World, global_SE3_world: SE3, ticks_us: Ints, start_us: int) -> dict[str, Any]:
    """Return the columns of the ``pose`` messages."""
    t_s = ticks_us / 1e6
    velocity, force, rate = body_kinematics(world, t_s)
    rotations, positions = moved(global_SE3_world, *world.ego_poses(t_s))
    return {
        "accel": force,
        "orientation": quat_wxyz(rotations),
        "pos": positions,
        "rotation_rate": rate,
        "utime": ticks_us + start_us,
        "vel": velocity,
    }


def _steering(world: World, ticks_us: Ints, start_us: int) -> dict[str, Any]:
    """Return the columns of the ``steeranglefeedback`` messages: radians, left positive."""
    return {"utime": ticks_us + start_us, "value": world.steering_wheel_rad(ticks_us / 1e6)}


def _dashboard(world: World, ticks_us: Ints, start_us: int) -> dict[str, Any]:
    """Return the columns of the ``vehicle_monitor`` messages: km/h, degrees, pedals 0 to 126."""
    t_s = ticks_us / 1e6
    velocity, force, rate = body_kinematics(world, t_s)
    braking = np.clip(-force[:, 0] / _FULL_BRAKE_MPS2, 0, 1)
    throttle = np.clip(force[:, 0] / _FULL_BRAKE_MPS2, 0, 1) * 400
    return {
        "brake": np.round(126 * braking).astype(int),
        "brake_switch": np.where(braking > 0.02, 2, 1),
        "gear_position": np.full(len(t_s), 7),
        "steering": np.rad2deg(world.steering_wheel_rad(t_s)),
        "throttle": np.round(throttle).astype(int),
        "utime": ticks_us + start_us,
        "vehicle_speed": 3.6 * np.linalg.norm(velocity, axis=-1),
        "yaw_rate": np.rad2deg(rate[:, 2]),
    }


def write(stem: Path, drive: Drive, global_SE3_world: SE3, start_us: int) -> None:
    """Write the messages of one scene, to files that begin with a stem."""
    world = drive.world
    fast, wheel, slow = (
        _ticks_us(drive.duration_s, period_s, drive.rng) for period_s in (0.02, 0.01, 0.5)
    )
    messages = {
        "pose": _poses(world, global_SE3_world, fast, start_us),
        "steeranglefeedback": _steering(world, wheel, start_us),
        "vehicle_monitor": _dashboard(world, slow, start_us),
    }
    for message, columns in messages.items():
        rows = Rows(stem.with_name(f"{stem.name}_{message}.json"))
        rows.add(_rows(columns))
        rows.close()
