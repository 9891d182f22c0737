"""AlpaSim's driver service, ``egodriver.EgodriverService``, over the model server's core.

Messages and service are those of the package ``carla-driver-interface``, which holds AlpaSim's
contract; whatever runtime speaks it may drive.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from importlib.metadata import version
from types import ModuleType
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from impromptu.arrays import Floats
from impromptu.closed_loop.alpasim_rollout import Rollout
from impromptu.closed_loop.driver import ModelError
from impromptu.closed_loop.plans import T_S, headings_rad
from impromptu.closed_loop.protocol import Step, StepError
from impromptu.closed_loop.server import Server
from impromptu.closed_loop.sessions import OrderError
from impromptu.geometry import about_z

CAMERAS = {
    "CAM_FRONT": "camera_front_wide_120fov",
    "CAM_FRONT_LEFT": "camera_cross_left_120fov",
    "CAM_FRONT_RIGHT": "camera_cross_right_120fov",
}
"""AlpaSim's names of its usual cameras, by ours."""
_LONGEST_NAME = 128
_MODEL_FAULTS = {502: "INTERNAL", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED"}
Method = Callable[["Service", Any, Any], Awaitable[Any]]


class RolloutError(ValueError):
    """A call for a rollout that there is not, or one too many.

    Attributes:
        code: Of gRPC.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def _code(error: Exception) -> str:
    """Return gRPC's name for what went wrong."""
    match error:
        case RolloutError():
            return error.code
        case StepError():
            return "INVALID_ARGUMENT"
        case OrderError():
            return "FAILED_PRECONDITION"
        case ModelError():
            return _MODEL_FAULTS[error.status]
    return "RESOURCE_EXHAUSTED"  # the trace cannot be written


def _answering(method: Callable[["Service", Any], Awaitable[Any]]) -> Method:
    """Have a method's errors answered with their codes."""

    @wraps(method)
    async def answered(self: "Service", request: Any, context: Any) -> Any:
        try:
            return await method(self, request)
        except (RolloutError, StepError, OrderError, ModelError, OSError) as error:
            await context.abort(getattr(self.codes, _code(error)), str(error))

    return answered


class Service:
    """Answers AlpaSim's calls; each rollout is a session of the server.

    Attributes:
        cameras: AlpaSim's names by ours, of those that the driver looks at.
        wire: The package's messages.
        codes: gRPC's.
    """

    def __init__(self, server: Server, cameras: Mapping[str, str], wire: Any, codes: Any) -> None:
        self.server, self.wire, self.codes = server, wire, codes
        self.cameras = {ours: cameras[ours] for ours in server.driver.cameras}
        self._rollouts: dict[str, Rollout] = {}

    @_answering
    async def start_session(self, request: Any) -> Any:
        """Begin a rollout whose cameras are those that the driver looks at, or more."""
        name, sessions = request.session_uuid, self.server.sessions
        if not 0 < len(name) <= _LONGEST_NAME:
            raise StepError(f"session_uuid: expected up to {_LONGEST_NAME} letters, got {name!r}")
        if name in sessions:
            raise RolloutError("ALREADY_EXISTS", f"session {name!r} is under way")
        told = request.rollout_spec.vehicle.available_cameras
        declared = frozenset(camera.logical_id for camera in told)
        if missing := set(self.cameras.values()) - declared:
            raise StepError(
                f"rollout_spec: this driver looks at {', '.join(sorted(missing))}; the rollout has "
                f"{', '.join(sorted(declared)) or 'no cameras'}: name its own with --cameras"
            )
        self._rollouts = {one: kept for one, kept in self._rollouts.items() if one in sessions}
        self._rollouts[name] = Rollout(sessions.reset(name), self.cameras, declared)
        return self.wire.SessionRequestStatus()

    @_answering
    async def close_session(self, request: Any) -> Any:
        """End a rollout."""
        self._find(request)
        self.server.sessions.close(request.session_uuid)
        del self._rollouts[request.session_uuid]
        return self.wire.Empty()

    @_answering
    async def submit_image_observation(self, request: Any) -> Any:
        """Take an image."""
        self._find(request).take_image(request.camera_image)
        return self.wire.Empty()

    @_answering
    async def submit_egomotion_observation(self, request: Any) -> Any:
        """Take where the car was since the last time."""
        self._find(request).take_poses(request.trajectory.poses, request.dynamic_states)
        return self.wire.Empty()

    @_answering
    async def submit_route(self, request: Any) -> Any:
        """Take the route."""
        self._find(request).take_route(request.route.waypoints)
        return self.wire.Empty()

    @_answering
    async def submit_recording_ground_truth(self, request: Any) -> Any:
        """Look away: where the recorded car went is nothing that a driver may know."""
        self._find(request)
        return self.wire.Empty()

    @_answering
    async def drive(self, request: Any) -> Any:
        """Plan. Before there is anything to look at the plan is empty, as AlpaSim's driver's is."""
        rollout = self._find(request)
        if lacking := rollout.lacks():
            about = {"session": rollout.session.name, "run": rollout.session.run}
            self.server.trace.append({**about, "status": "waiting", "error": lacking})
            return self.wire.DriveResponse()
        began_s = time.perf_counter()
        with self.server.refusals(rollout.session):
            step = rollout.present(request.time_now_us)
        outcome = await self.server.answer(rollout.session, step, began_s)
        return self.wire.DriveResponse(
            trajectory=self._trajectory(step, np.array(outcome.told["trajectory"]))
        )

    async def get_version(self, request: Any, context: Any) -> Any:
        """Tell who drives, and by which contract."""
        from carla_driver_interface.contract import contract_metadata

        await context.send_initial_metadata(contract_metadata())
        wire = self.wire
        name = f"impromptu-{version('impromptu-vla')}"
        return wire.VersionId(version_id=name, grpc_api_version=wire.ALPASIM_API_VERSION)

    def _find(self, request: Any) -> Rollout:
        name = request.session_uuid
        try:
            self.server.sessions.find(name)
        except OrderError as error:
            told = f"session {name!r:.80} has not begun, or is forgotten: start_session first"
            raise RolloutError("NOT_FOUND", told) from error
        return self._rollouts[name]

    def _trajectory(self, step: Step, path_m: Floats) -> Any:
        """Return a plan in AlpaSim's ``local`` frame, led by where the car is now."""
        wire, poses = self.wire, []
        for t_s, place, (x, y, z, w) in zip([0.0, *T_S], *placed(step, path_m), strict=True):
            pose = wire.Pose(vec=wire.Vec3(x=place[0], y=place[1], z=place[2]),
                             quat=wire.Quat(w=w, x=x, y=y, z=z))  # fmt: skip
            stamp_us = step.timestamp_ns // 1000 + round(1e6 * t_s)
            poses.append(wire.PoseAtTime(pose=pose, timestamp_us=stamp_us))
        return wire.Trajectory(poses=poses)


def placed(step: Step, path_m: Floats) -> tuple[Floats, Floats]:
    """Return (n + 1, 3) places and (n + 1, 4) quaternions, scalar last, of now and of a plan.

    The plan lies in the plane that the car stands on.

    Args:
        step: Where it is planned.
        path_m: (n, 2) of the rear axle, half a second apart.
    """
    flat_m = np.concatenate([np.zeros((1, 2)), path_m])
    yaw_rad = np.append(0.0, headings_rad(path_m))
    places_m = step.world_SE3_ego.transform(np.pad(flat_m, ((0, 0), (0, 1))))
    turns = step.world_SE3_ego.rotation @ about_z(yaw_rad)
    quat_xyzw: Floats = Rotation.from_matrix(turns).as_quat()
    return places_m, quat_xyzw


def packages() -> tuple[ModuleType, ModuleType]:
    """Import gRPC for asyncio, and AlpaSim's messages.

    Raises:
        ModuleNotFoundError: They are not installed; the message says how.
    """
    try:
        import grpc.aio
        from carla_driver_interface import protocol
    except ModuleNotFoundError as error:
        error.add_note("AlpaSim's driver needs more: pip install 'impromptu-vla[alpasim]'")
        raise
    return grpc, protocol


async def listen(
    server: Server, cameras: Mapping[str, str], host: str, port: int
) -> tuple[Any, int]:
    """Begin to listen; return the gRPC server and its port.

    Raises:
        OSError: The port could not be had.
    """
    grpc, wire = packages()
    # Two servers at one port, as gRPC allows by default, would share the rollouts out.
    options = [*wire.channel_options(), ("grpc.so_reuseport", 0)]
    site = grpc.aio.server(options=options)
    service = Service(server, cameras, wire, grpc.StatusCode)
    wire.add_EgodriverServiceServicer_to_server(service, site)
    try:
        bound = site.add_insecure_port(f"{host}:{port}")
    except RuntimeError as error:
        raise OSError(f"--host {host} --port {port}: could not be had ({error})") from error
    await site.start()
    return site, bound
