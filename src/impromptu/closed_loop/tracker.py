"""Turns a plan of waypoints into acceleration and steering rate: nuPlan's LQR tracker, batched.

Source of the formulas: nuPlan's description of its tracker, with the gains that NeuroNCAP sets.
Every function works on n vehicles at once.

1. The plan becomes poses on a grid of ``STEP_S``: waypoints joined by straight lines, headings
   from each waypoint's neighbours.
2. A speed profile v is fitted to the grid's displacements d, projected on the headings:
   least (v_k h - d_k)^2 with a small penalty on jerk. Its matrix is the same for every plan.
3. A curvature profile is fitted to the turns t: least (v_k h c_k - t_k)^2 with a small penalty on
   the curvature's rate, which is a tridiagonal system.
4. Longitudinal: one acceleration, held over the horizon, that weighs the error of the speed there
   against itself. Lateral: likewise one steering rate that weighs the lateral error there.

The origin is set anew to where the vehicle is at every call, and the waypoints are not moved, as
in NeuroNCAP: within half a second a plan is followed five times from five places.
"""

from functools import cache

import numpy as np

from impromptu.arrays import Bools, Floats
from impromptu.geometry import wrap_rad

STEP_S = 0.1
WAYPOINT_S = 0.5
WAYPOINTS = 6
WHEELBASE_M = 3.089
STILL_M = 1.0
"""A plan that ends nearer than this means to stop; of another, points so near are passed over."""

_HORIZON = 10
_Q_SPEED, _R_ACCELERATION = 10.0, 1.0
_Q_LATERAL, _R_STEERING = 20.0, 0.05
_JERK, _CURVATURE_RATE, _CURVATURE = 1e-6, 1e-5, 1e-10
_STOP_GAIN, _STOP_MPS = 1.5, 0.5


def commands(
    plans_m: Floats, substep: int, speed_mps: Floats, steering_rad: Floats
) -> tuple[Floats, Floats]:
    """Return (n,) accelerations in m/s2 and (n,) steering rates in rad/s, both without limits.

    Args:
        plans_m: (n, 6, 2) waypoints 0.5 s apart, in the frame of the vehicle when it was asked.
        substep: How many steps of 0.1 s ago that was, 0 to 4.
        speed_mps: (n,) of the rear axle.
        steering_rad: (n,) of the front wheels.
    """
    stopping = np.linalg.norm(plans_m[:, -1], axis=-1) < STILL_M
    poses = _grid(plans_m, substep)
    moved, heading = np.diff(poses[..., :2], axis=1), poses[:, :-1, 2]
    along_m = np.cos(heading) * moved[..., 0] + np.sin(heading) * moved[..., 1]
    speeds = along_m @ _speed_fit(along_m.shape[1]).T
    curvatures = _curvatures(wrap_rad(np.diff(poses[..., 2], axis=1)), speeds)
    wanted_mps = speeds[:, _HORIZON]
    gain = _Q_SPEED * _HORIZON * STEP_S / (_Q_SPEED * (_HORIZON * STEP_S) ** 2 + _R_ACCELERATION)
    acceleration = gain * (wanted_mps - speed_mps)
    steering = _steering_rate(steering_rad, speed_mps, acceleration, curvatures)
    wanted_mps = np.where(stopping, 0.0, wanted_mps)
    braking = stopping | ((wanted_mps <= _STOP_MPS) & (speed_mps <= _STOP_MPS))
    acceleration = np.where(braking, -_STOP_GAIN * (speed_mps - wanted_mps), acceleration)
    return acceleration, np.where(braking, 0.0, steering)


def _grid(plans_m: Floats, substep: int) -> Floats:
    """Return (n, m + 1, 3) poses x, y, heading every ``STEP_S`` from now to the last waypoint."""
    knots_s = WAYPOINT_S * np.arange(1, WAYPOINTS + 1)
    near = np.linalg.norm(plans_m, axis=-1) < STILL_M
    knots = np.concatenate([np.zeros((len(plans_m), 1, 3)), _with_headings(plans_m, near)], axis=1)
    times_s = np.concatenate([[STEP_S * substep], knots_s])
    _fill(knots, near, times_s)
    count = round((knots_s[-1] - times_s[0]) / STEP_S)
    at_s = times_s[0] + STEP_S * np.arange(count + 1)
    after = np.clip(np.searchsorted(times_s, at_s - 1e-9), 1, WAYPOINTS)
    share = ((at_s - times_s[after - 1]) / (times_s[after] - times_s[after - 1]))[:, None]
    grid: Floats = knots[:, after - 1] + share * (knots[:, after] - knots[:, after - 1])
    return grid


def _with_headings(plans_m: Floats, near: Bools) -> Floats:
    """Return (n, 6, 3) waypoints with headings that do not jump from one kept point to the next."""
    padded = np.concatenate([np.zeros((len(plans_m), 1, 2)), plans_m, plans_m[:, -1:]], axis=1)
    dx, dy = np.moveaxis(padded[:, 2:] - padded[:, :-2], -1, 0)
    heading, last = np.arctan2(dy, dx), np.zeros(len(plans_m))
    for k in range(WAYPOINTS):
        heading[:, k] = last + wrap_rad(heading[:, k] - last)
        last = np.where(near[:, k], last, heading[:, k])
    return np.concatenate([plans_m, heading[..., None]], axis=-1)


def _fill(knots: Floats, near: Bools, times_s: Floats) -> None:
    """Put points that are passed over, in place, on the line between the kept ones around them."""
    rows = np.arange(len(knots))
    before = np.zeros(near.shape, dtype=np.int64)
    after = np.full(near.shape, WAYPOINTS)
    for k in range(1, WAYPOINTS):
        before[:, k] = np.where(near[:, k - 1], before[:, k - 1], k)
        after[:, -k - 1] = np.where(near[:, -k], after[:, -k], WAYPOINTS + 1 - k)
    for k in range(WAYPOINTS - 1):
        first, second = before[:, k], after[:, k]
        share = ((times_s[k + 1] - times_s[first]) / (times_s[second] - times_s[first]))[:, None]
        line = knots[rows, first] + share * (knots[rows, second] - knots[rows, first])
        knots[:, k + 1] = np.where(near[:, k, None], line, knots[:, k + 1])


@cache
def _speed_fit(count: int) -> Floats:
    """Return the (count, count) matrix that takes displacements to speeds, least squares.

    Unknown are the first speed and ``count`` - 1 accelerations; their differences are penalised.
    """
    speeds = np.tri(count) * STEP_S
    speeds[:, 0] = 1.0
    moved = speeds * STEP_S
    jerk = np.diff(np.eye(count)[1:], axis=0)
    normal = moved.T @ moved + _JERK * jerk.T @ jerk
    fit: Floats = speeds @ np.linalg.pinv(normal) @ moved.T
    return fit


def _curvatures(turns_rad: Floats, speeds: Floats) -> Floats:
    """Return (n, m) curvatures in 1/m, fitted to (n, m) turns at (n, m) speeds.

    (W^2 + r D'D / h^2 + q e e') c = W t with W = diag(v h), D differences, e the first: solved by
    elimination down and substitution up, all vehicles at once.
    """
    weight = speeds * STEP_S
    beside = _CURVATURE_RATE / STEP_S**2
    diagonal = weight**2 + 2 * beside
    diagonal[:, [0, -1]] -= beside
    diagonal[:, 0] += _CURVATURE
    right = weight * turns_rad
    for k in range(1, weight.shape[1]):
        factor = beside / diagonal[:, k - 1]
        diagonal[:, k] -= factor * beside
        right[:, k] += factor * right[:, k - 1]
    right[:, -1] /= diagonal[:, -1]
    for k in range(weight.shape[1] - 2, -1, -1):
        right[:, k] = (right[:, k] + beside * right[:, k + 1]) / diagonal[:, k]
    return right


def _steering_rate(
    steering_rad: Floats, speed_mps: Floats, acceleration: Floats, curvatures: Floats
) -> Floats:
    """Return the steering rate, held over the horizon, that leaves the least lateral error there.

    The error is linear in the rate: e = free + forced * rate, both from the linear model
    e' = v a, a' = v (s / wheelbase - c), s' = rate in Euler steps.
    """
    free = angle = forced = forced_angle = np.zeros_like(speed_mps)
    for k in range(_HORIZON):
        moved_m = (speed_mps + k * STEP_S * acceleration) * STEP_S
        free, angle = (
            free + moved_m * angle,
            angle + moved_m * (steering_rad / WHEELBASE_M - curvatures[:, k]),
        )
        forced, forced_angle = (
            forced + moved_m * forced_angle,
            forced_angle + moved_m * (k * STEP_S) / WHEELBASE_M,
        )
    rate: Floats = -_Q_LATERAL * forced * free / (_Q_LATERAL * forced**2 + _R_STEERING)
    return rate
