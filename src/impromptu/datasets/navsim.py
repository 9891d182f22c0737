"""navsim (OpenScene): frames at 2 Hz from one pickle a log, images from its sensor blobs.

The ego origin is the rear axle. Boxes are labels in the lidar's frame, moved to the world by the
ego's pose and the lidar's mounting; all count as observed. The logs of ``trainval`` are of split
train, for navsim's own division of them into navtrain and navval is a list of tokens that the
logs do not hold; those of ``mini`` are of split train, too. A log in several folders is read once.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from impromptu.arrays import Floats, Ints
from impromptu.clip import Camera, Clip, Kind
from impromptu.datasets import Dataset, Dropped, Log, LogError, not_found
from impromptu.datasets._agents import NEVER_NS, Surroundings, surroundings
from impromptu.datasets._boxes import Boxes
from impromptu.datasets._drive import Drive
from impromptu.datasets._images import first_size_px, images_of
from impromptu.datasets._plain_pickle import read_pickle
from impromptu.datasets._records import Records, in_time_order, listed
from impromptu.datasets._upright import rigid, upright_boxes
from impromptu.poses import Poses, pose_track, poses
from impromptu.sampling import windows

MAX_GAP_NS = 750_000_000
"""Frames are 0.5 s apart; with one missing the gap is wider than this."""
EDGE_NS = 60_000_000
"""A frame may be this much early or late: one lidar turn, and some jitter."""
CAMERAS = {
    "CAM_F0": "FRONT",
    "CAM_L0": "FRONT LEFT",
    "CAM_R0": "FRONT RIGHT",
    "CAM_L1": "LEFT",
    "CAM_R1": "RIGHT",
    "CAM_L2": "BACK LEFT",
    "CAM_R2": "BACK RIGHT",
    "CAM_B0": "BACK",
}
COMMANDS = "turn left", "go straight", "turn right"
"""What the first three places of ``driving_command`` stand for; the fourth is unknown."""
# A log's folder gives its split; of several that hold it the first counts.
_SPLITS = {"test": "test", "trainval": "train", "mini": "train"}
_KINDS: dict[str, Kind] = {"vehicle": "vehicle", "bicycle": "cyclist", "pedestrian": "pedestrian"}


def logs(root: Path, scratch: Path) -> Sequence[Log]:
    """List the logs of all folders under ``navsim_logs``, by name.

    Raises:
        FileNotFoundError: There is none.
    """
    found: dict[str, Log] = {}
    for folder, split in _SPLITS.items():
        for path in (root / "navsim_logs" / folder).glob("*.pkl"):
            found.setdefault(path.stem, Log(path.stem, split, root, path, (path,)))
    if not found:
        raise not_found(DATASET, root, "no log is in navsim_logs/{trainval,test,mini}")
    return [found[name] for name in sorted(found)]


def clips(log: Log) -> Iterator[Clip | Dropped]:
    """Yield a clip for every frame of a log.

    Raises:
        LogError: The pickle is damaged or would run code; a field is absent or of another shape;
            two frames have one stamp or token; no ego pose is usable.
    """
    frames, stamps_ns = _frames(log.source)
    tokens, mounted = frames.texts("token"), frames.column("lidar2ego", 4, 4)
    if len(set(tokens)) < len(tokens):
        raise LogError(f"{log.source}: two frames have one token; expected one each")
    quat_wxyz, position_m = (
        frames.column(f"ego2global_{part}", width)
        for part, width in (("rotation", 4), ("translation", 3))
    )
    world_SE3_ego = poses(np.concatenate([quat_wxyz, position_m], axis=-1))
    ego_SE3_lidar = rigid(mounted[:, :3, :3], mounted[:, :3, 3])
    try:
        track = pose_track(
            stamps_ns, world_SE3_ego, str(log.source), max_gap_ns=MAX_GAP_NS, edge_ns=EDGE_NS
        )
    except ValueError as error:
        raise LogError(str(error)) from error
    ego = windows(track, stamps_ns)
    around, faulty_ns = _around(frames, stamps_ns, world_SE3_ego, ego_SE3_lidar)
    drive = Drive(
        dataset="navsim",
        log=log,
        presents_ns=stamps_ns,
        ego=ego,
        cameras=_cameras(log, frames, ego_SE3_lidar),
        around=around,
        motion=_motion(stamps_ns, frames.column("ego_dynamic_state", 4), ego.times_ns),
        commands=_commands(frames),
        tags=_tags(frames),
    )
    yield from drive.clips(tokens, world_SE3_ego.valid, faulty_ns)


def _tags(frames: Records) -> dict[str, str]:
    """Return where the log was driven, if its first frame tells."""
    place = frames.values[0].get("map_location")
    return {"location": place} if isinstance(place, str) else {}


def _frames(path: Path) -> tuple[Records, Ints]:
    """Return a log's frames in the order of time, and their stamps."""
    frames = read_pickle(path)
    records = listed(path, frames)
    return in_time_order(records, records.column("timestamp"), 1000)


def _motion(stamps_ns: Ints, logged: Floats, times_ns: Ints) -> Floats:
    """Return what was logged at the frame nearest to each time, (..., 4); NaN if none is near."""
    middles_ns = stamps_ns[:-1] + np.diff(stamps_ns) // 2
    row = np.searchsorted(middles_ns, times_ns)
    near = np.abs(stamps_ns[row] - times_ns) <= EDGE_NS
    motion: Floats = np.where(near[..., None], logged[row], np.nan)
    return motion


def _commands(frames: Records) -> list[str | None]:
    """Return what the ego was told to do at each frame; None where unknown or not logged."""
    told, rows = frames.having("driving_command")
    commands: list[str | None] = [None] * len(frames.values)
    for row, one_hot in zip(rows, told.arrays("driving_command", None), strict=True):
        places = np.flatnonzero(one_hot).tolist()
        if len(places) == 1 and places[0] < len(COMMANDS):
            commands[row] = COMMANDS[places[0]]
    return commands


def _around(
    frames: Records, stamps_ns: Ints, world_SE3_ego: Poses, ego_SE3_lidar: Poses
) -> tuple[Surroundings | None, Ints]:
    """Return the agents around each frame, if there are any, and the stamps of unsound boxes."""
    labels, rows = frames.of("anns")
    boxes, faulty_ns = _boxes(labels, stamps_ns[rows], (world_SE3_ego @ ego_SE3_lidar)[rows])
    seen_ns = np.full(len(stamps_ns), NEVER_NS)
    seen_ns[rows] = stamps_ns[rows]
    if not boxes.ids:
        return None, faulty_ns
    try:
        around = surroundings(
            boxes, stamps_ns, seen_ns, world_SE3_ego, max_gap_ns=MAX_GAP_NS, edge_ns=EDGE_NS
        )
    except ValueError as error:
        raise LogError(
            f"{frames.places[0]} and later: a track has two boxes in one frame ({error})"
        ) from error
    return around, faulty_ns


def _boxes(labels: Records, stamps_ns: Ints, world_SE3_lidar: Poses) -> tuple[Boxes, Ints]:
    numbers = labels.arrays("gt_boxes", None, 7)
    tracks, names = (
        labels.words(name, [len(part) for part in numbers]) for name in ("track_tokens", "gt_names")
    )
    row = np.repeat(np.arange(len(numbers)), [len(part) for part in numbers])
    return upright_boxes(
        stamps_ns[row],
        world_SE3_lidar[row],
        tracks,
        [name.replace("_", " ") for name in names],
        [_KINDS.get(name, "object") for name in names],
        np.concatenate([np.empty((0, 7)), *numbers]),
    )


def _cameras(log: Log, frames: Records, ego_SE3_lidar: Poses) -> list[tuple[Camera, ...]]:
    """Return the images of each frame in the order of ``CAMERAS``.

    The calibration is that of the car at rest: when a camera exposed is not logged.
    """
    blobs = log.root / "sensor_blobs" / log.source.parent.name
    of_frames, frame_rows = frames.of("cams")
    found: list[list[Camera]] = [[] for _ in frames.values]
    for name, view in CAMERAS.items():
        records, rows = of_frames.of(name)
        rows = [frame_rows[row] for row in rows]
        images = [blobs / text for text in records.texts("data_path")]
        placed = ego_SE3_lidar[rows] @ rigid(
            records.column("sensor2lidar_rotation", 3, 3),
            records.column("sensor2lidar_translation", 3),
        )
        matrices, size_px = records.column("cam_intrinsic", 3, 3), first_size_px(images)
        for row, camera in zip(
            rows, images_of(view, images, size_px, matrices, placed), strict=True
        ):
            found[row].append(camera)
    return [tuple(cameras) for cameras in found]


DATASET = Dataset(
    home="navsim",
    title="navsim (OpenScene)",
    url="https://github.com/autonomousvision/navsim/blob/main/docs/install.md",
    licence="CC BY-NC-SA 4.0 and the nuPlan terms of use: non-commercial",
    size="logs 14 GB (trainval) and 1 GB (test); images of navtrain 445 GB, of test 217 "
    "GB, of all trainval over 2 TB",
    tree="""navsim_logs/{trainval,test,mini}/<log>.pkl (any of the three)
sensor_blobs/{trainval,test,mini}/<log>/CAM_F0/*.jpg and seven others""",
    splits=("train", "test"),
    surround=tuple(CAMERAS.values()),
    forward=("FRONT", "FRONT RIGHT", "FRONT LEFT"),
    logs=logs,
    clips=clips,
)
