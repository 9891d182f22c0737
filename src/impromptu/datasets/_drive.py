"""All that the clips of one log are made from, its ego's track first, and one clip of it."""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from impromptu.arrays import Bools, Floats, Ints
from impromptu.clip import Camera, Clip, EgoStatus, Observation
from impromptu.datasets import Dropped, Log, LogError
from impromptu.datasets._agents import Surroundings
from impromptu.geometry import SE2
from impromptu.poses import Poses, PoseTrack, pose_track
from impromptu.sampling import Windows


@dataclass(frozen=True, slots=True, eq=False)
class Drive:
    """One log, a row a present.

    Attributes:
        dataset: The adapter's name.
        presents_ns: (n,) stamps.
        ego: The ego's ways around the presents.
        cameras: Images of each present, in the dataset's order.
        around: The agents around the presents, or None in a log without annotations.
        motion, steering_rad: Logged status, as ``Windows.statuses`` takes it.
        commands: Logged navigation commands, or none at all.
        ego_SE2_planning: As in ``Observation``.
        tags: As in ``Clip``, of the whole log.
    """

    dataset: str
    log: Log
    presents_ns: Ints
    ego: Windows
    cameras: Sequence[tuple[Camera, ...]]
    around: Surroundings | None = None
    motion: Floats | None = None
    steering_rad: Floats | None = None
    commands: Sequence[str | None] = ()
    ego_SE2_planning: SE2 | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    _statuses: Sequence[tuple[EgoStatus | None, ...]] = field(init=False, repr=False)
    _world_SE2_ego: Sequence[SE2] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Tell the ego's status and place of all presents at once."""
        statuses = self.ego.statuses(self.motion, self.steering_rad)
        object.__setattr__(self, "_statuses", statuses)
        object.__setattr__(self, "_world_SE2_ego", self.ego.present.se2s())

    def clip(self, index: int, name: str) -> Clip:
        """Return the clip of one present under its full name."""
        around = self.around
        return Clip(
            id=name,
            dataset=self.dataset,
            split=self.log.split,
            log=self.log.id,
            timestamp_ns=int(self.presents_ns[index]),
            observation=Observation(
                cameras=self.cameras[index],
                past=self.ego.past(index),
                statuses=self._statuses[index],
                agents=around.agents(index) if around else (),
                command=self.commands[index] if self.commands else None,
                annotated=around is not None and bool(around.annotated[index]),
                ego_SE2_planning=self.ego_SE2_planning,
            ),
            future=self.ego.future(index),
            agent_futures=around.futures(index) if around else {},
            world_SE2_ego=self._world_SE2_ego[index],
            tags=self.tags,
        )

    def clips(
        self,
        keyframes: Iterable[str],
        posed: Sequence[bool] | Bools,
        faulty_ns: Container[int],
        *,
        boxed_ns: Ints | None = None,
        found: Sequence[bool] | Bools | None = None,
        lost: str = "no_frame",
    ) -> Iterator[Clip | Dropped]:
        """Yield the clip of each present, or why it gives none, and then the other lost poses.

        Args:
            keyframes: The last part of each clip's name.
            posed: Whether the ego's pose is known there.
            faulty_ns: Stamps with a box that cannot be.
            boxed_ns: (n,) stamps of the boxes that count as each present's, if not its own.
            found: Whether the log has anything at that time; it has, if left out.
            lost: Why there is no clip where it has not.
        """
        stamps_ns = (self.presents_ns if boxed_ns is None else boxed_ns).tolist()
        for index, keyframe in enumerate(keyframes):
            name = f"{self.dataset}/{self.log.id}/{keyframe}"
            if found is not None and not found[index]:
                yield Dropped(name, lost)
            elif not posed[index]:
                yield Dropped(name, "no_ego_pose")
            elif stamps_ns[index] in faulty_ns:
                yield Dropped(name, "bad_box")
            else:
                yield self.clip(index, name)
        told_ns = set(self.presents_ns[~np.asarray(posed, bool)].tolist())
        for stamp_ns in self.ego.lost_ns.tolist():
            if stamp_ns not in told_ns:
                name = f"{self.dataset}/{self.log.id}/{stamp_ns}"
                yield Dropped(name, "unusable_pose", keyframe=False)


def ego_track(
    timestamps_ns: Ints, rows: Poses, name: str, *, max_gap_ns: int, edge_ns: int = 0
) -> PoseTrack:
    """Make the ego's track, as ``pose_track`` does.

    Raises:
        LogError: The poses do not make one.
    """
    try:
        return pose_track(timestamps_ns, rows, name, max_gap_ns=max_gap_ns, edge_ns=edge_ns)
    except ValueError as error:
        raise LogError(str(error)) from error
