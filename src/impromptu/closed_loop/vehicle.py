"""A car that follows plans: a kinematic bicycle about its rear axle, n of them at once."""

from dataclasses import dataclass

import numpy as np

from impromptu.arrays import Bools, Floats
from impromptu.closed_loop import tracker
from impromptu.closed_loop.tracker import STEP_S, WHEELBASE_M
from impromptu.geometry import wrap_rad

SUBSTEPS = 5
"""Steps of 0.1 s from one plan to the next."""
AXLE_TO_CENTRE_M = 1.461
MAX_STEERING_RAD = np.pi / 3
MAX_ACCELERATION_MPS2 = 6.0


@dataclass(frozen=True, slots=True, eq=False)
class Vehicles:
    """The state of n cars; everything is (n,) and of the middle of the rear axle.

    Attributes:
        pose: (n, 3) x, y in metres and heading in radians, in the world.
        speed_mps: Forwards.
        steering_rad: Of the front wheels, left positive.
        acceleration_mps2: During the last 0.1 s.
        turn_radps: Rate of turning.
        turn_radps2: And its change during the last 0.1 s.
    """

    pose: Floats
    speed_mps: Floats
    steering_rad: Floats
    acceleration_mps2: Floats
    turn_radps: Floats
    turn_radps2: Floats

    def of(self, chosen: Bools) -> "Vehicles":
        """Return some of them."""
        return Vehicles(*(getattr(self, name)[chosen] for name in self.__slots__))

    def centre_velocity_mps(self) -> Floats:
        """Return (n, 2) velocity of the vehicle's centre, in its own axes."""
        return np.stack([self.speed_mps, AXLE_TO_CENTRE_M * self.turn_radps], axis=-1)

    def centre_acceleration_mps2(self) -> Floats:
        """Return (n, 2) acceleration of the vehicle's centre, in its own axes."""
        inwards = self.acceleration_mps2 - AXLE_TO_CENTRE_M * self.turn_radps**2
        return np.stack([inwards, AXLE_TO_CENTRE_M * self.turn_radps2], axis=-1)


def half_second(cars: Vehicles, plans_m: Floats) -> Vehicles:
    """Follow (n, 6, 2) plans, each in its car's present frame, for half a second."""
    for substep in range(SUBSTEPS):
        rates = tracker.commands(plans_m, substep, cars.speed_mps, cars.steering_rad)
        cars = _moved(cars, *rates)
    return cars


def _moved(cars: Vehicles, acceleration_mps2: Floats, steering_radps: Floats) -> Vehicles:
    """Move on by one Euler step of 0.1 s, within the limits of brakes and steering."""
    acceleration = np.clip(acceleration_mps2, -MAX_ACCELERATION_MPS2, MAX_ACCELERATION_MPS2)
    yaw, travelled_m = cars.pose[:, 2], cars.speed_mps * STEP_S
    pose = cars.pose + np.stack(
        [
            travelled_m * np.cos(yaw),
            travelled_m * np.sin(yaw),
            travelled_m * np.tan(cars.steering_rad) / WHEELBASE_M,
        ],
        axis=-1,
    )
    pose[:, 2] = wrap_rad(pose[:, 2])
    speed = cars.speed_mps + acceleration * STEP_S
    steering = cars.steering_rad + steering_radps * STEP_S
    steering = np.clip(steering, -MAX_STEERING_RAD, MAX_STEERING_RAD)
    turn = speed * np.tan(steering) / WHEELBASE_M
    changed = (turn - cars.turn_radps) / STEP_S
    return Vehicles(pose, speed, steering, acceleration, turn, changed)
