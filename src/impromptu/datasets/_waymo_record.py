"""Read a Waymo perception v1 record: a few fields of each frame, and nothing of the lidar.

Field numbers are those of ``waymo.open_dataset.Frame`` and the messages in it
(https://github.com/waymo-research/waymo-open-dataset, dataset.proto and label.proto).

Payloads' checksums are not checked, which would take reading all of a file. Damage in what is read
is told where it makes no message, pose or box; a digit of a box that has changed is not.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from impromptu.arrays import Floats, Ints
from impromptu.clip import PackedImage
from impromptu.datasets._waymo_segment import (
    LAST_US,
    Calibration,
    Image,
    Labels,
    Segment,
    camera_pose,
    pinhole,
    rigid,
)
from impromptu.datasets._wire import Column, Messages, every, latest, read, skim
from impromptu.poses import Poses
from impromptu.tfrecord import FileContent, opened, spans

_CONTEXT, _STAMP, _POSE, _IMAGES, _LASER_LABELS = 1, 2, 3, 4, 6
_NAME, _CALIBRATIONS, _STATS = 1, 2, 4
_TAGS = {"time_of_day": 2, "location": 3, "weather": 4}
_CAMERA, _INTRINSIC, _EXTRINSIC, _WIDTH, _HEIGHT = 1, 2, 3, 4, 5
_IMAGE_CAMERA, _JPEG, _IMAGE_POSE = 1, 2, 3
_TRANSFORM = 1
_LABEL_BOX, _LABEL_TYPE, _LABEL_ID, _LABEL_POINTS = 1, 3, 4, 7
_BOX = 1, 2, 3, 5, 4, 6, 7
"""Fields of a box in the order of its columns; on the wire width comes before length."""
_DOUBLE = np.dtype([("tag", "u1"), ("value", "<f8")])
_USUAL = 8 * np.arange(1, 8) + 1
"""The tags of a box as it is written: all fields, in the order of their numbers."""


def read_record(path: Path) -> Segment:
    """Read all frames' stamps, poses and labels; images are looked for when they are asked for.

    Raises:
        ValueError: The file is cut short, its framing is damaged, or a frame is no message.
    """
    with opened(path) as content:
        frames = np.array(list(spans(content)), dtype=np.int64).reshape(-1, 2)
        found, last = skim(content, frames)
        stamp, pose, context = latest(found, len(frames), _STAMP, _POSE, _CONTEXT)
        labels, images = every(found, _LASER_LABELS), every(found, _IMAGES)
        stamps_ns = _stamps_ns(stamp.varints)
        name, tags = _told(content, context.spans[:1])
        return Segment(
            stamps_ns=stamps_ns,
            world_SE3_ego=_poses(content, pose.spans),
            labels=_labels(*read(content, labels.spans, last), stamps_ns[labels.rows]),
            calibrations=_calibrations(content, context.spans[:1]),
            images=partial(_images, path, stamps_ns[images.rows], images.spans),
            name=name,
            tags=tags,
        )


def _stamps_ns(stamps_us: Ints) -> Ints:
    if (bad := np.flatnonzero((stamps_us <= 0) | (stamps_us > LAST_US))).size:
        raise ValueError(
            f"record {bad[0] + 1}: a frame without a stamp; is this a perception record?"
        )
    return stamps_us * 1000


def _poses(content: FileContent, places: Ints) -> Poses:
    """Read ``Transform`` messages; where a place is empty the pose is not valid."""
    messages, places = read(content, places)
    return rigid(_transforms(messages, places))


def _transforms(messages: Messages, places: Ints) -> Floats:
    """Return (n, 16) matrices, NaN where there are not 16 values."""
    return messages.repeated(every(messages.fields(places), _TRANSFORM), len(places), 16)


def _told(content: FileContent, contexts: Ints) -> tuple[str, dict[str, str]]:
    """Return the segment's name, and where and when it was driven, as far as told."""
    messages, contexts = read(content, contexts)
    name, stats = latest(messages.fields(contexts), len(contexts), _NAME, _STATS)
    columns = latest(messages.fields(stats.spans), len(contexts), *_TAGS.values())
    texts = [_text(messages, column) for column in columns]
    tags = {tag: text for tag, text in zip(_TAGS, texts, strict=True) if text}
    return _text(messages, name), tags


def _text(messages: Messages, column: Column) -> str:
    parts = [messages.data[start:end] for start, end in column.spans.tolist()]
    return b"".join(parts).decode("utf-8", "replace")


def _calibrations(content: FileContent, contexts: Ints) -> Mapping[int, Calibration]:
    """Read the cameras of the first context; one without four intrinsics is left out."""
    messages, contexts = read(content, contexts)
    places = every(messages.fields(contexts), _CALIBRATIONS).spans
    fields = list(messages.fields(places))
    camera, width, height, extrinsic = latest(
        fields, len(places), _CAMERA, _WIDTH, _HEIGHT, _EXTRINSIC
    )
    inner = messages.repeated(every(fields, _INTRINSIC), len(places), 4)
    poses = camera_pose(_transforms(messages, extrinsic.spans))
    numbers = np.column_stack([camera.varints, width.varints, height.varints])
    return {
        name: Calibration((width_px, height_px), pinhole(*inner[row]), poses[row])
        for row, (name, width_px, height_px) in enumerate(numbers.tolist())
        if np.isfinite(inner[row]).all()
    }


def _images(
    path: Path, stamps_ns: Ints, places: Ints, wanted_ns: Ints
) -> Sequence[Mapping[int, Image]]:
    """Find the images of each wanted stamp; of two of a camera and stamp the first counts."""
    shown = np.isin(stamps_ns, wanted_ns)
    stamps_ns, places = stamps_ns[shown], places[shown]
    with opened(path) as content:
        found, _ = skim(content, places)
        camera, jpeg, pose = latest(found, len(places), _IMAGE_CAMERA, _JPEG, _IMAGE_POSE)
        taken = _poses(content, pose.spans)
    images: dict[int, dict[int, Image]] = {stamp: {} for stamp in wanted_ns.tolist()}
    keys = zip(stamps_ns.tolist(), camera.varints.tolist(), jpeg.spans.tolist(), strict=True)
    for row, (stamp_ns, name, (start, end)) in enumerate(keys):
        image = Image(PackedImage(end - start, partial(_part, path, start, end)), taken[row])
        images[stamp_ns].setdefault(name, image)
    return [images[stamp] for stamp in wanted_ns.tolist()]


def _part(path: Path, start: int, end: int) -> bytes:
    with opened(path) as content:
        return content[start:end]


def _labels(messages: Messages, places: Ints, stamps_ns: Ints) -> Labels:
    """Return the laser labels of all frames."""
    kind, points, name, box = latest(
        messages.fields(places), len(places), _LABEL_TYPE, _LABEL_POINTS, _LABEL_ID, _LABEL_BOX
    )
    return Labels(
        stamps_ns=stamps_ns,
        ids=messages.texts(name),
        types=kind.varints,
        boxes=_boxes(messages, box.spans),
        points=points.varints,
    )


def _boxes(messages: Messages, places: Ints) -> Floats:
    """Return (m, 7) boxes, NaN where a field is absent."""
    size = len(_USUAL) * _DOUBLE.itemsize
    if (np.diff(places) == size).all():  # all at once
        whole = messages.values(f"V{size}", places[:, 0]).view(_DOUBLE).reshape(-1, len(_USUAL))
        if (whole["tag"] == _USUAL).all():
            values: Floats = whole["value"][:, np.array(_BOX) - 1]
            return values
    boxes, fields = np.full((len(places), 7), np.nan), messages.fields(places)
    for place, value in enumerate(latest(fields, len(places), *_BOX)):
        rows = np.flatnonzero(value.ends - value.starts == 8)
        boxes[rows, place] = messages.values("<f8", value.starts[rows])
    return boxes
