"""One step as NeuroNCAP tells it: read from a request's body, and checked.

Nearly all of the 34.6 MB of a body are six base64 texts, of which one or three are used. So long
strings are taken out first, as views of the body, and only the rest is parsed as JSON.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from impromptu.arrays import Floats, floats
from impromptu.geometry import SE2, SE3
from impromptu.poses import MAX_POSITION_M
from impromptu.sampling import LOGGED_LIMIT

Command = Literal["RIGHT", "LEFT", "STRAIGHT"]
CHANNELS = (
    *("CAM_FRONT", "CAM_FRONT_LEFT", "CAM_FRONT_RIGHT"),
    *("CAM_BACK", "CAM_BACK_LEFT", "CAM_BACK_RIGHT"),
)
CANBUS = 16
CENTRE_M = 1.461
"""In simulated steps the CAN bus tells of the vehicle's centre, so far ahead of the rear axle."""
LAST_US = 9_000_000_000_000_000
"""No stamp is later: nanoseconds of it fit into 64 bits."""
_LONG, _MAX_STRINGS, _MAX_REST = 1_024, 10_000, 1_000_000
_ROTATION_TOLERANCE = 0.01

ImageText = str | memoryview


class StepError(ValueError):
    """A request that tells no step; the text says what was expected and what came."""

    status = 422


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One step, in our terms.

    Attributes:
        timestamp_ns: Of the present.
        world_SE3_ego: The rear axle.
        velocity_mps: (2,) of the rear axle, in ego axes.
        acceleration_mps2: (2,) as sent, in ego axes.
        yaw_rate_radps: Counter-clockwise.
        command: Where the logged route goes from here.
        ego_SE3_lidar: LIDAR_TOP's mounting.
        simulated: Whether the simulator moved the car here, and not the log.
        images: By camera, base64 of ``torch.save`` as text, or the bytes of an image file.
    """

    timestamp_ns: int
    world_SE3_ego: SE3
    velocity_mps: Floats
    acceleration_mps2: Floats
    yaw_rate_radps: float
    command: Command
    ego_SE3_lidar: SE3
    simulated: bool
    images: Mapping[str, ImageText | bytes]

    @property
    def world_SE2_ego(self) -> SE2:
        """The rear axle, seen from above."""
        forward = self.world_SE3_ego.rotation[:, 0]
        yaw_rad = float(np.arctan2(forward[1], forward[0]))
        return SE2(yaw_rad, self.world_SE3_ego.translation_m[:2])

    @property
    def bus_velocity_mps(self) -> Floats:
        """(2,) of the point that the CAN bus tells of, and that NeuroNCAP scores an impact by."""
        return self.velocity_mps + _turn_mps(self.yaw_rate_radps, self.simulated)


def read_step(body: bytes | bytearray, cameras: Sequence[str]) -> Step:
    """Read a request's body.

    Args:
        body: JSON.
        cameras: Those whose images are needed, such as ``CAM_FRONT``.

    Raises:
        StepError: It is not JSON, or a field is missing or wrong.
    """
    text, taken = take_out(body)
    if len(text) > _MAX_REST:
        raise StepError(
            f"the body has {len(text)} bytes beside its images; expected some 5,000 (base64 text "
            "with a backslash in it is not taken for an image)"
        )
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise StepError(f"the body is not JSON: {error}") from error
    pose = _pose(_field(fields, "ego2world"), "ego2world")
    canbus = _numbers(_field(fields, "canbus"), "canbus", CANBUS)
    if (np.abs(canbus[[7, 8, 13, 14]]) > LOGGED_LIMIT).any() or abs(canbus[12]) > LOGGED_LIMIT:
        raise StepError(f"canbus: beyond {LOGGED_LIMIT:g} m/s, m/s2 or rad/s: {canbus.tolist()}")
    # A log's pose leans a little; the simulator's lies in the ground plane to the last bit.
    simulated = bool(pose.translation_m[2] == 0) and pose.rotation[2].tolist() == [0, 0, 1]
    calibration = _field(fields, "calibration")
    lidar = _pose(_field(calibration, "lidar2ego", "calibration"), "calibration.lidar2ego")
    return Step(
        timestamp_ns=1_000 * _whole(_field(fields, "timestamp"), "timestamp", LAST_US),
        world_SE3_ego=pose,
        velocity_mps=floats(canbus[13:15] - _turn_mps(canbus[12], simulated), 2, name="velocity"),
        acceleration_mps2=canbus[7:9],
        yaw_rate_radps=float(canbus[12]),
        command=get_args(Command)[_whole(_field(fields, "command"), "command", 2)],
        ego_SE3_lidar=lidar,
        simulated=simulated,
        images={name: _image(_field(fields, "images"), name, taken) for name in cameras},
    )


def _turn_mps(yaw_rate_radps: float, simulated: bool) -> Floats:
    """Return (2,) what a turn adds to the rear axle's velocity at the CAN bus's point."""
    return np.array([0.0, CENTRE_M * yaw_rate_radps if simulated else 0.0])


def take_out(body: bytes | bytearray) -> tuple[bytes, list[memoryview]]:
    """Take long strings out of a JSON text, and leave ``"@0"``, ``"@1"`` ... in their place.

    A string with a backslash in it stays, whatever its length: what it says is the parser's. So
    does what comes after more strings than any step has.
    """
    whole, taken, kept, start = memoryview(body), list[memoryview](), list[bytes](), 0
    opening = body.find(b'"')
    for _ in range(_MAX_STRINGS):
        if opening < 0 or (closing := _end_of_string(body, opening)) < 0:
            break
        if closing - opening > _LONG and body.find(b"\\", opening, closing) < 0:
            kept += [bytes(whole[start:opening]), f'"@{len(taken)}"'.encode()]
            taken.append(whole[opening + 1 : closing])
            start = closing + 1
        opening = body.find(b'"', closing + 1)
    return b"".join([*kept, whole[start:]]), taken


def _end_of_string(body: bytes | bytearray, opening: int) -> int:
    """Find the quote that ends a string; -1 if there is none."""
    closing = body.find(b'"', opening + 1)
    while closing > 0 and body[closing - 1] == ord("\\"):
        before = closing - 1
        while body[before] == ord("\\"):
            before -= 1
        if (closing - before) % 2:  # an even number of backslashes are themselves alone
            return closing
        closing = body.find(b'"', closing + 1)
    return closing


def _field(fields: object, name: str, where: str = "the body") -> Any:
    if not isinstance(fields, dict):
        raise StepError(f"{where}: expected a JSON object, got {fields!r:.80}")
    if name not in fields:
        raise StepError(
            f"{where} has no {name!r}, only {', '.join(map(repr, fields)) or '{}':.200}"
        )
    return fields[name]


def _numbers(value: object, name: str, *shape: int) -> Floats:
    """Read nested lists of finite numbers."""
    try:
        array = np.array(value)
    except (ValueError, OverflowError) as error:
        raise StepError(f"{name}: expected {shape} numbers, got {value!r:.80}") from error
    if array.dtype.kind not in "if":
        raise StepError(f"{name}: expected {shape} numbers, got {value!r:.80}")
    try:
        return floats(array, *shape, name=name)
    except ValueError as error:
        raise StepError(str(error)) from error


def _whole(value: object, name: str, largest: int) -> int:
    if type(value) is not int or not 0 <= value <= largest:
        raise StepError(f"{name}: expected a whole number from 0 to {largest}, got {value!r:.40}")
    return value


def _pose(value: object, name: str) -> SE3:
    matrix = _numbers(value, name, 4, 4)
    turn, place_m = matrix[:3, :3], matrix[:3, 3]
    if (np.abs(place_m) >= MAX_POSITION_M).any() or (np.abs(turn) > 2).any():
        raise StepError(f"{name}: expected a pose, got {matrix.tolist()}")
    skew = np.abs(turn @ turn.T - np.eye(3)).max()
    if skew > _ROTATION_TOLERANCE or np.linalg.det(turn) < 0 or matrix[3].tolist() != [0, 0, 0, 1]:
        raise StepError(
            f"{name}: expected a rotation and a translation over 0 0 0 1, got {matrix.tolist()}"
        )
    return SE3(turn, place_m)


def _image(images: object, camera: str, taken: Sequence[memoryview]) -> ImageText:
    text = _field(images, camera, "images")
    if not isinstance(text, str):
        raise StepError(f"images.{camera}: expected base64 text, got {text!r:.40}")
    mark, _, number = text.partition("@")
    if not mark and number.isdecimal() and len(number) < 4 and int(number) < len(taken):
        return taken[int(number)]
    return text
