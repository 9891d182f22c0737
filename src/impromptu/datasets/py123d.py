"""Logs that py123d 0.7 has converted, whatever dataset they come from: one door to many more.

Read are the Arrow files themselves; py123d need not be installed. The ego origin is what py123d
calls the rear axle (the car's own origin in logs of Griffin and TruckDrive, which do not know it).
A present is the row of the log's sync table nearest to each half second, or each of its keyframes.
Images and boxes are the last not later than the present, at most 0.11 s old; boxes that are older
than the present are moved on with their velocity. A box counts as observed when a lidar point lies
in it, or where points were not counted.

Logged velocities are not read, the ego's and the boxes' alike: most conversions derive them from
the pose before *and the pose after*, and a log does not tell whether it is one of those.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from impromptu.arrays import Bools, Ints
from impromptu.clip import Clip
from impromptu.datasets import Dataset, Dropped, Log, LogError, not_found
from impromptu.datasets._agents import Surroundings, surroundings
from impromptu.datasets._boxes import Boxes
from impromptu.datasets._drive import Drive, ego_track
from impromptu.datasets._py123d_arrow import ADVICE, POSE, STAMP, File, read_file, unpacker
from impromptu.datasets._py123d_boxes import read_boxes
from impromptu.datasets._py123d_cameras import VIEWS, cameras, read_lenses
from impromptu.datasets._stamps import latest
from impromptu.poses import Poses, PoseTrack
from impromptu.sampling import STEP_NS, windows

SLACK_NS = 100_000_000
"""A row of the sync table is this near to its half second, or that has none."""
KEYFRAME_PERIOD_NS = 250_000_000
"""Rows further apart than this are keyframes."""
LONGEST_NS = 24 * 3_600 * 10**9
BOX_AGE_NS = 110_000_000
"""One period of 10 Hz and some jitter."""
LOOKBACK_NS = 500_000_000
"""Agents' velocities are over this time, as in Argoverse 2."""
_SPLITS = "train", "val", "test"
_FORGED = "nuscenes-interpolated"
"""Its boxes between two keyframes are made with the later one."""


def logs(root: Path, scratch: Path) -> Sequence[Log]:
    """List the logs of all splits; a folder without a sync table is an unfinished conversion.

    Raises:
        FileNotFoundError: There is none.
        LogError: The package that reads them is not installed.
    """
    splits = sorted((root / "logs").glob("*/"))
    # A link to a folder of logs is followed, one deeper inside is not.
    folders = [
        (split, path.parent)
        for split in splits
        for path in sorted({*split.glob("*/sync.arrow"), *split.glob("**/sync.arrow")})
    ]
    if not folders:
        raise not_found(DATASET, root, "no folder with a sync.arrow is in logs/<split>")
    unpacker()
    return [_log(root, split, folder) for split, folder in folders]


def _log(root: Path, split: Path, folder: Path) -> Log:
    name = ".".join(folder.relative_to(split.parent).parts)
    inputs = tuple(sorted(folder.glob("*.arrow")))
    return Log(name, split.name.rpartition("_")[2], root, folder, inputs)


def clips(log: Log) -> Iterator[Clip | Dropped]:
    """Yield a clip for every half second of a log, and write its images out.

    Raises:
        LogError: The log's split cannot be told; a file is missing, damaged or of another form;
            poses or boxes of one stamp disagree; an image cannot be written.
    """
    _check_split(log)
    sync = read_file(log.source / "sync.arrow", {STAMP: pa.int64()})
    source = str(sync.metadata.get("dataset"))
    if source.startswith(_FORGED):
        raise LogError(
            f"{sync.path}: boxes of {source} between keyframes are made with the keyframe after "
            "them: convert nuscenes without interpolation, or read nuScenes itself"
        )
    track, ego_SE3_imu = _track(log.source / "ego_state_se3.arrow")
    boxes, faulty_ns, frames_ns = read_boxes(log.source / "box_detections_se3.arrow")
    presents_ns, found = _presents(sync)
    ego = windows(track, presents_ns)
    seen_ns = latest(frames_ns, presents_ns, BOX_AGE_NS)
    seen = cameras(log, source, read_lenses(log, ego_SE3_imu), track, presents_ns, ego.present)
    drive = Drive(
        dataset="py123d",
        log=log,
        presents_ns=presents_ns,
        ego=ego,
        cameras=seen,
        around=_around(boxes, presents_ns, seen_ns, ego.present),
    )
    names = (presents_ns // 1000).astype(str)
    yield from drive.clips(names, ego.present.valid, faulty_ns, boxed_ns=seen_ns, found=found)


def _check_split(log: Log) -> None:
    if log.split not in _SPLITS:
        raise LogError(
            f"{log.source}: its split is not in the name of its folder; expected "
            "logs/<dataset>_train, _val or _test: rename the folder"
        )


def _track(path: Path) -> tuple[PoseTrack, Poses]:
    """Return the ego's track, and ``ego_SE3_imu``."""
    file = read_file(path, {STAMP: pa.int64(), "imu_se3": POSE}, hollow=("imu_se3",))
    imu_SE3_ego = file.fixed_pose("rear_axle_to_imu_se3")
    stamps_ns = file.stamps_ns()
    max_gap_ns, edge_ns = _pace(stamps_ns)
    track = ego_track(
        stamps_ns,
        file.poses("imu_se3") @ imu_SE3_ego,
        str(path),
        max_gap_ns=max_gap_ns,
        edge_ns=edge_ns,
    )
    still = Poses(np.eye(3), np.zeros(3), np.array(True))
    return track, still.seen_from(imu_SE3_ego)


def _pace(stamps_ns: Ints) -> tuple[int, int]:
    """Return the widest gap that is bridged, and how far an end is carried on.

    At 10 Hz or more one missing row is bridged, as for Waymo. Rows at 2 Hz are keyframes, which
    come early or late by a lidar turn and of which none may be missing, as for navsim.
    """
    return (750_000_000, 60_000_000) if _are_keyframes(stamps_ns) else (250_000_000, 0)


def _are_keyframes(stamps_ns: Ints) -> bool:
    """Tell keyframes, two a second or so, from rows at a sensor's own rate."""
    steps_ns = np.diff(np.unique(stamps_ns))
    return steps_ns.size > 0 and float(np.median(steps_ns)) > KEYFRAME_PERIOD_NS


def _presents(sync: File) -> tuple[Ints, Bools]:
    """Return stamps half a second apart, and whether a row of the sync table is near each."""
    stamps_ns = sync.stamps_ns()
    if not len(stamps_ns) or (np.diff(stamps_ns) < 0).any() or np.ptp(stamps_ns) > LONGEST_NS:
        raise LogError(
            f"{sync.path}: {len(stamps_ns)} rows, from {stamps_ns[:1]} to {stamps_ns[-1:]} ns; "
            f"expected some in the order of time, within a day: {ADVICE}"
        )
    keyframes = _are_keyframes(stamps_ns)
    presents_ns, found, wanted_ns = list[int](), list[bool](), int(stamps_ns[0])
    while wanted_ns <= stamps_ns[-1] + SLACK_NS:
        after = int(np.searchsorted(stamps_ns, wanted_ns))
        beside_ns = stamps_ns[max(after - 1, 0) : after + 1]
        nearest_ns = int(beside_ns[np.abs(beside_ns - wanted_ns).argmin()])
        found.append(abs(nearest_ns - wanted_ns) <= SLACK_NS)
        presents_ns.append(nearest_ns if found[-1] else wanted_ns)
        # Keyframes drift from any even grid, and are followed; faster rows are taken off one.
        wanted_ns = STEP_NS + (presents_ns[-1] if keyframes else wanted_ns)
    return np.array(presents_ns), np.array(found)


def _around(
    boxes: Boxes | None, presents_ns: Ints, seen_ns: Ints, ego: Poses
) -> Surroundings | None:
    """Find the agents; a log without any box counts as one that nobody looked at."""
    if boxes is None or not len(boxes.ids):
        return None
    max_gap_ns, edge_ns = _pace(boxes.timestamps_ns)
    return surroundings(
        boxes,
        presents_ns,
        seen_ns,
        ego,
        max_gap_ns=max_gap_ns,
        edge_ns=edge_ns,
        lookback_ns=LOOKBACK_NS,
    )


DATASET = Dataset(
    home="py123d",
    title="123D: logs that py123d 0.7 converted",
    url="https://github.com/kesai-labs/py123d",
    licence="that of the dataset each log was converted from (py123d itself: Apache-2.0)",
    size="as the dataset that was converted",
    tree="""logs/<dataset>_{train,val,test}/<log>/sync.arrow
logs/<dataset>_{train,val,test}/<log>/{ego_state_se3,box_detections_se3,camera.pcam_f0}.arrow
sensors/<dataset>/ (where logs name image files: a link to what py123d calls its sensor root)""",
    splits=_SPLITS,
    surround=VIEWS,
    forward=("FRONT", "FRONT RIGHT", "FRONT LEFT"),
    logs=logs,
    clips=clips,
)
