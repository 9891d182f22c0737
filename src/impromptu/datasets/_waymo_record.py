"""Read a Waymo perception v1 record: a few fields of each frame, and nothing of the lidar.

Field numbers are those of ``waymo.open_dataset.Frame`` and the messages in it
(https://github.com/waymo-research/waymo-open-dataset, dataset.proto and label.proto).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

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
from impromptu.datasets._wire import Messages, fields
from impromptu.tfrecord import RandomFile, spans

_CONTEXT, _STAMP, _POSE, _IMAGES, _LASER_LABELS = 1, 2, 3, 4, 6
_CALIBRATIONS = 2
_CAMERA, _INTRINSIC, _EXTRINSIC, _WIDTH, _HEIGHT = 1, 2, 3, 4, 5
_IMAGE_CAMERA, _JPEG, _IMAGE_POSE = 1, 2, 3
_TRANSFORM = 1
_LABEL_BOX, _LABEL_TYPE, _LABEL_ID, _LABEL_POINTS = 1, 3, 4, 7
_BOX = {1: 0, 2: 1, 3: 2, 5: 3, 4: 4, 6: 5, 7: 6}
"""Column of each field of a box; on the wire width comes before length."""
_Span = tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class _Frame:
    """What is wanted of one frame: its stamp, its pose, and where the rest lies."""

    stamp_ns: int
    transform: Floats
    context: _Span
    images: Sequence[_Span]
    labels: Sequence[_Span]


def read_record(file: RandomFile) -> Segment:
    """Read all frames' stamps, poses and labels; images are read when they are asked for.

    Raises:
        ValueError: The file is cut short, its framing is damaged, or a frame is no message.
    """
    frames = [_frame(file, *span) for span in spans(file)]
    # Of frames with one stamp the first has the images; that their poses agree is checked later.
    by_stamp = {frame.stamp_ns: frame for frame in reversed(frames)}
    calibrations = [_calibrations(file, *frame.context) for frame in frames[:1]]
    return Segment(
        stamps_ns=np.array([frame.stamp_ns for frame in frames], dtype=np.int64),
        world_SE3_ego=rigid(np.array([f.transform for f in frames]).reshape(-1, 16)),
        labels=_labels(file, frames),
        calibrations=calibrations[0] if calibrations else {},
        images=lambda stamp_ns: _images(file, by_stamp[stamp_ns].images),
    )


def _frame(file: RandomFile, start: int, end: int) -> _Frame:
    stamp_ns, transform, context = 0, np.full(16, np.nan), (start, start)
    images: list[_Span] = []
    labels: list[_Span] = []
    for number, value, first, last in fields(file, start, end):
        if number == _STAMP:
            stamp_ns = value * 1000
        elif number == _POSE:
            transform = _transform(file, first, last)
        elif number == _CONTEXT:
            context = first, last
        elif number == _IMAGES:
            images.append((first, last))
        elif number == _LASER_LABELS:
            labels.append((first, last))
    if not 0 < stamp_ns < 2**62:
        raise ValueError(f"byte {start}: a frame without a stamp; is this a perception record?")
    return _Frame(stamp_ns, transform, context, images, labels)


def _doubles(file: RandomFile, spans_: Sequence[_Span]) -> Floats:
    """Return repeated doubles, packed or not."""
    return np.frombuffer(b"".join(_eights(file.read(*span)) for span in spans_), dtype="<f8")


def _eights(value: bytes) -> bytes:
    return value[: len(value) // 8 * 8]


def _transform(file: RandomFile, start: int, end: int) -> Floats:
    """Return the (16,) values of a ``Transform``, NaN if there are not 16."""
    places = [(first, last) for n, _, first, last in fields(file, start, end) if n == _TRANSFORM]
    values = _doubles(file, places)
    return values if len(values) == 16 else np.full(16, np.nan)


def _calibrations(file: RandomFile, start: int, end: int) -> Mapping[int, Calibration]:
    """Read the cameras of a context; one without four intrinsics is left out."""
    found = {}
    for number, _, first, last in fields(file, start, end):
        if number == _CALIBRATIONS:
            parts = list(fields(file, first, last))
            numbers = {number: value for number, value, _, _ in parts}
            inner = _doubles(file, [(a, b) for number, _, a, b in parts if number == _INTRINSIC])
            outer = [(a, b) for number, _, a, b in parts if number == _EXTRINSIC]
            if len(inner) >= 4 and outer:
                found[numbers.get(_CAMERA, 0)] = Calibration(
                    (numbers.get(_WIDTH, 0), numbers.get(_HEIGHT, 0)),
                    pinhole(*inner[:4]),
                    camera_pose(_transform(file, *outer[0])),
                )
    return found


def _images(file: RandomFile, places: Sequence[_Span]) -> Mapping[int, Image]:
    found: dict[int, Image] = {}
    for start, end in places:
        camera, transform, jpeg = 0, np.full(16, np.nan), (start, start)
        for number, value, first, last in fields(file, start, end):
            if number == _IMAGE_CAMERA:
                camera = value
            elif number == _IMAGE_POSE:
                transform = _transform(file, first, last)
            elif number == _JPEG:
                jpeg = first, last
        content = partial(file.read, *jpeg)
        found.setdefault(camera, Image(jpeg[1] - jpeg[0], content, rigid(transform)))
    return found


def _labels(file: RandomFile, frames: Sequence[_Frame]) -> Labels:
    """Read the laser labels of all frames side by side."""
    parts = [file.read(*span) for frame in frames for span in frame.labels]
    ends = np.cumsum([len(part) for part in parts], dtype=np.int64)
    starts = np.append(0, ends)[:-1]
    data, count = b"".join(parts), len(parts)
    messages, id_spans = Messages(data), np.zeros((count, 2), np.int64)
    types, points, box_spans = np.zeros(count, np.int64), np.zeros(count, np.int64), id_spans.copy()
    for column in messages.fields(starts, ends):
        box, kind, name, seen = (
            column.of(number) for number in (_LABEL_BOX, _LABEL_TYPE, _LABEL_ID, _LABEL_POINTS)
        )
        types[kind.rows], points[seen.rows] = kind.varints, seen.varints
        id_spans[name.rows] = np.column_stack([name.starts, name.ends])
        box_spans[box.rows] = np.column_stack([box.starts, box.ends])
    return Labels(
        stamps_ns=np.repeat([f.stamp_ns for f in frames], [len(f.labels) for f in frames]),
        ids=[data[first:last].decode("utf-8", "replace") for first, last in id_spans.tolist()],
        types=types,
        boxes=_boxes(messages, box_spans),
        points=points,
    )


def _boxes(messages: Messages, box_spans: Ints) -> Floats:
    """Return (m, 7) boxes, NaN where a field is absent."""
    boxes = np.full((len(box_spans), 7), np.nan)
    for column in messages.fields(*box_spans.T):
        for number, place in _BOX.items():
            mine = column.of(number)
            eight = mine.ends - mine.starts == 8
            boxes[mine.rows[eight], place] = messages.doubles(mine.starts[eight])
    return boxes
