"""One AlpaSim rollout: what the simulator has told of it, as the steps that the server core takes.

AlpaSim's ``rig`` is our ego: the middle of the rear axle on the ground, x forward, y left, z up;
its ``local`` is our world. Lengths are metres, angles radians, stamps microseconds, quaternions
(w, x, y, z). Messages are read by their fields alone, so nothing of gRPC is imported here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, get_args

import numpy as np

from impromptu.arrays import Floats, floats
from impromptu.closed_loop.client import command
from impromptu.closed_loop.protocol import LAST_US, Command, Step, StepError
from impromptu.closed_loop.sessions import OrderError, Session
from impromptu.geometry import SE3, about_z, rotations
from impromptu.poses import MAX_POSITION_M
from impromptu.sampling import LOGGED_LIMIT

LIDAR = SE3(about_z(np.asarray(-np.pi / 2)), np.array([0.94, 0.0, 1.84]))
"""Where nuScenes mounts LIDAR_TOP, x right and y ahead: models of its planning set think there."""
POSE_AGE_US, IMAGE_AGE_US = 100_000, 1_000_000
"""What is older than this when a plan is asked for is not the present."""


@dataclass(slots=True, eq=False)
class Rollout:
    """What is known of a rollout.

    Attributes:
        cameras: AlpaSim's names by ours, of those that are looked at.
        declared: All of its cameras.
        latest: The last pose, without images.
        images: Stamp in us and file of the last image, by AlpaSim's name of the camera.
        route_m: (n, 2) in the ego frame of when it was told.
    """

    session: Session
    cameras: Mapping[str, str]
    declared: frozenset[str]
    latest: Step | None = None
    images: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    route_m: Floats = field(default_factory=lambda: np.zeros((0, 2)))

    def take_image(self, image: Any) -> None:
        """Keep an image, if its camera is looked at and it is newer than the one there.

        Raises:
            StepError: The rollout has no such camera.
        """
        name, stamp_us = image.logical_id, image.frame_end_us
        if name not in self.declared:
            raise StepError(f"camera {name!r:.80}: start_session told of {_names(self.declared)}")
        if name in self.cameras.values() and stamp_us >= self.images.get(name, (0,))[0]:
            self.images[name] = stamp_us, image.image_bytes

    def take_poses(self, poses: Sequence[Any], states: Sequence[Any]) -> None:
        """Take in where the car was; the last pose may be told again.

        Raises:
            StepError: One is no pose, or there are not as many states as poses.
            OrderError: Time or place do not follow from those before.
        """
        if len(poses) != len(states):
            raise StepError(
                f"dynamic_states: expected one for each of {len(poses)} poses, got {len(states)}"
            )
        for step in [_step(*one) for one in zip(poses, states, strict=True)]:
            if self.latest is None or step.timestamp_ns != self.latest.timestamp_ns:
                self.session.observe(step)
                self.latest = step

    def take_route(self, waypoints: Sequence[Any]) -> None:
        """Keep the route.

        Raises:
            StepError: A waypoint is not finite.
        """
        places_m = np.array([[one.x, one.y] for one in waypoints]).reshape(-1, 2)
        self.route_m = _finite(places_m, None, 2, name="route")

    def lacks(self) -> str:
        """Say what has not been told yet and has to be; nothing once there is a present."""
        if self.latest is None:
            return "no pose yet"
        missing = [name for name in self.cameras.values() if name not in self.images]
        return f"no image yet of {_names(missing)}" if missing else ""

    def present(self, now_us: int) -> Step:
        """Return the step that a plan is asked for.

        Raises:
            OrderError: The last pose or an image is not of now.
        """
        if self.latest is None:
            raise OrderError(self.lacks())
        posed_us = self.latest.timestamp_ns // 1000
        if abs(now_us - posed_us) > POSE_AGE_US:
            raise OrderError(f"the last pose is of {posed_us} us, the time is {now_us} us")
        for name in self.cameras.values():
            if now_us - self.images[name][0] > IMAGE_AGE_US:
                raise OrderError(
                    f"the last image of {name} is of {self.images[name][0]} us, the time is "
                    f"{now_us} us: expected one of the last second"
                )
        images = {ours: self.images[name][1] for ours, name in self.cameras.items()}
        return replace(self.latest, command=self._command(self.latest), images=images)

    def _command(self, step: Step) -> Command:
        """Tell where the route goes, by NeuroNCAP's rule; straight on where there is none."""
        if len(self.route_m) < 2:
            return "STRAIGHT"
        speed_mps = float(step.velocity_mps[0])
        where: Command = get_args(Command)[command(np.zeros(3), speed_mps, self.route_m)]
        return where


def _step(posed: Any, state: Any) -> Step:
    """Return a pose and its state as a step without images.

    AlpaSim's lateral acceleration leaves the turn out (its vehicle model tells the change of the
    lateral speed), as NeuroNCAP's does. So its steps count as simulated, and the core tells the
    acceleration from the speeds; the first step's, from its own turn.
    """
    quat, place = posed.pose.quat, posed.pose.vec
    place_m = _finite([place.x, place.y, place.z], 3, name="pose.vec")
    speed, turn, gained = state.linear_velocity, state.angular_velocity, state.linear_acceleration
    motion = _finite([speed.x, speed.y, turn.z, gained.x], 4, name="dynamic_states")
    if (np.abs(place_m) >= MAX_POSITION_M).any() or (np.abs(motion) > LOGGED_LIMIT).any():
        raise StepError(f"expected a car, got pose {place_m.tolist()}, motion {motion.tolist()}")
    if posed.timestamp_us > LAST_US:
        raise StepError(f"timestamp_us: at most {LAST_US} is taken, got {posed.timestamp_us}")
    try:
        rotation = rotations(np.array([quat.w, quat.x, quat.y, quat.z]))
    except ValueError as error:
        raise StepError(f"pose.quat: {error}") from error
    return Step(
        timestamp_ns=1_000 * posed.timestamp_us,
        world_SE3_ego=SE3(rotation, place_m),
        velocity_mps=motion[:2],
        acceleration_mps2=np.array([motion[3], motion[0] * motion[2]]),
        yaw_rate_radps=float(motion[2]),
        command="STRAIGHT",
        ego_SE3_lidar=LIDAR,
        simulated=True,
        images={},
    )


def _finite(values: object, *shape: int | None, name: str) -> Floats:
    try:
        return floats(values, *shape, name=name)
    except ValueError as error:
        raise StepError(str(error)) from error


def _names(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
