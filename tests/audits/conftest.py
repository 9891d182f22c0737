"""Made-up drives with jerky motion, as ShareGPT samples of q1, q2, q6 and q7."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from impromptu import audits, plugins
from impromptu.arrays import Floats
from impromptu.auditing import audit
from impromptu.audits import Finding
from impromptu.clip import STEP_S, Trajectory
from impromptu.meta_actions import decide

Sample = dict[str, Any]

Found = Callable[[list[Sample], bool], dict[str, Finding]]

LOGS, KEYFRAMES = 8, 44


@pytest.fixture(scope="session")
def clean() -> list[Sample]:
    """Samples whose velocities are those of the step before."""
    return make(leaked=False)


@pytest.fixture(scope="session")
def leaked() -> list[Sample]:
    """The same, but velocities are those of the step after, as published."""
    return make(leaked=True)


@pytest.fixture
def found(tmp_path: Path) -> Found:
    """Write samples, audit them, for leaks too or not, and return the findings by name."""

    def run(samples: list[Sample], leaks: bool) -> dict[str, Finding]:
        names = [name for name in plugins.names(audits) if leaks or name != "leakage"]
        result = audit([write(tmp_path, samples)], names)
        return {finding.name: finding for s in result.sections for finding in s.findings}

    return run


def _drive(random: np.random.Generator) -> tuple[Floats, Floats]:
    """Return (n, 2) positions in the world and (n,) headings of a drive with sudden changes."""
    count = KEYFRAMES + 14
    speed = np.clip(8 + np.cumsum(random.normal(0, 0.7, count)), 3, 16)
    turn = np.repeat(random.normal(0, 0.12, count // 6 + 1), 6)[:count]
    turn += random.normal(0, 0.01, count)
    heading = np.cumsum(turn)
    step = (speed * STEP_S)[:, None] * np.stack([np.cos(heading), np.sin(heading)], axis=1)
    return np.cumsum(step, axis=0), heading


def make(leaked: bool) -> list[Sample]:
    """Return the samples of eight drives, a dataset ``made``, in the order q6, q7, q1, q2."""
    random = np.random.default_rng(0)
    by_task: dict[str, list[Sample]] = {"q6": [], "q7": [], "q1": [], "q2": []}
    for log in range(LOGS):
        world_m, heading = _drive(random)
        for now in range(3, KEYFRAMES):
            clip = f"made/log{log}/{now:03d}"
            for task, sample in _clip(clip, world_m, heading, now, leaked).items():
                by_task[task].append(sample)
    return [sample for samples in by_task.values() for sample in samples]


def _clip(clip: str, world_m: Floats, heading: Floats, now: int, leaked: bool) -> dict[str, Sample]:
    cos, sin = np.cos(heading[now]), np.sin(heading[now])
    local_m = ((world_m - world_m[now]) @ np.array([[cos, -sin], [sin, cos]])).round(2) + 0.0
    image = f"images/{clip.replace('/', '_')}.png"
    speed = np.hypot(*(world_m[now] - world_m[now - 1])) / STEP_S
    future = Trajectory(STEP_S * np.arange(1, 11), local_m[now + 1 : now + 11])
    plan = decide(float(speed), future)
    ahead = 5 + now % 20
    someone = f"Yes, I see a pedestrian located {ahead} meters ahead of me."
    asked = "List people within 20 meters, like 'a person located X meters ahead of me'."
    lines = [f"Object 1: pedestrian, {ahead} meters ahead, 0 meters to the left, speed of 1 m/s."]
    lines.append(f"Object 2: car, {ahead + 9} meters ahead, 3 meters to the right, speed of 4 m/s.")
    answers = "Object 1: KEEP, STRAIGHT\nObject 2: KEEP, STRAIGHT"
    return {
        "q6": sample(
            f"{clip}/q6",
            [image],
            f"<image>\nIt drives at {speed:.0f} m/s. What should it do? <SPEED PATH PLAN>",
            f"<SPEED PATH PLAN>{plan.speed},{plan.path}</SPEED PATH PLAN>",
        ),
        "q7": sample(f"{clip}/q7", [image], _history(local_m, now, leaked), waypoints(future.xy_m)),
        "q1": sample(
            f"{clip}/q1",
            [image],
            f"<image>\n{asked}",
            someone if ahead <= 20 else "No, I don't see any.",
        ),
        "q2": sample(
            f"{clip}/q2/front",
            [image],
            "<image>\n" + "\n".join(lines),
            f"<DYNAMIC OBJECTS>{answers}</DYNAMIC OBJECTS>",
        ),
    }


def sample(name: str, images: list[str], prompt: str, answer: str) -> Sample:
    """Return one ShareGPT sample."""
    roles = {"user": prompt, "assistant": answer}
    messages = [{"role": role, "content": text} for role, text in roles.items()]
    return {"id": name, "images": images, "messages": messages}


def _history(local_m: Floats, now: int, leaked: bool) -> str:
    parts = []
    for back in (3, 2, 1, 0):
        at = now - back
        shift = 1 if leaked else 0
        velocity = (local_m[at + shift] - local_m[at + shift - 1]) / STEP_S
        after = (local_m[at + shift + 1] - local_m[at + shift]) / STEP_S
        before = (local_m[at - 1] - local_m[at - 2]) / STEP_S
        change = (after - velocity if leaked else velocity - before) / STEP_S
        x, y = local_m[at]
        parts.append(
            f"{STEP_S * back:.1f} s ago [{x:.2f}, {y:.2f}] speed {velocity[0]:z.2f} "
            f"{velocity[1]:z.2f} change {change[0]:z.2f} {change[1]:z.2f}"
        )
    return "<image>\nHere it was: " + "; ".join(parts) + "\nWhere will it be?"


def waypoints(path_m: Floats) -> str:
    """Return an answer to q7."""
    points = ", ".join(f"[{x:z.2f}, {y:z.2f}]" for x, y in path_m)
    return f"<PLANNING>It will be at [x, y]: {points}</PLANNING>"


def write(folder: Path, samples: list[Sample], name: str = "samples.json") -> Path:
    """Write samples and the images they name; return the file."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for path in {path for one in samples for path in _images(one)}:
        if not (folder / path).exists():
            (folder / path).write_bytes(_PICTURE[:-12] + path.encode() + _PICTURE[-12:])
    file = folder / name
    file.write_text(json.dumps(samples), encoding="utf-8")
    return file


def _images(one: Sample) -> list[str]:
    paths = one.get("images") if isinstance(one, dict) else None
    return [p for p in paths if str(p).startswith("images/made")] if isinstance(paths, list) else []


def _picture() -> bytes:
    """Return one PNG of noise, larger than what counts as tiny."""
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "PNG")
    return buffer.getvalue()


_PICTURE = _picture()
