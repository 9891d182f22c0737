"""The cameras of a py123d log: which view each has, and its image at each present.

Rigs differ, and so does what py123d calls ``l0``: the front left camera of most, the one that looks
straight left in a rig of four. So a side camera's view is told from where its optical axis points.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np
import pyarrow as pa
from pyarrow import types

from impromptu.arrays import Floats, Ints
from impromptu.clip import Camera, PackedImage
from impromptu.datasets import Log, LogError
from impromptu.datasets._images import extracted, extracted_name
from impromptu.datasets._py123d_arrow import ADVICE, POSE, STAMP, File, open_file, read_file
from impromptu.datasets._waymo_segment import pinhole
from impromptu.poses import Poses, PoseTrack

FRONTS = "pcam_f0", "ftcam_f0", "pcam_stereo_l"
"""The first of these that a rig has looks ahead: KITTI-360 has a stereo pair alone."""
_SIDES = tuple(f"{lens}cam_{side}{rank}" for lens in ("p", "ft") for side in "lr" for rank in "012")
_SIDES += "fmcam_l", "fmcam_r"
_SECTORS_DEG = {"FRONT LEFT": (25, 75), "LEFT": (75, 120)}
"""Where a view's optical axis points, left of straight ahead; its mirror image is RIGHT."""
VIEWS = "FRONT", "FRONT LEFT", "FRONT RIGHT", "LEFT", "RIGHT"
IMAGE_AGE_NS = 110_000_000
"""One period of 10 Hz and some jitter: the last image before a present is no older."""
_MAX_PX = 100_000
_DATA = pa.string(), pa.binary()
_GLOBAL = "camera_to_global_se3"


@dataclass(frozen=True, slots=True, eq=False)
class Lens:
    """One camera of a rig.

    Attributes:
        view: One of ``VIEWS``.
        file: Its stamps, poses and images.
        ego_SE3_camera: At rest.
        size_px: (width, height).
        intrinsics_px: (3, 3), or None for a camera that is no pinhole.
    """

    view: str
    file: File
    ego_SE3_camera: Poses
    size_px: tuple[int, int]
    intrinsics_px: Floats | None


def read_lenses(log: Log, ego_SE3_imu: Poses) -> list[Lens]:
    """Read what is known of the cameras that have a view, in the order of ``VIEWS``.

    Raises:
        LogError: A camera's file is damaged, or holds numbers of the frames of a video.
    """
    paths = {path.stem.partition(".")[2]: path for path in log.source.glob("camera.*.arrow")}
    front = next((name for name in FRONTS if name in paths), None)
    lenses: dict[str, Lens] = {}
    for name in (front, *_SIDES):
        if name in paths:
            _check_kind(paths[name])
            file = read_file(paths[name], {STAMP: pa.int64(), _GLOBAL: POSE}, hollow=(_GLOBAL,))
            ego_SE3_camera = ego_SE3_imu @ file.fixed_pose("camera_to_imu_se3")
            view = "FRONT" if name == front else side_view(ego_SE3_camera)
            if view and view not in lenses:
                lenses[view] = Lens(view, file, ego_SE3_camera, _size_px(file), _intrinsics(file))
    return [lenses[view] for view in VIEWS if view in lenses]


def side_view(ego_SE3_camera: Poses) -> str | None:
    """Name the view of a camera that is not the front one; None for one that looks back."""
    x, y, _ = ego_SE3_camera.rotations[:, 2]
    left_deg = float(np.degrees(np.arctan2(y, x)))
    for view, (first, last) in _SECTORS_DEG.items():
        if first <= abs(left_deg) < last:
            return view if left_deg > 0 else view.replace("LEFT", "RIGHT")
    return None


def _check_kind(path: Path) -> None:
    """Refuse a camera whose images are neither files nor bytes."""
    reader, _ = open_file(path)
    column = f"{path.stem}.data"
    kind = reader.schema.field(column).type if column in reader.schema.names else "nothing"
    if kind == pa.int32():
        raise LogError(
            f"{path}: its images are frames of {path.stem}.mp4, and samples name image files: "
            "convert the log again with camera_store_option: jpeg_binary"
        )
    if kind not in _DATA:
        raise LogError(f"{path}: column {column} holds {kind}; expected a path or bytes: {ADVICE}")


def _size_px(file: File) -> tuple[int, int]:
    width, height = file.metadata.get("width"), file.metadata.get("height")
    if not (isinstance(width, int) and isinstance(height, int)):
        raise LogError(
            f"{file.path}: metadata: an image is {width!r} by {height!r} pixels: {ADVICE}"
        )
    if not (0 < width < _MAX_PX and 0 < height < _MAX_PX):
        raise LogError(f"{file.path}: metadata: an image is {width} by {height} pixels: {ADVICE}")
    return width, height


def _intrinsics(file: File) -> Floats | None:
    """Return a pinhole's (3, 3) matrix, its distortion left out."""
    lens = file.metadata.get("intrinsics")
    if file.metadata.get("camera_model") != "pinhole" or lens is None:
        return None
    try:
        numbers = np.array(lens, dtype=np.float64).reshape(5)
    except (TypeError, ValueError):
        numbers = np.full(5, np.nan)
    if not ((np.abs(numbers) < _MAX_PX).all() and (numbers[:2] > 0).all()):
        raise LogError(f"{file.path}: metadata: intrinsics are {lens!r:.80}: {ADVICE}")
    matrix = pinhole(*numbers[:4].tolist())
    matrix[0, 1] = numbers[4]
    return matrix


def cameras(
    log: Log, source: str, lenses: Sequence[Lens], track: PoseTrack, presents_ns: Ints, now: Poses
) -> list[tuple[Camera, ...]]:
    """Return the images of each present in the order of ``VIEWS``.

    Args:
        log: The log.
        source: py123d's name of the dataset it was converted from.
        lenses: Of its rig.
        track: The ego's.
        presents_ns: (n,) stamps.
        now: (n,) ``world_SE3_ego``.

    Raises:
        LogError: An image's path leads out of its folder, or a batch of images is damaged.
    """
    found: list[list[Camera]] = [[] for _ in presents_ns]
    for lens in lenses:
        stamps_ns = lens.file.stamps_ns()
        rows = _latest(stamps_ns, presents_ns)
        taken = rows[rows >= 0]
        placed = _placed(lens, stamps_ns, track, taken).seen_from(now[rows >= 0])
        images = _images(log, source, lens, stamps_ns, taken)
        for at, index in enumerate(np.flatnonzero(rows >= 0).tolist()):
            path, packed = images[at]
            if path is not None:
                found[index].append(_camera(lens, path, placed[at], packed))
    return [tuple(seen) for seen in found]


def _latest(stamps_ns: Ints, presents_ns: Ints) -> Ints:
    """Return the row of the last image not later than each present; -1 where it is too old."""
    if not len(stamps_ns):
        return np.full(len(presents_ns), -1)
    order = np.argsort(stamps_ns, kind="stable")
    at = np.searchsorted(stamps_ns[order], presents_ns, side="right") - 1
    rows = order[at]
    return np.where((at >= 0) & (presents_ns - stamps_ns[rows] <= IMAGE_AGE_NS), rows, -1)


def _placed(lens: Lens, stamps_ns: Ints, track: PoseTrack, rows: Ints) -> Poses:
    """Return ``world_SE3_camera`` as logged, or where the ego then was."""
    logged = lens.file.poses(_GLOBAL)[rows]
    moved = track.at(stamps_ns[rows]) @ lens.ego_SE3_camera
    valid = logged.valid
    return Poses(
        np.where(valid[:, None, None], logged.rotations, moved.rotations),
        np.where(valid[:, None], logged.translations_m, moved.translations_m),
        valid | moved.valid,
    )


def _camera(lens: Lens, image: Path, now_SE3_camera: Poses, packed: PackedImage | None) -> Camera:
    if lens.intrinsics_px is None or not now_SE3_camera.valid:
        return Camera(lens.view, image, lens.size_px, packed=packed)
    pose = now_SE3_camera.se3()
    return Camera(lens.view, image, lens.size_px, lens.intrinsics_px, pose, packed)


def _images(
    log: Log, source: str, lens: Lens, stamps_ns: Ints, rows: Ints
) -> list[tuple[Path | None, PackedImage | None]]:
    """Return the files of some images, and of those inside the log what they are to hold.

    A camera's images are all in files, all JPEG or all PNG: py123d converts those that are not.
    """
    found = list[tuple[Path | None, PackedImage | None]]()
    cell, ending = lens.file.cells("data"), ""
    for row in rows.tolist():
        value = cell(row)
        if not value.is_valid:
            found.append((None, None))
        elif types.is_string(value.type):
            found.append((_beside(log, source, lens.file.path, row, value.as_py()), None))
        else:
            content = value.as_buffer()
            ending = ending or (".png" if content[:4].to_pybytes() == b"\x89PNG" else ".jpg")
            path = extracted(log, lens.view) / extracted_name(int(stamps_ns[row]), ending)
            found.append((path, PackedImage(content.size, partial(lens.file.content, "data", row))))
    return found


def _beside(log: Log, source: str, file: Path, row: int, text: str) -> Path:
    """Return the file of an image that py123d left with its dataset."""
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise LogError(
            f"{file}: row {row + 1}: {file.stem}.data is {text!r:.80}; expected a path below the "
            f"folder of {source}'s sensors: {ADVICE}"
        )
    return log.root / "sensors" / source / path
