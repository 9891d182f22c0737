"""ONCE: frames at 2 Hz from one JSON file a sequence, boxes of those that were annotated.

The ego origin is the lidar, whose axes (x left, y back, z up) are turned to x forward, y left. A
camera's view is told by where its calibration says that it looks. Boxes have no tracks: an agent
is known in one frame alone, without velocity or future; all count as observed. Sequences that
only the raw lists name, without labels, are of split train.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from impromptu.arrays import Floats, Ints
from impromptu.clip import Camera, Clip, Kind
from impromptu.datasets import Dataset, Dropped, Log, LogError, not_found
from impromptu.datasets._agents import NEVER_NS, Surroundings, surroundings
from impromptu.datasets._drive import Drive
from impromptu.datasets._images import first_size_px, images_of
from impromptu.datasets._records import Records, in_time_order, listed
from impromptu.datasets._upright import rigid, upright_boxes
from impromptu.files import read_json
from impromptu.poses import Poses, pose_track, poses
from impromptu.sampling import windows

MAX_GAP_NS = 750_000_000
"""Frames are 0.5 s apart; with one missing the gap is wider than this."""
EDGE_NS = 110_000_000
"""A frame may be this much early: one lidar turn, and some jitter."""
VIEWS = (
    *("FRONT", "FRONT LEFT", "LEFT", "BACK LEFT"),
    *("BACK", "BACK RIGHT", "RIGHT", "FRONT RIGHT"),
)
"""Eighths of the horizon, counter-clockwise; the first is centred straight ahead."""
_KINDS: dict[str, Kind] = {
    **dict.fromkeys(("Car", "Truck", "Bus"), "vehicle"),
    "Cyclist": "cyclist",
    "Pedestrian": "pedestrian",
}
_SEQUENCE = re.compile(r"[0-9]{6}")
# Columns: where ego axes forward, left and up point to in lidar axes left, back and up.
_LIDAR_R_EGO = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
_LIDAR_SE3_EGO = Poses(_LIDAR_R_EGO, np.zeros(3), np.array(True))
_EGO_SE3_LIDAR = Poses(_LIDAR_R_EGO.T, np.zeros(3), np.array(True))


def logs(root: Path, scratch: Path) -> Sequence[Log]:
    """List the sequences whose folder is here; those without their JSON file will fail.

    Raises:
        FileNotFoundError: No JSON file is here, or no list that tells those of val and test.
        ValueError: A list names something else than sequences.
    """
    paths = [folder / f"{folder.name}.json" for folder in sorted((root / "data").glob("*/"))]
    # A sequence whose file is not there is told; other folders are none of ours.
    paths = [path for path in paths if path.is_file() or _SEQUENCE.fullmatch(path.stem)]
    if not any(path.is_file() for path in paths):
        raise not_found(DATASET, root, "no sequence is in data")
    held_out: dict[str, str] = {}
    for split in ("val", "test"):
        names = root / "ImageSets" / f"{split}.txt"
        if not names.is_file():
            raise not_found(DATASET, root, f"ImageSets/{split}.txt is missing")
        held_out |= dict.fromkeys(_listed(names), split)
    return [Log(path.stem, held_out.get(path.stem, "train"), root, path, (path,)) for path in paths]


def _listed(path: Path) -> list[str]:
    """Return the sequences that a list names.

    Raises:
        ValueError: It names something else; a damaged name would put a sequence into train.
    """
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    for row, line in enumerate(lines, start=1):
        if line.strip() and not _SEQUENCE.fullmatch(line.strip()):
            raise ValueError(f"{path}:{row}: {line!r:.40}; expected six digits: unpack it again")
    return [line.strip() for line in lines if line.strip()]


def clips(log: Log) -> Iterator[Clip | Dropped]:
    """Yield a clip for every frame of a sequence.

    Raises:
        LogError: The file is damaged; a field is absent or of another shape; two frames have one
            stamp; no pose is usable.
    """
    frames, stamps_ns, calibrations, told = _read(log.source)
    world_SE3_lidar = poses(_quat_wxyz_xyz(frames))
    world_SE3_ego = world_SE3_lidar @ _LIDAR_SE3_EGO
    try:
        track = pose_track(
            stamps_ns, world_SE3_ego, str(log.source), max_gap_ns=MAX_GAP_NS, edge_ns=EDGE_NS
        )
    except ValueError as error:
        raise LogError(str(error)) from error
    names = frames.texts("frame_id")
    around, faulty_ns = _around(frames, names, stamps_ns, world_SE3_lidar, world_SE3_ego)
    drive = Drive(
        dataset="once",
        log=log,
        presents_ns=stamps_ns,
        ego=windows(track, stamps_ns),
        cameras=_cameras(log.source.parent, names, calibrations),
        around=around,
        tags=_tags(told),
    )
    yield from drive.clips(names, world_SE3_ego.valid, faulty_ns)


def _read(path: Path) -> tuple[Records, Ints, Mapping[str, Any], Any]:
    """Return the frames in the order of time, their stamps, calibrations, and what is told."""
    try:
        content = read_json(path)
    except ValueError as error:
        raise LogError(str(error)) from error
    if not isinstance(content, Mapping):
        raise LogError(f"{path}: expected an object with frames and calib: download it again")
    frames = listed(path, content.get("frames"))
    calibrations = content.get("calib", {})
    if not isinstance(calibrations, Mapping):
        raise LogError(f"{path}: calib: expected an object of cameras")
    stamps_ms = np.array(
        [float(text) if text.isdecimal() else np.nan for text in frames.texts("frame_id")]
    )
    return *in_time_order(frames, stamps_ms, 1_000_000), calibrations, content.get("meta_info")


def _tags(told: object) -> dict[str, str]:
    """Return the weather and the time of day, as far as a sequence tells them."""
    names = {"weather": "weather", "period": "time_of_day"}
    said = told.items() if isinstance(told, Mapping) else ()
    return {names[k]: text for k, text in said if k in names and isinstance(text, str)}


def _quat_wxyz_xyz(frames: Records) -> Floats:
    """Return (n, 7) poses, their quaternions with the scalar first; NaN for a frame without."""
    posed, rows = frames.having("pose")
    found = np.full((len(frames.values), 7), np.nan)
    found[rows] = posed.column("pose", 7)[:, [3, 0, 1, 2, 4, 5, 6]]
    return found


def _around(
    frames: Records,
    names: Sequence[str],
    stamps_ns: Ints,
    world_SE3_lidar: Poses,
    world_SE3_ego: Poses,
) -> tuple[Surroundings | None, Ints]:
    """Return the agents around each frame, if any was labelled, and the stamps of unsound boxes."""
    labels, rows = frames.of("annos")
    numbers = labels.arrays("boxes_3d", None, 7)
    counts = [len(part) for part in numbers]
    row = np.repeat(rows, counts).astype(np.int64)
    words = labels.words("names", counts)
    boxes, faulty_ns = upright_boxes(
        stamps_ns[row],
        world_SE3_lidar[row],
        [f"{names[rows[at]]}-{box}" for at, count in enumerate(counts) for box in range(count)],
        words,
        [_KINDS.get(word, "object") for word in words],
        np.concatenate([np.empty((0, 7)), *numbers]),
    )
    if not boxes.ids:
        return None, faulty_ns
    seen_ns = np.full(len(stamps_ns), NEVER_NS)
    seen_ns[rows] = stamps_ns[rows]
    around = surroundings(
        boxes, stamps_ns, seen_ns, world_SE3_ego, max_gap_ns=MAX_GAP_NS, edge_ns=EDGE_NS
    )
    return around, faulty_ns


def _cameras(
    folder: Path, names: Sequence[str], calibrations: Mapping[str, Any]
) -> list[tuple[Camera, ...]]:
    """Return the images of each frame, by the views that the calibrations tell."""
    found: list[list[Camera]] = [[] for _ in names]
    always = np.zeros(len(names), np.int64)
    for view, (name, matrix, mounted) in _views(folder, calibrations).items():
        images = [folder / name / f"{frame_id}.jpg" for frame_id in names]
        placed = images_of(view, images, first_size_px(images), matrix, mounted[always])
        for cameras, camera in zip(found, placed, strict=True):
            cameras.append(camera)
    return [tuple(cameras) for cameras in found]


def _views(folder: Path, calibrations: Mapping[str, Any]) -> dict[str, tuple[str, Floats, Poses]]:
    """Return name, pinhole matrix and (1,) ``ego_SE3_camera`` of the camera of each view, in order.

    Of two that look into one eighth of the horizon the one that sees more of it is taken.

    Raises:
        LogError: A calibration is incomplete; or no camera looks ahead.
    """
    place = f"{folder / folder.name}.json: calib"
    order = sorted(calibrations)
    cameras = Records(
        [f"{place}: {name}" for name in order], [calibrations[name] for name in order]
    )
    mounted, matrices = cameras.column("cam_to_velo", 4, 4), cameras.column("cam_intrinsic", 3, 3)
    placed = _EGO_SE3_LIDAR @ rigid(mounted[:, :3, :3], mounted[:, :3, 3])
    # A camera looks along its z axis; a view is an eighth of a turn wide.
    azimuth_rad = np.arctan2(placed.rotations[:, 1, 2], placed.rotations[:, 0, 2])
    eighth = np.round(azimuth_rad / (np.pi / 4)).astype(np.int64) % len(VIEWS)
    sound = placed.valid & np.isfinite(matrices).all(axis=(-1, -2))
    narrow_first = [at for at in np.argsort(-matrices[:, 0, 0], kind="stable") if sound[at]]
    chosen = {int(eighth[at]): int(at) for at in narrow_first}
    if 0 not in chosen:
        raise LogError(f"{place}: expected a camera that looks ahead, along the lidar's -y axis")
    return {
        VIEWS[view]: (order[at], matrices[at], placed[[at]]) for view, at in sorted(chosen.items())
    }


DATASET = Dataset(
    home="once",
    title="ONCE",
    url="https://once-for-auto-driving.github.io/download.html",
    licence="CC BY-NC-SA 4.0: non-commercial",
    size="581 sequences, a million frames at 2 Hz with seven images each",
    tree="""ImageSets/{train,val,test}.txt
data/<sequence>/<sequence>.json
data/<sequence>/cam01/<milliseconds>.jpg and cam03, cam05 to cam09""",
    splits=("train", "val", "test"),
    surround=("FRONT",),
    forward=("FRONT",),
    logs=logs,
    clips=clips,
)
