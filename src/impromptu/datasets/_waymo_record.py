"""Read a Waymo perception v1 record: a few fields of each frame, and nothing of the lidar.

Field numbers are those of ``waymo.open_dataset.Frame`` and the messages in it
(https://github.com/waymo-research/waymo-open-dataset, dataset.proto and label.proto).
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from impromptu.arrays import Floats, Ints
from impromptu.datasets._waymo_segment import (
    Calibration,
    Image,
    Labels,
    Segment,
    camera_pose,
    pinhole,
    rigid,
)
from impromptu.datasets._wire import Messages
from impromptu.tfrecord import mapped, spans

_CONTEXT, _STAMP, _POSE, _IMAGES, _LASER_LABELS = 1, 2, 3, 4, 6
_NAME, _CALIBRATIONS = 1, 2
_CAMERA, _INTRINSIC, _EXTRINSIC, _WIDTH, _HEIGHT = 1, 2, 3, 4, 5
_IMAGE_CAMERA, _JPEG, _IMAGE_POSE = 1, 2, 3
_TRANSFORM = 1
_LABEL_BOX, _LABEL_TYPE, _LABEL_ID, _LABEL_POINTS = 1, 3, 4, 7
_LAST_US = 2**62 // 1000
_BOX = {1: 0, 2: 1, 3: 2, 5: 3, 4: 4, 6: 5, 7: 6}
"""Column of each field of a box; on the wire width comes before length."""


def read_record(path: Path) -> Segment:
    """Read all frames' stamps, poses and labels, and where their images lie.

    Raises:
        ValueError: The file is cut short, its framing is damaged, or a frame is no message.
    """
    data = mapped(path)
    messages, frames = Messages(data), np.array(list(spans(data)), dtype=np.int64).reshape(-1, 2)
    whole = np.zeros(len(frames), dtype=np.int64)
    stamps_us, poses, contexts = whole, np.zeros_like(frames), np.zeros_like(frames)
    images, labels = [np.zeros((0, 3), np.int64)], [np.zeros((0, 3), np.int64)]
    for column in messages.fields(frames):
        stamp = column.of(_STAMP)
        stamps_us[stamp.rows] = stamp.varints
        for number, places in ((_POSE, poses), (_CONTEXT, contexts)):
            part = column.of(number)
            places[part.rows] = part.spans
        for number, found in ((_IMAGES, images), (_LASER_LABELS, labels)):
            part = column.of(number)
            found.append(np.column_stack([part.rows, part.spans]))
    if (bad := np.flatnonzero((stamps_us <= 0) | (stamps_us > _LAST_US))).size:
        raise ValueError(
            f"record {bad[0] + 1}: a frame without a stamp; is this a perception record?"
        )
    stamps_ns = stamps_us * 1000
    return Segment(
        stamps_ns=stamps_ns,
        world_SE3_ego=rigid(messages.repeated(poses, _TRANSFORM, 16)),
        labels=_labels(messages, stamps_ns, _by_frame(labels)),
        calibrations=_calibrations(messages, contexts[:1]),
        images=_images(messages, path, stamps_ns, _by_frame(images)),
        name=_name(messages, contexts[:1]),
    )


def _name(messages: Messages, contexts: Ints) -> str:
    found = [column.of(_NAME).spans.tolist() for column in messages.fields(contexts)]
    names = [messages.data[start:end].tobytes() for part in found for start, end in part]
    return b"".join(names).decode("utf-8", "replace")


def _by_frame(found: Sequence[Ints]) -> Ints:
    """Return (m, 3) rows of frame, start and end, in the file's order."""
    places: Ints = np.concatenate(found)
    return places[np.argsort(places[:, 1], kind="stable")]


def _calibrations(messages: Messages, contexts: Ints) -> Mapping[int, Calibration]:
    """Read the cameras of the first context; one without four intrinsics is left out."""
    found = [column.of(_CALIBRATIONS).spans for column in messages.fields(contexts)]
    places = np.concatenate([np.zeros((0, 2), np.int64), *found])
    numbers = np.zeros((len(places), 3), np.int64)
    outer = np.zeros_like(places)
    for column in messages.fields(places):
        for place, number in enumerate((_CAMERA, _WIDTH, _HEIGHT)):
            part = column.of(number)
            numbers[part.rows, place] = part.varints
        part = column.of(_EXTRINSIC)
        outer[part.rows] = part.spans
    inner = messages.repeated(places, _INTRINSIC, 4)
    poses = camera_pose(messages.repeated(outer, _TRANSFORM, 16))
    return {
        camera: Calibration((width, height), pinhole(*inner[row]), poses[row])
        for row, (camera, width, height) in enumerate(numbers.tolist())
        if np.isfinite(inner[row]).all()
    }


def _images(
    messages: Messages, path: Path, stamps_ns: Ints, places: Ints
) -> Mapping[int, Mapping[int, Image]]:
    """Find all images; of two of a camera and stamp the first counts."""
    cameras = np.zeros(len(places), np.int64)
    jpegs, poses = np.zeros((2, len(places), 2), np.int64)
    for column in messages.fields(places[:, 1:]):
        camera = column.of(_IMAGE_CAMERA)
        cameras[camera.rows] = camera.varints
        for number, found in ((_JPEG, jpegs), (_IMAGE_POSE, poses)):
            part = column.of(number)
            found[part.rows] = part.spans
    taken = rigid(messages.repeated(poses, _TRANSFORM, 16))
    images: dict[int, dict[int, Image]] = {}
    keys = zip(stamps_ns[places[:, 0]].tolist(), cameras.tolist(), jpegs.tolist(), strict=True)
    for row, (stamp_ns, camera, (start, end)) in enumerate(keys):
        image = Image(end - start, partial(_content, path, start, end), taken[row])
        images.setdefault(stamp_ns, {}).setdefault(camera, image)
    return images


def _content(path: Path, start: int, end: int) -> bytes:
    """Read part of a file; through the map it would come page by page."""
    with path.open("rb", buffering=0) as file:
        file.seek(start)
        return file.read(end - start)


def _labels(messages: Messages, stamps_ns: Ints, places: Ints) -> Labels:
    """Read the laser labels of all frames."""
    types, points = np.zeros((2, len(places)), np.int64)
    names, boxes = np.zeros((2, len(places), 2), np.int64)
    for column in messages.fields(places[:, 1:]):
        for number, values in ((_LABEL_TYPE, types), (_LABEL_POINTS, points)):
            part = column.of(number)
            values[part.rows] = part.varints
        for number, found in ((_LABEL_ID, names), (_LABEL_BOX, boxes)):
            part = column.of(number)
            found[part.rows] = part.spans
    data = messages.data
    return Labels(
        stamps_ns=stamps_ns[places[:, 0]],
        ids=[data[start:end].tobytes().decode("utf-8", "replace") for start, end in names.tolist()],
        types=types,
        boxes=_boxes(messages, boxes),
        points=points,
    )


def _boxes(messages: Messages, places: Ints) -> Floats:
    """Return (m, 7) boxes, NaN where a field is absent."""
    boxes = np.full((len(places), 7), np.nan)
    for column in messages.fields(places):
        eight = column.ends - column.starts == 8
        for number, place in _BOX.items():
            if (mine := eight & (column.numbers == number)).any():
                boxes[column.rows[mine], place] = messages.doubles(column.starts[mine])
    return boxes
