"""Write drives as Waymo perception v1 records: a frame every 0.1 s, images and boxes within."""

import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from impromptu.arrays import Floats, Ints
from impromptu.geometry import SE3, yaws_rad
from impromptu.miniature.canvas import Lens
from impromptu.miniature.files import Drive, Pictures, camera_axes, moved, token
from impromptu.miniature.sensing import sense
from impromptu.miniature.wire import content, doubles, whole
from impromptu.miniature.world import Boxes, Shape, axes
from impromptu.tfrecord import framed

GLOBAL_SE3_WORLD = SE3(
    Rotation.from_euler("z", 0.8).as_matrix(), np.array([-25210.0, 42390.0, -160.0])
)
LOST_FRAME = 13
"""Each record lacks a frame, as some real ones do."""

_EPOCH_US = 1_553_735_853_462_203
_FRAME_US = 100_000
_PICTURE_EVERY = 5
"""Real frames all have images; here, only those at 2 Hz."""
_LIDAR_SE3 = np.array([1.43, 0.0, 2.18])
_RANGES = 16, 40, 4
"""Rows, columns and channels of the range image, which is noise: nothing here reads it."""

# CameraName: yaw (degrees), position (m), focal length (px), width and height (px), lag (us).
_CAMERAS: dict[int, tuple[float, tuple[float, float, float], float, tuple[int, int], int]] = {
    1: (0.2, (1.54, -0.02, 2.12), 342.0, (320, 214), 52_000),
    2: (45.1, (1.49, 0.09, 2.11), 343.0, (320, 214), 42_000),
    3: (-45.2, (1.48, -0.10, 2.12), 342.0, (320, 214), 62_000),
    4: (90.3, (1.43, 0.11, 2.12), 342.0, (320, 148), 22_000),
    5: (-89.8, (1.43, -0.11, 2.11), 343.0, (320, 148), 72_000),
}
_TYPES: dict[Shape, int] = {
    "car": 1,
    "van": 1,
    "truck": 1,
    "bus": 1,
    "pedestrian": 2,
    "cyclist": 4,
}


def write(root: Path, drives: Iterable[Drive], pictures: Pictures) -> None:
    """Write a record for each drive."""
    for drive in drives:
        folder = root / ("training" if drive.first_split else "validation")
        folder.mkdir(parents=True, exist_ok=True)
        number = int(token("waymo", drive.index, drive.count, drive.world.story)[:15], 16)
        name = f"{number}_{100 * drive.index}_000_{100 * drive.index + 20}_000"
        with (folder / f"segment-{name}_with_camera_labels.tfrecord").open("wb") as file:
            for frame in _frames(drive, name, pictures):
                file.write(framed(frame))


def _stamps_us(drive: Drive) -> Ints:
    """Return the frames' stamps; one frame is lost."""
    frames = np.arange(int((drive.duration_s - 0.08) / 0.1) + 1)
    jitter = drive.rng.integers(-40, 41, len(frames))
    stamps = _EPOCH_US + drive.index * 100_000_000 + frames * _FRAME_US + jitter
    kept: Ints = stamps[frames != LOST_FRAME]
    return kept


def _seconds(drive: Drive, stamps_us: Ints) -> Floats:
    """Return times of a drive's world; the first jitter must not lead to before its start."""
    seconds: Floats = (stamps_us - (_EPOCH_US + drive.index * 100_000_000)) / 1e6 + 1e-4
    return seconds


def _frames(drive: Drive, name: str, pictures: Pictures) -> Iterable[bytes]:
    """Yield the messages of a drive's frames."""
    stamps_us, context = _stamps_us(drive), _context(name)
    t_s = _seconds(drive, stamps_us)
    images, labels = _images(drive, stamps_us, pictures), _labels(drive, name, t_s)
    for row, (stamp, pose) in enumerate(zip(stamps_us.tolist(), _poses(drive, t_s), strict=True)):
        yield b"".join(
            (
                content(1, context),
                whole(2, stamp),
                content(3, pose),
                *images[row],
                content(5, _laser(drive)),
                *labels[row],
            )
        )


def _transform(pose: SE3) -> bytes:
    """Return a ``Transform`` message."""
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = pose.rotation, pose.translation_m
    return doubles(1, matrix.ravel().tolist())


def _poses(drive: Drive, t_s: Floats) -> list[bytes]:
    """Return the vehicle's pose at each time, as messages."""
    rotations, positions = moved(GLOBAL_SE3_WORLD, *drive.world.ego_poses(t_s))
    return [_transform(SE3(*pose)) for pose in zip(rotations, positions, strict=True)]


def _lens(camera: int) -> tuple[Lens, SE3]:
    """Return a camera's lens and ``ego_SE3_camera``, camera axes x right, y down, z forward."""
    yaw_deg, position_m, focal_px, (width, height), _ = _CAMERAS[camera]
    intrinsics = np.array(
        [[focal_px, 0.0, width / 2 - 1.5], [0.0, focal_px, height / 2 + 1.0], [0.0, 0.0, 1.0]]
    )
    pose = SE3(camera_axes(yaw_deg, 0.4, 0.1), np.array(position_m))
    return Lens((width, height), intrinsics), pose


def _context(name: str) -> bytes:
    """Return the name and the cameras; extrinsics are of axes x forward, y left, z up."""
    parts = [content(1, name.encode())]
    for camera in _CAMERAS:
        lens, pose = _lens(camera)
        k, (width, height) = lens.intrinsics_px, lens.size_px
        forward_left_up = SE3(pose.rotation @ camera_axes(0).T, pose.translation_m)
        calibration = (
            whole(1, camera),
            doubles(2, [k[0, 0], k[1, 1], k[0, 2], k[1, 2], 0, 0, 0, 0, 0]),
            content(3, _transform(forward_left_up)),
            whole(4, width),
            whole(5, height),
            whole(6, 2),
        )
        parts.append(content(2, b"".join(calibration)))
    parts.append(content(4, content(2, b"Day") + content(3, b"location_sf")))
    return b"".join(parts)


def _images(drive: Drive, stamps_us: Ints, pictures: Pictures) -> list[list[bytes]]:
    """Return each frame's image fields."""
    found: list[list[bytes]] = [[] for _ in stamps_us]
    # By number, not by place: the lost frame must not shift those after it.
    frame = np.round((stamps_us - stamps_us[0]) / _FRAME_US).astype(np.int64)
    rows = np.flatnonzero(frame % _PICTURE_EVERY == 0)
    for camera, (*_, lag_us) in _CAMERAS.items():
        t_s = _seconds(drive, stamps_us[rows] + lag_us)
        lens, ego_SE3_camera = _lens(camera)
        jpegs = pictures.jpegs(len(t_s), drive.studio.film(lens, ego_SE3_camera, t_s))
        for row, pose, jpeg in zip(rows.tolist(), _poses(drive, t_s), jpegs, strict=True):
            message = whole(1, camera) + content(2, jpeg) + content(3, pose)
            found[row].append(content(4, message))
    return found


def _laser(drive: Drive) -> bytes:
    """Return the top lidar's first return: what takes up most of a real frame."""
    ranges = drive.rng.random(_RANGES).astype("<f4").tobytes()
    shape = b"".join(whole(1, size) for size in _RANGES)
    matrix = zlib.compress(content(1, ranges) + content(2, shape))
    return whole(1, 1) + content(2, content(2, matrix))


def _labels(drive: Drive, name: str, t_s: Floats) -> list[list[bytes]]:
    """Return each frame's label fields: the boxes with lidar points in them."""
    boxes = drive.world.boxes(t_s)
    types = [_TYPES[body.shape] for body in drive.world.bodies]
    ids = [token(name, column)[:22].encode() for column in range(len(types))]
    found = []
    for row, world_SE3_ego in enumerate(drive.world.world_SE3_egos(t_s)):
        eye_m = world_SE3_ego.transform(_LIDAR_SE3)
        sensed = sense(boxes, row, eye_m, drive.studio.scenery.houses_m)
        seen = sensed.points > 0
        body, points = sensed.body[seen], sensed.points[seen].tolist()
        messages = _box_messages(boxes, row, body, world_SE3_ego.inverse())
        found.append(
            [
                content(6, content(1, box) + whole(3, types[k]) + content(4, ids[k]) + whole(7, n))
                for box, k, n in zip(messages, body.tolist(), points, strict=True)
            ]
        )
    return found


def _box_messages(boxes: Boxes, row: int, body: Ints, ego_SE3_world: SE3) -> Sequence[bytes]:
    """Return boxes in the vehicle frame; they are upright in it, as the format has no tilt."""
    centre_m = ego_SE3_world.transform(boxes.centre_m[row, body])
    heading = yaws_rad(ego_SE3_world.rotation @ axes(boxes.yaw_rad[row, body]))
    columns = np.column_stack([centre_m, boxes.size_m[body][:, [1, 0, 2]], heading])
    return [
        b"".join(doubles(field, [value]) for field, value in enumerate(values, start=1))
        for values in columns.tolist()
    ]
