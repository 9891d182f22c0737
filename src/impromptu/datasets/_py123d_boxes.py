"""The boxes of a py123d log, which it keeps in the world frame."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from impromptu.arrays import Ints
from impromptu.clip import Kind
from impromptu.datasets import LogError
from impromptu.datasets._boxes import Boxes, distinct
from impromptu.datasets._py123d_arrow import (
    ADVICE,
    STAMP,
    WXYZ_XYZ,
    File,
    flat_numbers,
    read_file,
)
from impromptu.datasets._py123d_labels import EGO, LABELS
from impromptu.poses import poses

_BOX, _TRACK, _LABEL, _POINTS = "bounding_box_se3", "track_token", "label", "num_lidar_points"
_LISTS = {
    _BOX: pa.list_(pa.list_(pa.float64(), 10)),
    _TRACK: pa.list_(pa.string()),
    _LABEL: pa.list_(pa.uint16()),
    _POINTS: pa.list_(pa.int32()),
}
_LARGEST_M = 1e3
_UNKNOWN: tuple[str, Kind] = ("", "object")


def read_boxes(path: Path) -> tuple[Boxes | None, Ints, Ints]:
    """Return the sound boxes, the stamps of frames with an unsound one, and all stamps.

    Raises:
        LogError: The file is damaged, its labels are of no known list, or two boxes of one track
            and stamp disagree.
    """
    if not path.is_file():
        none = np.empty(0, np.int64)
        return None, none, none
    file = read_file(path, {STAMP: pa.int64(), **_LISTS})
    words, frames_ns = _words(file), file.stamps_ns()
    frame, lists = _side_by_side(file)
    numbers, labels = flat_numbers(lists[_BOX], 10), lists[_LABEL].fill_null(2**16 - 1).to_numpy()
    known = [words[label] if label < len(words) else _UNKNOWN for label in labels.tolist()]
    placed, sizes_m = poses(numbers[:, WXYZ_XYZ]), numbers[:, 7:]
    boxes = Boxes(
        timestamps_ns=frames_ns[frame],
        ids=lists[_TRACK].to_pylist(),
        categories=[word for word, _ in known],
        kinds=[kind for _, kind in known],
        rotations=placed.rotations,
        centers_m=placed.translations_m,
        sizes_m=sizes_m,
        observed=lists[_POINTS].fill_null(1).to_numpy() > 0,
    )
    sound = placed.valid & ((sizes_m > 0) & (sizes_m < _LARGEST_M)).all(axis=-1)
    sound &= (labels < len(words)) & np.array([bool(track) for track in boxes.ids], dtype=bool)
    other = np.array([word != EGO for word, _ in known], dtype=bool)
    good = np.flatnonzero(sound & other)
    kept = distinct(boxes.rows(good), str(path), lambda place: f"row {frame[good[place]] + 1}")
    return kept, np.unique(boxes.timestamps_ns[~sound]), np.unique(frames_ns)


def _words(file: File) -> Sequence[tuple[str, Kind]]:
    """Return the word and kind of each label number; a class is looked up, never imported."""
    listed = str(file.metadata.get("box_detection_label_class")).rpartition(".")[2]
    if listed not in LABELS:
        raise LogError(
            f"{file.path}: metadata: labels are of the class {listed}; known are "
            f"{', '.join(LABELS)}: {ADVICE}"
        )
    return LABELS[listed]


def _side_by_side(file: File) -> tuple[Ints, Mapping[str, pa.Array]]:
    """Flatten the lists of all frames: the frame of each box, and its values.

    Raises:
        LogError: The lists of one frame are of different lengths.
    """
    columns = {name: file.columns[name].combine_chunks() for name in _LISTS}
    counts = {name: np.asarray(column.value_lengths()) for name, column in columns.items()}
    for name, count in counts.items():
        if (wrong := np.flatnonzero(count != counts[_LABEL])).size:
            raise LogError(
                f"{file.path}: row {wrong[0] + 1}: {count[wrong[0]]} of {name} and "
                f"{counts[_LABEL][wrong[0]]} of {_LABEL}; expected one a box: {ADVICE}"
            )
    frame = np.repeat(np.arange(len(counts[_LABEL])), counts[_LABEL])
    return frame, {name: column.flatten() for name, column in columns.items()}
