"""Waymo Open perception: poses, boxes and images of v1 records, or of v2 tables.

The ego origin is the vehicle's, on the ground below the middle of the rear axle. A frame comes
every 0.1 s; a present is the frame nearest to each half second. Images are taken up to 0.1 s after
their frame's stamp, as the lidar sweeps past; the ego's motion until then is in their poses. A box
counts as observed when a lidar point lies in it.

The images are inside the records: each is given with the name of a file under ``waymo_extracted``,
for its original JPEG bytes to be written to when a sample shows it.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from impromptu.arrays import Bools, Ints
from impromptu.clip import Camera, Clip, Kind
from impromptu.datasets import Dataset, Dropped, Log, LogError, not_found
from impromptu.datasets._agents import NEVER_NS, Surroundings, surroundings
from impromptu.datasets._boxes import Boxes, numbered
from impromptu.datasets._drive import Drive
from impromptu.datasets._images import NO_LENS, extracted, extracted_name, images_of
from impromptu.datasets._stamps import nearest
from impromptu.datasets._waymo_record import read_record
from impromptu.datasets._waymo_segment import FARTHEST_M, Calibration, Image, Labels, Segment
from impromptu.datasets._waymo_tables import POSES, read_tables, table_inputs
from impromptu.geometry import about_z
from impromptu.poses import Poses, PoseTrack, pose_track
from impromptu.sampling import STEP_NS, windows

MAX_GAP_NS = 250_000_000
"""Poses, and a track's boxes, are 0.1 s apart; one may be missing."""
PERIOD_NS = 100_000_000
LONGEST_NS = 3_600 * 10**9
CAMERAS = {1: "FRONT", 2: "FRONT LEFT", 3: "FRONT RIGHT", 4: "SIDE LEFT", 5: "SIDE RIGHT"}
"""View of each ``CameraName``."""
_SPLITS = {"training": "train", "validation": "val", "testing": "test"}
_LOOSE = {"v2_parquet": "train"}
"""Tables in a folder that is of no split."""
_TYPES: dict[int, tuple[str, Kind]] = {
    1: ("Vehicle", "vehicle"),
    2: ("Pedestrian", "pedestrian"),
    3: ("Sign", "object"),
    4: ("Cyclist", "cyclist"),
}
_UNKNOWN: tuple[str, Kind] = ("Unknown", "object")


def logs(root: Path, scratch: Path) -> Sequence[Log]:
    """List the segments of each split; one that is there in both releases counts as a record.

    Raises:
        FileNotFoundError: There is none.
    """
    records = [
        Log(_segment(path), split, root, path, (path,))
        for folder, split in _SPLITS.items()
        for path in sorted((root / folder).glob("*.tfrecord"))
    ]
    recorded = {log.id for log in records}
    tables = [
        Log(path.stem, split, root, path, table_inputs(path))
        for folder, split in (_SPLITS | _LOOSE).items()
        for path in sorted((root / folder / POSES).glob("*.parquet"))
        if path.stem not in recorded
    ]
    if not records and not tables:
        raise not_found(DATASET, root, "neither a record nor a table of poses is here")
    return records + tables


def _segment(path: Path) -> str:
    return path.stem.removeprefix("segment-").removesuffix("_with_camera_labels")


def clips(log: Log) -> Iterator[Clip | Dropped]:
    """Yield a clip for every half second of a segment.

    Raises:
        LogError: The file is cut short or damaged; it has no usable pose, or two of one stamp
            disagree.
    """
    try:
        segment = (read_tables if log.source.suffix == ".parquet" else read_record)(log.source)
        _check_length(segment.stamps_ns)
        _check_name(log, segment.name)
        track = pose_track(segment.stamps_ns, segment.world_SE3_ego, "poses", max_gap_ns=MAX_GAP_NS)
    except ValueError as error:
        raise LogError(f"{log.source}: {error}") from error
    yield from _clips(log, segment, track)


def _check_name(log: Log, name: str) -> None:
    """Refuse a copy under another name; a segment that is there once may have any name."""
    if name in ("", log.id):
        return
    for path in (path for folder in _SPLITS for path in (log.root / folder).glob("*.tfrecord")):
        if _segment(path) == name:
            raise ValueError(f"it holds segment {name}, as {path} does: take one of them away")


def _check_length(stamps_ns: Ints) -> None:
    if len(stamps_ns) and np.ptp(stamps_ns) > LONGEST_NS:
        row = int(np.abs(stamps_ns - np.median(stamps_ns)).argmax())
        raise ValueError(
            f"frame {row + 1} is stamped {stamps_ns[row] // 1000} us, more than "
            f"{LONGEST_NS // 10**9} s from others; expected some 20 s in all: download it again"
        )


def _clips(log: Log, segment: Segment, track: PoseTrack) -> Iterator[Clip | Dropped]:
    stamps_ns = np.unique(segment.stamps_ns)
    wanted_ns = np.arange(stamps_ns[0], stamps_ns[-1] + PERIOD_NS // 2 + 1, STEP_NS)
    presents_ns, found = nearest(stamps_ns, wanted_ns, PERIOD_NS // 2)
    ego = windows(track, presents_ns)
    boxes, faulty_ns = _boxes(segment.labels, track)
    images = _images(log, segment, presents_ns)
    drive = Drive(
        dataset="waymo",
        log=log,
        presents_ns=presents_ns,
        ego=ego,
        cameras=_cameras(log, presents_ns, images, segment.calibrations, ego.present),
        around=_around(boxes, segment.labels, presents_ns, ego.present),
        tags=segment.tags,
    )
    # A present that no frame stands for is called by the time it would have had.
    names = (np.where(found, presents_ns, wanted_ns) // 1000).astype(str)
    yield from drive.clips(names, ego.present.valid, faulty_ns, found=found)


def _images(log: Log, segment: Segment, presents_ns: Ints) -> Sequence[Mapping[int, Image]]:
    try:
        return segment.images(presents_ns)
    except ValueError as error:
        raise LogError(f"{log.source}: {error}") from error


def _boxes(labels: Labels, track: PoseTrack) -> tuple[Boxes, set[int]]:
    """Return the sound boxes in the world, and the stamps of frames that hold an unsound one."""
    world_SE3_ego = track.at(labels.stamps_ns)
    known = [_TYPES.get(kind, _UNKNOWN) for kind in labels.types.tolist()]
    near = np.abs(labels.boxes) <= FARTHEST_M  # so NaN is not
    sound = near.all(axis=-1) & (labels.boxes[:, 3:6] > 0).all(axis=-1)
    sound &= _first_of_track(labels)
    values = np.where(sound[:, None], labels.boxes, 0.0)
    ego_SE3_box = Poses(about_z(values[:, 6]), values[:, :3], sound)
    placed = world_SE3_ego @ ego_SE3_box
    boxes = Boxes(
        timestamps_ns=labels.stamps_ns,
        ids=labels.ids,
        categories=[category for category, _ in known],
        kinds=[kind for _, kind in known],
        rotations=placed.rotations,
        centers_m=placed.translations_m,
        sizes_m=labels.boxes[:, 3:6],
        observed=labels.points > 0,
    )
    return boxes.rows(np.flatnonzero(placed.valid)), set(labels.stamps_ns[~sound].tolist())


def _first_of_track(labels: Labels) -> Bools:
    """Tell which boxes have a track's name, and are the first of that track in their frame."""
    named = np.array([name != "" for name in labels.ids], dtype=np.bool_)
    pairs = np.column_stack([labels.stamps_ns, numbered(labels.ids)])
    again = (np.diff(pairs[order := np.lexsort(pairs.T)], axis=0) == 0).all(axis=1)
    named[order[1:][again]] = False
    return named


def _around(boxes: Boxes, labels: Labels, presents_ns: Ints, present: Poses) -> Surroundings | None:
    """Find the agents; a frame without any label counts as one that nobody looked at."""
    if not len(boxes.ids):
        return None
    seen_ns = np.where(np.isin(presents_ns, labels.stamps_ns), presents_ns, NEVER_NS)
    return surroundings(boxes, presents_ns, seen_ns, present, max_gap_ns=MAX_GAP_NS, edge_ns=0)


def _cameras(
    log: Log,
    presents_ns: Ints,
    images: Sequence[Mapping[int, Image]],
    calibrations: Mapping[int, Calibration],
    present: Poses,
) -> list[tuple[Camera, ...]]:
    """Return the images of each present in the order of ``CAMERAS``, those not there included.

    What can be told without images still can be, in a copy without them.
    """
    names = [extracted_name(stamp_ns) for stamp_ns in presents_ns.tolist()]
    by_camera = []
    for number, view in CAMERAS.items():
        found, lens = [row.get(number) for row in images], calibrations.get(number)
        folder, size_px, matrix = extracted(log, view), None, NO_LENS
        placed = _then(found, present).seen_from(present)
        if lens is not None:
            size_px, matrix = lens.size_px, lens.intrinsics_px
            placed @= lens.ego_SE3_camera
        paths, packed = (
            [folder / name for name in names],
            [one.packed if one else None for one in found],
        )
        by_camera.append(images_of(view, paths, size_px, matrix, placed, packed))
    return list(zip(*by_camera, strict=True))


def _then(images: Sequence[Image | None], present: Poses) -> Poses:
    """Return where the ego was at each exposure; where that is not logged, where it is now."""
    then = Poses(present.rotations.copy(), present.translations_m.copy(), present.valid.copy())
    for row, image in enumerate(images):
        if image and image.world_SE3_ego.valid:
            then.rotations[row] = image.world_SE3_ego.rotations
            then.translations_m[row] = image.world_SE3_ego.translations_m
            then.valid[row] = True
    return then


DATASET = Dataset(
    home="waymo",
    title="Waymo Open perception",
    url="https://waymo.com/open/download",
    licence="Waymo Dataset Licence: non-commercial",
    size="1,150 segments of 20 s, about 1 GB each",
    tree="""{training,validation,testing}/segment-<segment>_with_camera_labels.tfrecord (v1), or
{training,validation,testing}/vehicle_pose/<segment>.parquet (v2), and as far as wanted
{training,validation,testing}/{lidar_box,camera_calibration,camera_image}/<segment>.parquet""",
    splits=("train", "val", "test"),
    surround=tuple(CAMERAS.values()),
    forward=("FRONT", "FRONT RIGHT", "FRONT LEFT"),
    logs=logs,
    clips=clips,
)
