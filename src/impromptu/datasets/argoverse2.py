"""Argoverse 2 sensor logs: poses, boxes and calibration from feather files, images by their stamps.

The ego origin is the vehicle's, at the rear axle. A present is a front image, every half second; in
a copy without front images it is an annotated sweep, and cameras name images that are not there.
A box counts as observed when a lidar point lies in it. Images and boxes are the last not later than
the present. A bicycle or motorcycle without a rider is an object.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from impromptu.arrays import Ints
from impromptu.clip import Camera, Clip, Kind
from impromptu.datasets import Dataset, Dropped, Log, LogError, not_found
from impromptu.datasets._agents import NEVER_NS, Surroundings, surroundings
from impromptu.datasets._argoverse2_cameras import read_calibration
from impromptu.datasets._boxes import Boxes, distinct
from impromptu.datasets._drive import Drive, ego_track
from impromptu.datasets._feather import ADVICE, POSE, numbers, read_columns
from impromptu.datasets._images import NO_LENS, images_of
from impromptu.datasets._stamps import latest, nearest
from impromptu.poses import Poses, PoseTrack, poses
from impromptu.sampling import STEP_NS, windows

POSE_GAP_NS = 100_000_000
"""Poses come with every sensor stamp, a few milliseconds apart."""
BOX_GAP_NS = 250_000_000
"""A track's boxes are 0.1 s apart; one may be missing."""
IMAGE_PERIOD_NS = 50_000_000
SWEEP_PERIOD_NS = 100_000_000
SWEEP_AGE_NS = 110_000_000
"""The boxes of a present are of the last sweep before it, moved on by their velocities."""
IMAGE_AGE_NS = 55_000_000
"""One image period and 5 ms of jitter: a camera's last image before the present is no older."""
LONGEST_NS = 3_600 * 10**9
LOOKBACK_NS = 500_000_000
"""Agents' velocities are over this time: over one sweep they are mostly the boxes' jitter."""
CAMERAS = {
    "ring_front_center": "FRONT",
    "ring_front_left": "FRONT LEFT",
    "ring_front_right": "FRONT RIGHT",
    "ring_rear_left": "REAR LEFT",
    "ring_rear_right": "REAR RIGHT",
    "ring_side_left": "SIDE LEFT",
    "ring_side_right": "SIDE RIGHT",
}
FRONT = "ring_front_center"
EGO = "EGO_VEHICLE"
# A bicycle or motorcycle with a rider has a box of its own beside the rider's: only the rider's
# moves by itself.
_KINDS: dict[str, Kind] = {
    **dict.fromkeys(("PEDESTRIAN", "WHEELCHAIR", "STROLLER", "OFFICIAL_SIGNALER"), "pedestrian"),
    **dict.fromkeys(("BICYCLIST", "MOTORCYCLIST", "WHEELED_RIDER"), "cyclist"),
    **dict.fromkeys(
        (
            "REGULAR_VEHICLE",
            "LARGE_VEHICLE",
            "BUS",
            "SCHOOL_BUS",
            "ARTICULATED_BUS",
            "BOX_TRUCK",
            "TRUCK",
            "TRUCK_CAB",
            "VEHICULAR_TRAILER",
            "RAILED_VEHICLE",
        ),
        "vehicle",
    ),
}

_SIZE = "length_m", "width_m", "height_m"
_ANNOTATIONS = "annotations.feather", "annotations_with_ego.feather"


def logs(root: Path, scratch: Path) -> Sequence[Log]:
    """List the folders of each split.

    Raises:
        FileNotFoundError: There is none.
    """
    found = [
        Log(path.name, split, root, path, _inputs(path))
        for split in DATASET.splits
        for path in sorted((root / split).glob("*/"))
    ]
    if not found:
        raise not_found(DATASET, root, "no train, val or test folder with logs is here")
    return found


def _inputs(log: Path) -> tuple[Path, ...]:
    return (*sorted(log.glob("*.feather")), *sorted((log / "calibration").glob("*.feather")))


def clips(log: Log) -> Iterator[Clip | Dropped]:
    """Yield a clip for every half second of a log.

    Raises:
        LogError: A file is missing, damaged or lacks a column; poses or boxes of one stamp
            disagree; a pose or a lens is absurd; boxes lie outside the time of the poses.
    """
    track = _track(log.source / "city_SE3_egovehicle.feather")
    boxes, faulty_ns, sweeps_ns = _boxes(log.source, track)
    images = {camera: _image_stamps_ns(log.source, camera, track) for camera in CAMERAS}
    period_ns = IMAGE_PERIOD_NS if len(images[FRONT]) else SWEEP_PERIOD_NS
    stamps_ns = images[FRONT] if len(images[FRONT]) else sweeps_ns
    if not len(stamps_ns):
        raise LogError(
            f"{log.source}: neither front images nor boxes in the time of the poses: {ADVICE}"
        )
    if (last_ns := stamps_ns[-1]) - stamps_ns[0] > LONGEST_NS:
        raise LogError(
            f"{log.source}: {stamps_ns[0]} ns and {last_ns} ns, stamps of images or boxes, are "
            f"more than {LONGEST_NS // 10**9} s apart; expected some 20 s in all: {ADVICE}"
        )
    wanted_ns = np.arange(stamps_ns[0], last_ns + period_ns // 2 + 1, STEP_NS)
    presents_ns, found = nearest(stamps_ns, wanted_ns, period_ns // 2)
    ego = windows(track, presents_ns)
    seen_ns = latest(sweeps_ns, presents_ns, SWEEP_AGE_NS)
    drive = Drive(
        dataset="argoverse2",
        log=log,
        presents_ns=presents_ns,
        ego=ego,
        cameras=_cameras(log.source, images, track, presents_ns, ego.present),
        around=_around(boxes, presents_ns, seen_ns, ego.present),
        tags=_tags(log.source),
    )
    yield from drive.clips(
        np.where(found, presents_ns, wanted_ns).astype(str),
        ego.present.valid,
        faulty_ns,
        boxed_ns=seen_ns,
        found=found,
        lost="no_front_image" if len(images[FRONT]) else "no_annotated_sweep",
    )


def _tags(folder: Path) -> dict[str, str]:
    """Return the city's three letters, which the name of the log's map holds."""
    for path in sorted(folder.glob("map/log_map_archive_*____*_city_*.json")):
        return {"location": path.name.partition("____")[2].partition("_")[0]}
    return {}


def _track(path: Path) -> PoseTrack:
    columns = read_columns(path, ("timestamp_ns", *POSE))
    # One that is far away is left to the track, which says so.
    rows = poses(numbers(columns, POSE), np.inf)
    return ego_track(columns["timestamp_ns"], rows, str(path), max_gap_ns=POSE_GAP_NS)


def _image_stamps_ns(log: Path, camera: str, track: PoseTrack) -> Ints:
    """Return the sorted stamps of a camera's images that lie in the time of the poses."""
    names = (path.stem for path in (log / "sensors" / "cameras" / camera).glob("*.jpg"))
    stamps = sorted(int(name) for name in names if name.isdecimal())
    first, last = track.timestamps_ns[[0, -1]].tolist()
    return np.array([stamp for stamp in stamps if first <= stamp <= last], dtype=np.int64)


def _boxes(log: Path, track: PoseTrack) -> tuple[Boxes | None, Ints, Ints]:
    """Return the sound boxes in the city frame, the stamps of unsound ones, and all stamps.

    Boxes are logged in the ego frame of their sweep: the pose of that very stamp moves them.

    Raises:
        LogError: The file is damaged, boxes have no pose, or two of one track and stamp disagree.
    """
    path = next((log / name for name in _ANNOTATIONS if (log / name).is_file()), None)
    none = np.empty(0, np.int64)
    if path is None:
        return None, none, none
    numeric = "timestamp_ns", "num_interior_pts", *_SIZE, *POSE
    columns = read_columns(path, numeric, ("track_uuid", "category"))
    stamps_ns, sizes_m = columns["timestamp_ns"], numbers(columns, _SIZE)
    city_SE3_ego, ego_SE3_box = track.at(stamps_ns), poses(numbers(columns, POSE))
    if (lost := np.flatnonzero(~city_SE3_ego.valid)).size:
        raise LogError(
            f"{path}: row {lost[0] + 1}: no pose at {stamps_ns[lost[0]]} ns in "
            f"city_SE3_egovehicle.feather ({lost.size} rows so): {ADVICE}"
        )
    other = np.array([category != EGO for category in columns["category"]], dtype=bool)
    sound = ego_SE3_box.valid & (sizes_m > 0).all(axis=-1)
    placed = city_SE3_ego @ ego_SE3_box
    boxes = Boxes(
        timestamps_ns=stamps_ns,
        ids=columns["track_uuid"],
        categories=columns["category"],
        kinds=[_KINDS.get(category, "object") for category in columns["category"]],
        rotations=placed.rotations,
        centers_m=placed.translations_m,
        sizes_m=sizes_m,
        observed=columns["num_interior_pts"] > 0,
    )
    good = np.flatnonzero(other & sound)
    kept = distinct(boxes.rows(good), str(path), lambda place: f"row {good[place] + 1}")
    return kept, np.unique(stamps_ns[other & ~sound]), np.unique(stamps_ns)


def _around(
    boxes: Boxes | None, presents_ns: Ints, seen_ns: Ints, present: Poses
) -> Surroundings | None:
    if boxes is None or not len(boxes.ids):
        return None
    return surroundings(
        boxes, presents_ns, seen_ns, present, max_gap_ns=BOX_GAP_NS, lookback_ns=LOOKBACK_NS
    )


def _cameras(
    log: Path, images: Mapping[str, Ints], track: PoseTrack, presents_ns: Ints, present: Poses
) -> list[tuple[Camera, ...]]:
    """Return the images of each present in the order of ``CAMERAS``.

    A camera whose folder holds no image names the one that would be expected, so that what can
    be told without images still can be.
    """
    calibration = read_calibration(log)
    found: list[list[Camera]] = [[] for _ in presents_ns]
    for name, view in CAMERAS.items():
        stamps_ns = images[name] if len(images[name]) else presents_ns
        taken_ns = latest(stamps_ns, presents_ns, IMAGE_AGE_NS)
        lens, folder = calibration.get(name), log / "sensors" / "cameras" / name
        taken = np.flatnonzero(taken_ns != NEVER_NS)
        placed = track.at(taken_ns[taken]).seen_from(present[taken])
        size_px, matrix = None, NO_LENS
        if lens is not None:
            size_px, matrix = lens.size_px, lens.intrinsics_px
            placed @= lens.ego_SE3_camera
        paths = [folder / f"{stamp_ns}.jpg" for stamp_ns in taken_ns[taken].tolist()]
        cameras = images_of(view, paths, size_px, matrix, placed)
        for index, camera in zip(taken.tolist(), cameras, strict=True):
            found[index].append(camera)
    return [tuple(cameras) for cameras in found]


DATASET = Dataset(
    home="argoverse2",
    title="Argoverse 2 sensor",
    url="https://www.argoverse.org/av2.html#download-link",
    licence="CC BY-NC-SA 4.0: non-commercial",
    size="1,000 logs of 15 s; about 1 TB with lidar",
    tree="""{train,val,test}/<log>/city_SE3_egovehicle.feather
{train,val,test}/<log>/annotations.feather (train and val)
{train,val,test}/<log>/calibration/{intrinsics,egovehicle_SE3_sensor}.feather
{train,val,test}/<log>/sensors/cameras/ring_front_center/<timestamp_ns>.jpg and six others""",
    splits=("train", "val", "test"),
    surround=tuple(CAMERAS.values()),
    forward=("FRONT", "FRONT RIGHT", "FRONT LEFT"),
    logs=logs,
    clips=clips,
)
