"""Requests as NeuroNCAP's engine writes them, without torch, and a drive to make them of."""

import base64
import io
import json
import pickle
import struct
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impromptu.arrays import Floats
from impromptu.closed_loop.protocol import CHANNELS
from impromptu.geometry import about_z

LIDAR2EGO = [[0.0, 1, 0, 0.94], [-1, 0, 0, 0], [0, 0, 1, 1.84], [0, 0, 0, 1]]
"""x right, y ahead: the lidar's x axis is the ego's -y, its y axis the ego's x."""


def program(shape: tuple[int, ...], steps: tuple[int, ...], length: int, **other: bytes) -> bytes:
    """Assemble the pickle that ``torch.save`` writes of a tensor."""

    def numbers(values: tuple[int, ...]) -> bytes:
        return b"".join(b"J" + struct.pack("<i", value) for value in values) + b"\x87"

    def text(value: bytes) -> bytes:
        return b"X" + struct.pack("<I", len(value)) + value

    storage = other.get("storage", b"ctorch\nByteStorage\n")
    rebuild = other.get("rebuild", b"ctorch._utils\n_rebuild_tensor_v2\n")
    return (
        b"\x80\x02" + rebuild + b"q\x00((" + text(b"storage") + storage + text(b"0")
        + text(b"cpu") + b"J" + struct.pack("<i", length) + b"tQK\x00" + numbers(shape)
        + numbers(steps) + b"\x89ccollections\nOrderedDict\n)RtR."
    )  # fmt: skip


def zipped(
    entries: dict[str, bytes], method: int = zipfile.ZIP_STORED, folder: str = "archive"
) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as file:
        for name, data in entries.items():
            file.writestr(f"{folder}/{name}", data)
    return content.getvalue()


def archive(pixels: NDArray[np.uint8]) -> bytes:
    """Return what ``torch.save`` writes of an (H, W, 3) tensor, as far as it matters."""
    height, width, _ = pixels.shape
    made = program((height, width, 3), (3 * width, 3, 1), pixels.size)
    return zipped({"data.pkl": made, "version": b"3\n", "data/0": pixels.tobytes()})


def noise(seed: int = 0, height: int = 36, width: int = 64) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)


def pose(x_m: float, y_m: float, yaw_rad: float) -> list[list[float]]:
    """Return ego2world of a simulated step."""
    matrix = np.eye(4)
    matrix[:3, :3] = about_z(np.asarray(yaw_rad))
    matrix[:2, 3] = x_m, y_m
    listed: list[list[float]] = matrix.tolist()
    return listed


def step(
    number: int = 0,
    *,
    ego2world: Any = None,
    speed_mps: float = 5.0,
    yaw_rate_radps: float = 0.0,
    pixels: NDArray[np.uint8] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Return the body of a simulated step on a straight road, half a second after the last."""
    image = base64.b64encode(archive(noise() if pixels is None else pixels)).decode()
    canbus = [0.0] * 16
    canbus[12:15] = yaw_rate_radps, speed_mps, 1.461 * yaw_rate_radps
    return {
        "images": dict.fromkeys(CHANNELS, image),
        "ego2world": ego2world or pose(number * speed_mps / 2, 0.0, 0.0),
        "canbus": canbus,
        "timestamp": 1_600_000_000_000_000 + 500_000 * number,
        "command": 2,
        "calibration": {"camera2image": {}, "camera2ego": {}, "lidar2ego": LIDAR2EGO},
    } | more


def encoded(body: Any) -> bytes:
    return json.dumps(body).encode()


def arc(radius_m: float, speed_mps: float, t_s: Floats) -> tuple[Floats, Floats]:
    """Return places (n, 2) and headings of a rear axle that turns left, from the origin on."""
    yaw_rad = speed_mps * t_s / radius_m
    return radius_m * np.stack([np.sin(yaw_rad), 1 - np.cos(yaw_rad)], axis=-1), yaw_rad


class Bomb:
    """Pickled, it would make a file."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str, str]]:
        return open, (self.path, "w")


def bomb(path: str) -> bytes:
    return pickle.dumps(Bomb(path), protocol=2)
