"""Drives through a model server: the engine's HTTP protocol, from the engine's side.

Each run is a session of its own, ``/s/<scenario>-<run>/...``, so runs can be driven at once.
"""

import base64
import http.client
import json
from collections.abc import Sequence
from contextlib import closing
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from impromptu.arrays import Floats
from impromptu.closed_loop.camera import Cameras
from impromptu.closed_loop.runs import matrix, start_us
from impromptu.closed_loop.simulation import Asked, Plans, Stage
from impromptu.closed_loop.torch_writing import rgb_archive
from impromptu.closed_loop.tracker import WAYPOINT_S, WAYPOINTS
from impromptu.closed_loop.vehicle import Vehicles
from impromptu.geometry import turned
from impromptu.miniature.nuscenes_rig import CAMERAS

RIGHT, LEFT, STRAIGHT = 0, 1, 2
_AHEAD_S, _LEAST_MPS, _ASIDE_M, _BEYOND_M = 3.0, 2.0, 2.0, 100.0
_GRAVITY_MPS2 = 9.8
_BLANK_PX = (16, 9)


class Address:
    """Where a server is.

    Attributes:
        timeout_s: For each reply.
    """

    def __init__(self, url: str, timeout_s: float) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError(f"--server {url}: expected http://HOST:PORT")
        try:
            port = parts.port or 80
        except ValueError as error:
            raise ValueError(f"--server {url}: {error}") from error
        self.url, self.timeout_s = url, timeout_s
        self.host, self.port = parts.hostname, port
        self.path = parts.path.rstrip("/")

    def call(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """Return status and body of the reply, each over a connection of its own.

        Raises:
            OSError: The server cannot be reached, takes too long or hangs up.
        """
        made = http.client.HTTPConnection(self.host, self.port, timeout=self.timeout_s)
        headers = {"Content-Type": "application/json", "Connection": "close"}
        try:
            with closing(made) as connection:
                connection.request(method, self.path + path, body or None, headers)
                reply = connection.getresponse()
                return reply.status, reply.read()
        except (OSError, http.client.HTTPException) as error:
            why = str(error) or type(error).__name__
            raise OSError(f"{self.url}{path}: no reply ({why}); is the server running?") from error


def views(address: Address) -> list[str]:
    """Return the cameras that a server looks at; of one that does not tell, all six.

    Raises:
        OSError: It cannot be reached.
    """
    _, body = address.call("GET", "/alive")
    try:
        told = json.loads(body)["cameras"]
    except (ValueError, KeyError, TypeError):
        return list(CAMERAS)
    return [channel for channel in CAMERAS if channel in told]


class Served:
    """Asks a server for one run's plan after the other; several threads may use it at once.

    Attributes:
        rendered: Cameras whose pictures are drawn; the others send a blank one.
    """

    def __init__(self, address: Address, cameras: Cameras, rendered: Sequence[str]) -> None:
        self.address, self.cameras, self.rendered = address, cameras, rendered
        self._calibration = json.dumps(cameras.calibration()).encode()

    def __call__(self, asked: Asked) -> Plans:
        """Ask for a plan, and first of all for a new session.

        Raises:
            OSError: The server cannot be reached.
            ValueError: It refused, or answered something else than a plan.
        """
        (stage,) = asked.stages
        session = f"/s/{stage.draw.scenario.name}-{stage.draw.run}"
        if asked.step == 0:
            self._post(f"{session}/reset", b"{}")
        reply = self._post(f"{session}/infer", self.request(stage, asked.step, asked.cars))
        plan, status = read_reply(reply)
        return Plans(plan[None], [status])

    def _post(self, path: str, body: bytes) -> bytes:
        status, reply = self.address.call("POST", path, body)
        if status != 200:
            text = reply.decode("utf-8", "replace")
            raise ValueError(f"{self.address.url}{path}: HTTP {status}: {text:.300}")
        return reply

    def request(self, stage: Stage, step: int, cars: Vehicles) -> bytes:
        """Return the body of a request for one car's plan."""
        pose = cars.pose[0]
        fields = {
            "ego2world": matrix(pose).tolist(),
            "canbus": canbus(cars).tolist(),
            "timestamp": start_us(stage) + round(step * WAYPOINT_S * 1e6),
            "command": command(pose, float(cars.speed_mps[0]), stage.log.pose[:, :2]),
        }
        images = b",".join(
            b'"' + name.encode() + b'":"' + self._image(name, stage, step, pose) + b'"'
            for name in CAMERAS
        )
        # Base64 needs no escapes, and a JSON writer would look for them in 34 MB.
        head = json.dumps(fields)[:-1].encode()
        return head + b',"calibration":' + self._calibration + b',"images":{' + images + b"}}"

    def _image(self, channel: str, stage: Stage, step: int, pose: Floats) -> bytes:
        if channel not in self.rendered:
            return _blank()
        picture = self.cameras.picture(channel, stage, step, pose)
        return base64.b64encode(rgb_archive(picture))


@cache
def _blank() -> bytes:
    width, height = _BLANK_PX
    return base64.b64encode(rgb_archive(np.zeros((height, width, 3), np.uint8)))


def canbus(cars: Vehicles) -> Floats:
    """Return the 16 numbers of one car, velocity and acceleration of the vehicle's centre."""
    x_m, y_m, yaw_rad = cars.pose[0]
    quaternion = [np.cos(yaw_rad / 2), 0.0, 0.0, np.sin(yaw_rad / 2)]
    acceleration = [*cars.centre_acceleration_mps2()[0], _GRAVITY_MPS2]
    rates = [0.0, 0.0, cars.turn_radps[0]]
    velocity = [*cars.centre_velocity_mps()[0], 0.0]
    return np.array([x_m, y_m, 0.0, *quaternion, *acceleration, *rates, *velocity])


def command(pose: Floats, speed_mps: float, route_m: Floats) -> int:
    """Return where the route goes from here: a point 3 s straight ahead, projected on it.

    Args:
        pose: (3,) of the rear axle.
        speed_mps: Taken as 2 m/s at least.
        route_m: (n, 2) places of the log; its last stretch is drawn out by 100 m.
    """
    moves = np.diff(route_m, axis=0)
    moving = np.flatnonzero(np.linalg.norm(moves, axis=-1) > 1e-6)
    if not moving.size:
        return STRAIGHT
    last = moves[moving[-1]]
    beyond = route_m[-1] + _BEYOND_M * last / np.linalg.norm(last)
    starts, ends = route_m, np.concatenate([route_m[1:], beyond[None]])
    ahead = np.array([np.cos(pose[2]), np.sin(pose[2])])
    point = pose[:2] + max(speed_mps, _LEAST_MPS) * _AHEAD_S * ahead
    moves = ends - starts
    length2 = np.maximum((moves**2).sum(axis=-1), 1e-12)
    share = np.clip(((point - starts) * moves).sum(axis=-1) / length2, 0.0, 1.0)
    nearest = starts + share[:, None] * moves
    best = nearest[np.argmin(np.linalg.norm(nearest - point, axis=-1))]
    aside_m = turned(best - pose[:2], np.asarray(-pose[2]))[1]
    return LEFT if aside_m > _ASIDE_M else RIGHT if aside_m < -_ASIDE_M else STRAIGHT


def read_reply(body: bytes) -> tuple[Floats, str | None]:
    """Return (6, 2) waypoints and what the server tells of the answer they are from.

    Raises:
        ValueError: The reply holds something else.
    """
    try:
        fields: Any = json.loads(body)
        plan = np.array(fields["trajectory"], dtype=np.float64)
        status = fields["aux_outputs"].get("status")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"expected a reply with trajectory and aux_outputs, got {body[:200]!r}"
        ) from error
    if plan.shape != (WAYPOINTS, 2) or not np.isfinite(plan).all():
        raise ValueError(f"expected {WAYPOINTS} finite points, got {fields['trajectory']!r:.200}")
    return plan, status if isinstance(status, str) else None
