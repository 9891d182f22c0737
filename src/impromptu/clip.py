"""What a drive looked like, whichever dataset it came from.

One frame serves everything here: the ego frame at the clip's present instant, x forward, y left,
z up, in metres and seconds, with the present at zero.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from operator import lt
from pathlib import Path
from typing import Literal

from impromptu.arrays import Floats, assembled, floats
from impromptu.geometry import SE2, SE3

STEP_S = 0.5
"""Spacing of every trajectory here: clips are sampled at 2 Hz."""

Kind = Literal["vehicle", "cyclist", "pedestrian", "object"]
SpeedWord = Literal["KEEP", "ACCELERATE", "DECELERATE", "STOP"]
PathWord = Literal["STRAIGHT", "RIGHT_CHANGE", "LEFT_CHANGE", "RIGHT_TURN", "LEFT_TURN"]


class Unanswerable(ValueError):
    """A clip that has no true answer to a question; the text is a short snake_case reason."""


@dataclass(frozen=True, slots=True, eq=False)
class Trajectory:
    """Where a body is at each of a rising run of times.

    Attributes:
        t_s: (n,) seconds from the present.
        xy_m: (n, 2) metres in the present ego frame.
        yaw_rad: (n,) headings in the present ego frame, counter-clockwise, or None where unknown.
    """

    t_s: Floats
    xy_m: Floats
    yaw_rad: Floats | None = None

    def __post_init__(self) -> None:
        """Check shapes and order."""
        object.__setattr__(self, "t_s", floats(self.t_s, None, name="Trajectory.t_s"))
        count = len(self.t_s)
        object.__setattr__(self, "xy_m", floats(self.xy_m, count, 2, name="Trajectory.xy_m"))
        if self.yaw_rad is not None:
            yaw_rad = floats(self.yaw_rad, count, name="Trajectory.yaw_rad")
            object.__setattr__(self, "yaw_rad", yaw_rad)
        times_s = self.t_s.tolist()
        if not all(map(lt, times_s, times_s[1:])):
            raise ValueError("Trajectory.t_s: times must rise")

    def __len__(self) -> int:
        """Return the number of waypoints."""
        return len(self.t_s)

    def __getitem__(self, part: slice) -> "Trajectory":
        """Return a run of waypoints."""
        yaw_rad = None if self.yaw_rad is None else self.yaw_rad[part]
        return assembled(Trajectory, self.t_s[part], self.xy_m[part], yaw_rad)


def covers_s(trajectory: Trajectory, time_s: float) -> bool:
    """Tell whether a 2 Hz trajectory has a point at a time, early or late by up to half a step."""
    t_s, slack_s = trajectory.t_s, STEP_S / 2
    return len(t_s) > 0 and bool(t_s[0] - slack_s < time_s < t_s[-1] + slack_s)


@dataclass(frozen=True, slots=True)
class MetaAction:
    """A driving decision in words: what happens to the speed, and to the path."""

    speed: SpeedWord
    path: PathWord


@dataclass(frozen=True, slots=True, eq=False)
class PackedImage:
    """An image that is inside another file, where a sample cannot name it.

    Attributes:
        size: In bytes, or None where telling takes reading it.
        content: Reads its bytes, which are those of a JPEG or PNG file.
    """

    size: int | None
    content: Callable[[], bytes]


@dataclass(frozen=True, slots=True, eq=False)
class Camera:
    """One image, and where its camera was.

    Attributes:
        view: Where it looks, in capitals: ``FRONT``, ``FRONT LEFT``, ``BACK`` ...
        image: The file, as the dataset ships it, or as ``packed`` is written out.
        size_px: (width, height).
        intrinsics_px: (3, 3) pinhole matrix, or None where the dataset has none.
        ego_SE3_camera: Camera to **present** ego (the ego's motion between the exposure and the
            present is in it); camera axes x right, y down, z forward. None without intrinsics.
        packed: What ``image`` is to hold, where the dataset keeps it inside another file.
    """

    view: str
    image: Path
    size_px: tuple[int, int] | None = None
    intrinsics_px: Floats | None = None
    ego_SE3_camera: SE3 | None = None
    packed: PackedImage | None = None

    def __post_init__(self) -> None:
        """Check shapes and values."""
        if self.size_px is not None and not all(side > 0 for side in self.size_px):
            raise ValueError(f"Camera.size_px: expected a width and height > 0, got {self.size_px}")
        if self.intrinsics_px is not None:
            intrinsics_px = floats(self.intrinsics_px, 3, 3, name="Camera.intrinsics_px")
            object.__setattr__(self, "intrinsics_px", intrinsics_px)


@dataclass(frozen=True, slots=True, eq=False)
class EgoStatus:
    """How the ego moved at one instant, in its own axes **of that instant**: x forward, y left.

    Attributes:
        velocity_mps: (2,).
        acceleration_mps2: (2,), or None where the log begins too late to tell.
        steering_rad: Steering wheel angle, left positive, or None where not logged.
        logged: True for a sensor's values, False for backward differences of positions.
    """

    velocity_mps: Floats
    acceleration_mps2: Floats | None = None
    steering_rad: float | None = None
    logged: bool = True

    def __post_init__(self) -> None:
        """Check shapes."""
        velocity_mps = floats(self.velocity_mps, 2, name="EgoStatus.velocity_mps")
        object.__setattr__(self, "velocity_mps", velocity_mps)
        if self.acceleration_mps2 is not None:
            acceleration = floats(self.acceleration_mps2, 2, name="EgoStatus.acceleration_mps2")
            object.__setattr__(self, "acceleration_mps2", acceleration)


@dataclass(frozen=True, slots=True, eq=False)
class Agent:
    """Another road user, or an object on the road, at the present instant.

    Attributes:
        id: Stable through the log.
        category: The dataset's own word for it, as people read it: ``car``, ``PEDESTRIAN``.
        kind: Our word for it; ``object`` is all that does not move by itself (cones, barriers).
        center_m: (3,) centre of its box in the present ego frame.
        size_m: (3,) length, width, height.
        yaw_rad: Heading in the present ego frame.
        velocity_mps: (2,) over the ground, in present ego axes, from its past alone; None at its
            first appearance.
        observed: Whether the sensors saw it now (each adapter says by which rule).
    """

    id: str
    category: str
    kind: Kind
    center_m: Floats
    size_m: Floats
    yaw_rad: float
    velocity_mps: Floats | None = None
    observed: bool = True

    def __post_init__(self) -> None:
        """Check shapes."""
        object.__setattr__(self, "center_m", floats(self.center_m, 3, name="Agent.center_m"))
        object.__setattr__(self, "size_m", floats(self.size_m, 3, name="Agent.size_m"))
        if self.velocity_mps is not None:
            velocity_mps = floats(self.velocity_mps, 2, name="Agent.velocity_mps")
            object.__setattr__(self, "velocity_mps", velocity_mps)


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """All that a model may see: nothing here is later than the present.

    Attributes:
        cameras: In the dataset's fixed order.
        past: 2 Hz, oldest first, the present ``(0, 0)`` at 0 s last; as much of the last 3 s as
            the log holds without a gap.
        statuses: One for each point of ``past``; None where nothing is known.
        agents: What is around, nearest first.
        command: A **logged** navigation command, or None.
        decision: The ego's coming decision, told only by questions that ask for its reason.
        ego_SE2_planning: The body-fixed frame that a planning benchmark tracks instead of the ego
            origin (nuScenes: LIDAR_TOP, turned to x forward), or None where there is none.
        annotated: Whether people looked for agents here; False tells "no labels" from "nobody".
    """

    cameras: tuple[Camera, ...]
    past: Trajectory
    statuses: tuple[EgoStatus | None, ...]
    agents: tuple[Agent, ...] = ()
    command: str | None = None
    decision: MetaAction | None = None
    ego_SE2_planning: SE2 | None = None
    annotated: bool = True

    def __post_init__(self) -> None:
        """Check that the past ends now and that nothing in it is misaligned."""
        past = self.past
        if not len(past) or past.t_s[-1] != 0 or past.xy_m[-1].tolist() != [0, 0]:
            raise ValueError("Observation.past: expected a last point (0, 0) at 0 s")
        if len(self.statuses) != len(self.past):
            raise ValueError(
                f"Observation.statuses: {len(self.statuses)} for {len(self.past)} past points"
            )

    @property
    def status(self) -> EgoStatus | None:
        """The present status."""
        return self.statuses[-1]


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """An observation, and what came after it.

    Attributes:
        id: ``<dataset>/<log>/<keyframe>``, unique and stable.
        future: The ego's, 2 Hz from 0.5 s on; as much of the next 5 s as the log holds without a
            gap.
        agent_futures: By agent id, likewise; an agent that is lost at once is absent.
        world_SE2_ego: Where the ego is on the ground of its log's world. Scoring moves boxes of
            later clips by it; no prompt is told.
        tags: What the dataset says about where and when: ``location``, ``time_of_day``,
            ``weather``. For breakdowns of scores; no prompt is told.
    """

    id: str
    dataset: str
    split: str
    log: str
    timestamp_ns: int
    observation: Observation
    future: Trajectory
    agent_futures: Mapping[str, Trajectory] = field(default_factory=dict)
    world_SE2_ego: SE2 | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
