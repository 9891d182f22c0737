"""The mini-simulator's scenarios: what the log did, who stands or comes in the way, and jitter.

``scenarios.yaml`` holds them; this module reads it and sets up one run of one scenario.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

import numpy as np

from impromptu.files import read_yaml_mapping
from impromptu.miniature.motion import Motion, Pace, Ramp, Track, Turn
from impromptu.miniature.world import SIZES_M, Shape
from impromptu.plugins import did_you_mean

CATEGORIES = ("stationary", "frontal", "side")
FILE = Path(str(files("impromptu.closed_loop").joinpath("scenarios.yaml")))


@dataclass(frozen=True, slots=True)
class Jitter:
    """How far a run may differ from its scenario, either way, evenly drawn.

    Attributes:
        ahead_m, left_m, yaw_rad: Of the actor's place, in its own frame.
        start_frames: Frames of half a second by which a run begins sooner or later in the log.
    """

    ahead_m: float
    left_m: float
    yaw_rad: float
    start_frames: int


@dataclass(frozen=True, slots=True)
class Path2D:
    """A way to drive: at a time at a place, then along turns, at a speed that ramps change.

    Attributes:
        at_s, xy_m, heading_rad: When it is where; turns are counted from there.
    """

    at_s: float
    xy_m: tuple[float, float]
    heading_rad: float
    pace: Pace
    turns: Sequence[Turn]

    def motion(self, offset: Sequence[float] = (0.0, 0.0, 0.0)) -> Motion:
        """Return the motion, its place moved ahead, to the left, and turned."""
        ahead_m, left_m, yaw_rad = offset
        cos, sin = np.cos(self.heading_rad), np.sin(self.heading_rad)
        place = (
            self.xy_m[0] + cos * ahead_m - sin * left_m,
            self.xy_m[1] + sin * ahead_m + cos * left_m,
        )
        lead_m = -float(self.pace.travelled_m(np.array(self.at_s)))
        return Motion(Track(place, self.heading_rad + yaw_rad, self.turns), self.pace, lead_m)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One of the twenty.

    Attributes:
        name: ``stationary-0103``: category, and the nuScenes sequence it stands for.
        title: What happens, for people.
        log: What the ego did when nobody was in the way; its rear axle.
        actor: Who is in the way; the middle of its box.
        shapes: What the actor may be.
        start_s: Time in the log at which a run begins.
        duration_s: How long it lasts, at most.
        priming_steps: Half seconds during which the ego still follows the log.
    """

    name: str
    title: str
    log: Path2D
    actor: Path2D
    shapes: tuple[Shape, ...]
    start_s: float
    duration_s: float
    priming_steps: int
    jitter: Jitter

    @property
    def category(self) -> str:
        """Return the first part of its name."""
        return self.name.partition("-")[0]


@dataclass(frozen=True, slots=True)
class Draw:
    """What the seed, which is the run's index, made of a scenario.

    Attributes:
        start_s: Time in the log at which the run begins.
    """

    scenario: Scenario
    run: int
    shape: Shape
    actor: Motion
    log: Motion
    start_s: float


def drawn(scenario: Scenario, run: int) -> Draw:
    """Draw run number ``run`` of a scenario; the same number gives the same run."""
    rng, jitter = np.random.default_rng(run), scenario.jitter
    shape = scenario.shapes[rng.integers(len(scenario.shapes))]
    widths = np.array([jitter.ahead_m, jitter.left_m, jitter.yaw_rad])
    offset = rng.uniform(-widths, widths).tolist()
    frames = int(rng.integers(-jitter.start_frames, jitter.start_frames + 1))
    start_s = scenario.start_s + 0.5 * frames
    return Draw(scenario, run, shape, scenario.actor.motion(offset), scenario.log.motion(), start_s)


@cache
def load(path: Path = FILE) -> Mapping[str, Scenario]:
    """Read scenarios by name, in the file's order.

    Raises:
        ValueError: A scenario cannot be read; the message names file, scenario and field.
    """
    return {name: _scenario(path, name, tree) for name, tree in read_yaml_mapping(path).items()}


def chosen(words: Sequence[str], known: Mapping[str, Scenario]) -> list[Scenario]:
    """Return the scenarios that ``all``, categories and names ask for, each once, in order.

    Raises:
        ValueError: A word is none of these.
    """
    for word in words:
        if word not in ("all", *CATEGORIES, *known):
            hint = did_you_mean(word, [*CATEGORIES, *known])
            raise ValueError(f"no scenario {word!r}; there are {', '.join(known)}.{hint}")
    return [
        one
        for name, one in known.items()
        if "all" in words or name in words or one.category in words
    ]


def _scenario(path: Path, name: str, tree: Any) -> Scenario:
    try:
        jitter, actor = tree["jitter"], tree["actor"]
        shapes = tuple(actor["shapes"])
        category, _, sequence = name.partition("-")
        if category not in CATEGORIES or not sequence:
            raise ValueError(f"expected a name such as {CATEGORIES[0]}-0103")
        if unknown := set(shapes) - set(get_args(Shape)):
            raise ValueError(f"no shape {min(unknown)!r}; there are {', '.join(SIZES_M)}")
        return Scenario(
            name,
            str(tree["title"]),
            _path(tree["log"]),
            _path(actor),
            shapes,
            float(tree["start_s"]),
            float(tree["duration_s"]),
            int(tree["priming_steps"]),
            Jitter(
                float(jitter["ahead_m"]),
                float(jitter["left_m"]),
                float(np.deg2rad(jitter["yaw_deg"])),
                int(jitter["start_frames"]),
            ),
        )
    except KeyError as error:
        raise ValueError(f"{path}: {name}: expected a field {error}") from error
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {name}: {error}") from error


def _path(tree: Mapping[str, Any]) -> Path2D:
    """Read a path; turns are [after m, over m, degrees to the left], ramps [at s, for s, m/s]."""
    x_m, y_m = tree["xy_m"]
    turns = [Turn(at, over, float(np.deg2rad(angle))) for at, over, angle in tree.get("turns", [])]
    ramps = [Ramp(*map(float, ramp)) for ramp in tree.get("ramps", [])]
    return Path2D(
        float(tree["at_s"]),
        (float(x_m), float(y_m)),
        float(np.deg2rad(tree["heading_deg"])),
        Pace(float(tree["speed_mps"]), ramps),
        turns,
    )
