"""nuScenes: keyframes from its tables, the ego's status from its CAN bus expansion.

The ego origin is the rear axle on the ground. The present is a keyframe's LIDAR_TOP sweep. A box
counts as observed when a lidar or radar point lies in it and more than 40 % of it is visible.

Images are those of the keyframe. A camera exposes while the lidar turns past it, as a rule before
the keyframe's stamp; the exposure may be stamped up to 1.2 ms after it (88 of 1,692 images of a
sample of seven scenes). It is one event with the sweep, so it counts as of the present.

A bicycle or motorcycle is a cyclist with the attribute ``cycle.with_rider``, and an object with
``cycle.without_rider``; with neither nobody knows, and it counts as a cyclist.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import compress
from pathlib import Path

import numpy as np

from impromptu.arrays import Floats, Ints
from impromptu.clip import Camera, Clip, Kind
from impromptu.datasets import Dataset, Dropped, Log, LogError, not_found
from impromptu.datasets import _nuscenes_can as can
from impromptu.datasets import _nuscenes_index as tables
from impromptu.datasets import _nuscenes_scene as scenes
from impromptu.datasets._agents import Surroundings, surroundings
from impromptu.datasets._boxes import Boxes, distinct
from impromptu.datasets._drive import Drive, ego_track
from impromptu.datasets._nuscenes_scene import Annotations, Captures
from impromptu.datasets._nuscenes_splits import split_of
from impromptu.geometry import SE2, SE3
from impromptu.poses import Poses, PoseTrack, poses
from impromptu.sampling import windows

MAX_GAP_NS = 750_000_000
"""Keyframes are 0.40 to 0.60 s apart; with one missing the gap is wider than this."""
EDGE_NS = 60_000_000
"""The last keyframe may be this much early for a waypoint: one lidar turn, and some jitter."""
NO_RIDER = "cycle.without_rider"
VIEWS = "FRONT", "FRONT RIGHT", "FRONT LEFT", "BACK", "BACK LEFT", "BACK RIGHT"
_CHANNELS = {"CAM_" + view.replace(" ", "_"): view for view in VIEWS}

_CATEGORIES: dict[str, tuple[str, Kind]] = {
    "vehicle.car": ("car", "vehicle"),
    "vehicle.truck": ("truck", "vehicle"),
    "vehicle.bus.bendy": ("bus", "vehicle"),
    "vehicle.bus.rigid": ("bus", "vehicle"),
    "vehicle.trailer": ("trailer", "vehicle"),
    "vehicle.construction": ("construction vehicle", "vehicle"),
    "vehicle.emergency.ambulance": ("ambulance", "vehicle"),
    "vehicle.emergency.police": ("police car", "vehicle"),
    "vehicle.bicycle": ("bicycle", "cyclist"),
    "vehicle.motorcycle": ("motorcycle", "cyclist"),
    "movable_object.trafficcone": ("traffic cone", "object"),
    "movable_object.pushable_pullable": ("pushable object", "object"),
}


def logs(root: Path, scratch: Path) -> Sequence[Log]:
    """List the scenes of all versions under ``root``, by name.

    Raises:
        FileNotFoundError: No version is there, or one lacks a table.
        ValueError: A table is damaged.
    """
    source, _ = captures_index(root, scratch), boxes_index(root, scratch)
    names, paths = scenes.query(source, scenes.SCENES), _paths(root)
    return [
        Log(name, split_of(name), root, source, (*paths, *can.files(root, name)))
        for (name,) in names
    ]


def captures_index(root: Path, scratch: Path) -> Path:
    """Build the half of the index that has sensors' captures and the ego's poses; see ``logs``."""
    return tables.index("captures", root, _paths(root), scratch)


def boxes_index(root: Path, scratch: Path) -> Path:
    """Build the half of the index that has the annotations; see ``logs``."""
    return tables.index("boxes", root, _paths(root), scratch)


def _paths(root: Path) -> list[Path]:
    paths = tables.paths(root)
    if not paths:
        raise not_found(DATASET, root, f"none of {', '.join(tables.VERSIONS)} is here")
    if lacking := [str(path.relative_to(root)) for path in paths if not path.is_file()]:
        raise not_found(DATASET, root, f"{', '.join(lacking)} missing")
    return paths


def clips(log: Log) -> Iterator[Clip | Dropped]:
    """Yield a clip for every keyframe of a scene.

    Raises:
        LogError: Two keyframes have one stamp, sweeps or boxes of one stamp disagree, no ego pose
            is usable or one is absurd, or a CAN file is damaged.
    """
    keyframes = scenes.query(log.source, scenes.KEYFRAMES, log.id)
    stamps_ns = 1000 * np.array([stamp_us for _, stamp_us in keyframes], dtype=np.int64)
    if (same := np.flatnonzero(np.diff(stamps_ns) == 0)).size:
        first, second = (keyframes[same[0] + step]["token"] for step in (0, 1))
        raise LogError(
            f"{log.root}: sample.json: keyframes {first} and {second} of {log.id} have one "
            f"timestamp, {stamps_ns[same[0]] // 1000} us; expected one each"
        )
    order = {token: index for index, (token, _) in enumerate(keyframes)}
    sweeps, images = scenes.captures(log.source, log.id)
    found, faulty_ns = _boxes(log, scenes.annotations(log.source, log.id), order, stamps_ns)
    drive, posed = _drive(log, order, stamps_ns, sweeps, images, found), _posed(sweeps)
    yield from drive.clips(order, [token in posed for token in order], faulty_ns)


def _drive(
    log: Log,
    order: Mapping[str, int],
    stamps_ns: Ints,
    sweeps: Captures,
    images: Captures,
    boxes: Boxes,
) -> Drive:
    ego = windows(_track(log, sweeps), stamps_ns)
    return Drive(
        dataset="nuscenes",
        log=log,
        presents_ns=stamps_ns,
        ego=ego,
        cameras=_cameras(log.root, images, order, ego.present),
        around=_around(boxes, stamps_ns, ego.present),
        motion=can.motion(log.root, log.id, ego.times_ns),
        steering_rad=can.steering_rad(log.root, log.id, ego.times_ns),
        ego_SE2_planning=_planning_frame(sweeps),
        tags=_tags(log),
    )


def _tags(log: Log) -> dict[str, str]:
    """Return where and when: scenes by night or in rain say so in their description."""
    tags = dict[str, str]()
    for location, description in scenes.query(log.source, scenes.PLACE, log.id):
        said = description.lower()
        tags["location"] = location
        tags["time_of_day"] = "night" if re.search(r"\bnight", said) else "day"
        tags["weather"] = "rain" if re.search(r"\brain", said) else "dry"
    return tags


def _track(log: Log, sweeps: Captures) -> PoseTrack:
    if not sweeps.samples:
        raise LogError(
            f"{log.root}: sample_data.json: {log.id}: no sweep of LIDAR_TOP, by sensor.json and "
            "calibrated_sensor.json: unpack the metadata archive again"
        )
    return ego_track(
        1000 * sweeps.timestamps_us,
        # One that is far away is left to the track, which says so.
        poses(sweeps.egos, np.inf),
        f"{log.root}: ego_pose.json: {log.id}: ego poses of LIDAR_TOP",
        max_gap_ns=MAX_GAP_NS,
        edge_ns=EDGE_NS,
    )


def _posed(sweeps: Captures) -> set[str]:
    """Return the keyframes whose own LIDAR_TOP pose is there and sound."""
    return {*compress(sweeps.samples, poses(sweeps.egos).valid & sweeps.is_key)}


def _planning_frame(sweeps: Captures) -> SE2 | None:
    lidar = poses(sweeps.mounts)
    if not lidar.valid.any():
        return None
    return planning_frame(lidar[int(np.flatnonzero(lidar.valid)[0])].se3())


def planning_frame(ego_SE3_lidar: SE3) -> SE2:
    """Return the LIDAR_TOP frame (x right, y forward) turned to x forward, y left."""
    # The planning frame's x axis is the lidar's y axis.
    forward = ego_SE3_lidar.rotation[:, 1]
    return SE2(float(np.arctan2(forward[1], forward[0])), ego_SE3_lidar.translation_m[:2])


def _cameras(
    root: Path, images: Captures, order: Mapping[str, int], present: Poses
) -> list[tuple[Camera, ...]]:
    """Return the images of each keyframe, in the order of ``VIEWS``.

    Raises:
        LogError: A keyframe has two images of one camera.
    """
    at = [order[sample] for sample in images.samples]
    placed = poses(images.egos).seen_from(present[at]) @ poses(images.mounts)
    matrices = {text: _matrix(text) for text in {*images.intrinsics}}
    found: list[dict[str, Camera]] = [{} for _ in order]
    sizes_px = map(tuple, images.sizes_px.tolist())
    rows = zip(at, images.channels, images.files, images.intrinsics, sizes_px, strict=True)
    for row, pose, valid in zip(rows, placed.se3s(), placed.valid.tolist(), strict=True):
        keyframe, channel, file, text, size_px = row
        if channel not in _CHANNELS:
            continue
        matrix = matrices[text] if valid else None
        camera = Camera(
            view=_CHANNELS[channel],
            image=root / file,
            size_px=size_px if min(size_px) > 0 else None,
            intrinsics_px=matrix,
            ego_SE3_camera=None if matrix is None else pose,
        )
        if found[keyframe].setdefault(camera.view, camera) is not camera:
            raise LogError(
                f"{root}: sample_data.json: keyframe {[*order][keyframe]} has two images of "
                f"{channel}; expected one: unpack the metadata archive again"
            )
    return [tuple(cameras[view] for view in VIEWS if view in cameras) for cameras in found]


def _matrix(text: str) -> Floats | None:
    """Return a camera's pinhole matrix; None where the table has none or another thing."""
    try:
        matrix = np.array(json.loads(text), dtype=np.float64)
    except (TypeError, ValueError):
        return None
    whole = matrix.shape == (3, 3) and bool(np.isfinite(matrix).all())
    return matrix if whole and min(matrix[0, 0], matrix[1, 1]) > 0 else None


def _category(name: str, attributes: str) -> tuple[str, Kind]:
    """Return what people call a nuScenes category, and its kind; an animal is an object here."""
    if name.startswith("human.pedestrian."):
        return "pedestrian", "pedestrian"
    word, kind = _CATEGORIES.get(name, (name.rpartition(".")[2].replace("_", " "), "object"))
    return word, "object" if NO_RIDER in attributes.split() else kind


def _boxes(
    log: Log, rows: Annotations, order: Mapping[str, int], stamps_ns: Ints
) -> tuple[Boxes, Ints]:
    """Return a scene's sound boxes, and the stamps of keyframes that have an unsound one.

    Raises:
        LogError: Two boxes of one instance in one keyframe disagree.
    """
    boxed_ns = stamps_ns[np.array([order[sample] for sample in rows.samples], np.int64)]
    placed = poses(rows.poses)
    sound = placed.valid & (rows.sizes_m > 0).all(axis=-1)
    named = [*zip(rows.categories, rows.attributes, strict=True)]
    words = {name: _category(*name) for name in {*named}}
    hidden = np.array([visibility == "1" for visibility in rows.visibilities], bool)
    boxes = Boxes(
        timestamps_ns=boxed_ns,
        ids=rows.instances,
        categories=[words[name][0] for name in named],
        kinds=[words[name][1] for name in named],
        rotations=placed.rotations,
        centers_m=placed.translations_m,
        sizes_m=rows.sizes_m[:, [1, 0, 2]],
        observed=(rows.points > 0) & ~hidden,
    )
    good, source = np.flatnonzero(sound), f"{log.root}: sample_annotation.json: {log.id}"
    kept = distinct(boxes.rows(good), source, lambda place: rows.tokens[good[place]])
    return kept, np.unique(boxed_ns[~sound])


def _around(boxes: Boxes, stamps_ns: Ints, present: Poses) -> Surroundings | None:
    """Return the agents around each keyframe; None for a scene without annotations."""
    if not boxes.ids:
        return None
    return surroundings(
        boxes, stamps_ns, stamps_ns, present, max_gap_ns=MAX_GAP_NS, edge_ns=EDGE_NS
    )


DATASET = Dataset(
    home="nuscenes",
    title="nuScenes",
    url="https://www.nuscenes.org/nuscenes#download",
    licence="CC BY-NC-SA 4.0 and the nuScenes terms of use: non-commercial",
    size="850 scenes of train and val, 150 of test, 20 s each; about 300 GB with every "
    "sensor, v1.0-mini 4 GB",
    tree="""v1.0-trainval/*.json (or v1.0-mini, v1.0-test; all that are present are read)
samples/CAM_FRONT/*.jpg and the five other cameras
can_bus/scene-0001_pose.json and _steeranglefeedback.json (CAN bus expansion, optional)""",
    splits=("train", "val", "test"),
    surround=VIEWS,
    forward=VIEWS[:3],
    logs=logs,
    clips=clips,
    indexes=(captures_index, boxes_index),
)
