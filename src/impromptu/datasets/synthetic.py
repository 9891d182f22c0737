"""Three made-up drives with exact answers; read this adapter before writing another.

Nothing is read from disk: every pose comes from a formula, at the very instants that clips ask
for, so nothing is interpolated. The images do not exist.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from impromptu.arrays import Floats
from impromptu.clip import Camera, Clip
from impromptu.datasets import Dataset, Dropped, Log
from impromptu.datasets._agents import surroundings
from impromptu.datasets._boxes import Boxes
from impromptu.datasets._drive import Drive
from impromptu.geometry import SE3, about_z
from impromptu.poses import PoseTrack
from impromptu.sampling import STEP_NS, windows

KEYFRAMES = 24
"""Each drive lasts 11.5 s."""
_STAMPS_NS = STEP_NS * np.arange(KEYFRAMES)


@dataclass(frozen=True, slots=True)
class Motion:
    """A drive from the world's origin along its x axis: constant turn, constant braking."""

    split: str
    speed_mps: float
    yaw_rate_radps: float = 0.0
    braking_mps2: float = 0.0

    def poses(self, t_s: Floats) -> tuple[Floats, Floats]:
        """Return (n, 3, 3) rotations and (n, 3) positions in the world."""
        moving_s = np.minimum(t_s, self.speed_mps / max(self.braking_mps2, 1e-9))
        path_m = self.speed_mps * moving_s - self.braking_mps2 * moving_s**2 / 2
        yaw_rad = self.yaw_rate_radps * t_s
        # The chord of an arc points halfway along its turn.
        chord_m = path_m * np.sinc(yaw_rad / 2 / np.pi)
        xy_m = chord_m[:, None] * np.stack([np.cos(yaw_rad / 2), np.sin(yaw_rad / 2)], axis=-1)
        return about_z(yaw_rad), np.column_stack([xy_m, np.zeros_like(t_s)])


DRIVES = {
    "straight": Motion("train", 10.0),
    "left_arc": Motion("train", 8.0, yaw_rate_radps=0.1),
    "braking": Motion("test", 9.0, braking_mps2=1.5),
}
# Camera z looks along the ego's x, camera x along its -y, camera y along its -z.
_CAMERA = Camera(
    view="FRONT",
    image=Path(),
    size_px=(800, 450),
    intrinsics_px=np.array([[400.0, 0, 400], [0, 400, 225], [0, 0, 1]]),
    ego_SE3_camera=SE3(np.array([[0, 0, 1], [-1, 0, 0], [0, -1, 0]]), np.array([1.5, 0.0, 1.6])),
)


def _boxes() -> Boxes:
    """Return an oncoming car at 8 m/s and a standing pedestrian, at every keyframe."""
    t_s, ones = _STAMPS_NS / 1e9, np.ones(KEYFRAMES)
    car_m = np.column_stack([100 - 8 * t_s, 3.5 * ones, 0.8 * ones])
    pedestrian_m = np.column_stack([40 * ones, -4 * ones, 0.9 * ones])
    words = np.repeat(["car", "pedestrian"], KEYFRAMES).tolist()
    return Boxes(
        timestamps_ns=np.tile(_STAMPS_NS, 2),
        ids=words,
        categories=words,
        kinds=np.repeat(["vehicle", "pedestrian"], KEYFRAMES).tolist(),
        rotations=about_z(np.append(np.pi * ones, np.pi / 2 * ones)),
        centers_m=np.concatenate([car_m, pedestrian_m]),
        sizes_m=np.repeat([[4.5, 1.9, 1.6], [0.6, 0.6, 1.8]], KEYFRAMES, axis=0),
        observed=np.ones(2 * KEYFRAMES, dtype=bool),
    )


def logs(root: Path, scratch: Path) -> Sequence[Log]:
    """List the drives."""
    return [Log(name, drive.split, root, Path(name)) for name, drive in DRIVES.items()]


def clips(log: Log) -> Iterator[Clip | Dropped]:
    """Yield a clip for every half second of a drive."""
    track = PoseTrack(_STAMPS_NS, *DRIVES[log.id].poses(_STAMPS_NS / 1e9), max_gap_ns=STEP_NS)
    ego = windows(track, _STAMPS_NS)
    around = surroundings(
        _boxes(), _STAMPS_NS, _STAMPS_NS, ego.present, max_gap_ns=STEP_NS, edge_ns=0
    )
    images = [log.root / "synthetic" / log.id / f"{index:02d}.png" for index in range(KEYFRAMES)]
    cameras = [(replace(_CAMERA, image=image),) for image in images]
    drive = Drive("synthetic", log, _STAMPS_NS, ego, cameras, around)
    for index in range(KEYFRAMES):
        yield drive.clip(index, f"synthetic/{log.id}/{index:02d}")


DATASET = Dataset(
    home="",
    title="synthetic drives",
    url="",
    licence="Apache-2.0",
    size="nothing on disk",
    tree="",
    splits=("train", "test"),
    surround=("FRONT",),
    forward=("FRONT",),
    logs=logs,
    clips=clips,
)
