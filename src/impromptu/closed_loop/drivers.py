"""Planners without a model, asked in process: what any model must beat."""

from collections.abc import Mapping

import numpy as np

from impromptu.closed_loop.simulation import Asked, Driver, Plans
from impromptu.closed_loop.tracker import WAYPOINT_S, WAYPOINTS
from impromptu.geometry import turned

_RULE = "rule"


def constant_velocity(asked: Asked) -> Plans:
    """Go straight on at the present speed."""
    t_s = WAYPOINT_S * np.arange(1, WAYPOINTS + 1)
    ahead_m = asked.cars.speed_mps[:, None] * t_s
    return Plans(np.stack([ahead_m, np.zeros_like(ahead_m)], -1), [_RULE] * len(ahead_m))


def stop(asked: Asked) -> Plans:
    """Brake to a standstill."""
    count = len(asked.stages)
    return Plans(np.zeros((count, WAYPOINTS, 2)), [_RULE] * count)


def echo_route(asked: Asked) -> Plans:
    """Be where the log was, when it was there, whoever is in the way."""
    steps = slice(asked.step + 1, asked.step + 1 + WAYPOINTS)
    route_m = np.stack([stage.log.pose[steps, :2] for stage in asked.stages])
    pose = asked.cars.pose[:, None]
    return Plans(turned(route_m - pose[..., :2], -pose[..., 2]), [_RULE] * len(route_m))


DRIVERS: Mapping[str, Driver] = {
    "constant_velocity": constant_velocity,
    "echo_route": echo_route,
    "stop": stop,
}
