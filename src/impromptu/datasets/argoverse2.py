"""Argoverse 2 sensor logs: poses, boxes and calibration from feather files, images by their stamps.

The ego origin is the vehicle's, at the rear axle. A present is a front image, every half second; in
a copy without front images it is an annotated sweep, and cameras name images that are not there.
A box counts as observed when a lidar point lies in it.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pyarrow import ArrowInvalid
from pyarrow.feather import read_table

from impromptu.arrays import Floats, Ints
from impromptu.clip import Camera, Clip, Kind, Observation
from impromptu.datasets import Dataset, Dropped, Log, LogError, not_found
from impromptu.datasets._agents import Boxes, Surroundings, surroundings
from impromptu.sampling import STEP_NS, Poses, PoseTrack, pose_track, poses, windows

POSE_GAP_NS = 100_000_000
"""Poses come with every sensor stamp, a few milliseconds apart."""
BOX_GAP_NS = 250_000_000
"""A track's boxes are 0.1 s apart; one may be missing."""
IMAGE_PERIOD_NS = 50_000_000
SWEEP_PERIOD_NS = 100_000_000
EXPOSURE_NS = 26_000_000
"""Half an image period and some jitter: each ring camera's image of the present is this near."""
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
_QUATERNION, _TRANSLATION = ("qw", "qx", "qy", "qz"), ("tx_m", "ty_m", "tz_m")
_SIZE = "length_m", "width_m", "height_m"
_PINHOLE = "fx_px", "fy_px", "cx_px", "cy_px"
Columns = dict[str, Any]


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
        LogError: A file is missing, damaged or lacks a column; poses of one stamp disagree; a box
            is outside the time of the poses.
    """
    track = _track(log.source / "city_SE3_egovehicle.feather")
    images = {camera: _image_stamps_ns(log.source, camera) for camera in CAMERAS}
    boxes = _boxes(log.source, track)
    sweeps_ns = np.unique(boxes.timestamps_ns) if boxes else np.empty(0, np.int64)
    ...
