"""A line of JSON for every step that was asked for, whatever came of it."""

import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from impromptu.closed_loop.protocol import Step
from impromptu.closed_loop.sessions import Session
from impromptu.files import writing_to


@dataclass(frozen=True, slots=True)
class Trace:
    """A file that lines are appended to, each in one write.

    Attributes:
        handle: Of the open file.
    """

    path: Path
    handle: int = field(init=False)

    def __post_init__(self) -> None:
        """Open the file; what is in it stays.

        Raises:
            OSError: It cannot be written to; the message names it.
        """
        with writing_to(self.path.parent):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
            object.__setattr__(self, "handle", os.open(self.path, flags, 0o666))

    def append(self, row: dict[str, Any]) -> None:
        """Append one line.

        Raises:
            OSError: The disk is full.
        """
        os.write(self.handle, (json.dumps(row, ensure_ascii=False) + "\n").encode())


def told(session: Session, step: Step) -> dict[str, Any]:
    """Return what a line tells of a step before it is answered."""
    place = step.world_SE2_ego
    return {
        "session": session.name,
        "run": session.run,
        "step": session.count,
        "timestamp_us": step.timestamp_ns // 1000,
        "x_m": float(place.translation_m[0]),
        "y_m": float(place.translation_m[1]),
        "yaw_rad": place.yaw_rad,
        "speed_mps": float(step.velocity_mps[0]),
        "velocity_mps": step.bus_velocity_mps.tolist(),
        "simulated": step.simulated,
        "command": step.command,
    }


def prompt_hash(prompt: str) -> str:
    """Return the SHA-256 of a prompt's UTF-8 text."""
    return hashlib.sha256(prompt.encode()).hexdigest()
