"""All boxes of a log as its dataset gives them, checked to be one a track and stamp."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from impromptu.arrays import Bools, Floats, Ints
from impromptu.clip import Kind
from impromptu.datasets import LogError


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """All boxes of a log, one a row, in the world frame of the ego's poses.

    Attributes:
        timestamps_ns: (n,).
        ids: The track each box belongs to.
        categories: The dataset's words, as people read them.
        kinds: Ours.
        rotations: (n, 3, 3) box (x forward, z up) to world.
        centers_m: (n, 3).
        sizes_m: (n, 3) length, width, height.
        observed: (n,) whether the sensors saw it.
    """

    timestamps_ns: Ints
    ids: Sequence[str]
    categories: Sequence[str]
    kinds: Sequence[Kind]
    rotations: Floats
    centers_m: Floats
    sizes_m: Floats
    observed: Bools

    def rows(self, order: Ints) -> "Boxes":
        """Return some rows in the order asked for."""
        wanted = order.tolist()
        return Boxes(
            self.timestamps_ns[order],
            list(map(self.ids.__getitem__, wanted)),
            list(map(self.categories.__getitem__, wanted)),
            list(map(self.kinds.__getitem__, wanted)),
            self.rotations[order],
            self.centers_m[order],
            self.sizes_m[order],
            self.observed[order],
        )

    def order(self) -> tuple[Ints, Ints]:
        """Return the rows by track and then by stamp, and the track of each, numbered from 0."""
        tracks = numbered(self.ids)
        rows = np.lexsort([self.timestamps_ns, tracks])
        return rows, tracks[rows]


def numbered(names: Sequence[str]) -> Ints:
    """Return the number of each name among all names in alphabetical order."""
    numbers = {name: number for number, name in enumerate(sorted(set(names)))}
    return np.fromiter(map(numbers.__getitem__, names), np.int64, len(names))


def distinct(boxes: Boxes, source: str, name: Callable[[int], str]) -> Boxes:
    """Leave out boxes that only repeat another of their track and stamp.

    Args:
        boxes: In any order.
        source: The file they are from.
        name: What to call a box in an error, by its place among them: its row or token there.

    Raises:
        LogError: Two boxes of one track and stamp disagree.
    """
    order, tracks = boxes.order()
    again = (np.diff(tracks) == 0) & (np.diff(boxes.timestamps_ns[order]) == 0)
    for at in np.flatnonzero(again):
        first, second = sorted(order[at : at + 2].tolist())
        if not _same(boxes, first, second):
            raise LogError(
                f"{source}: {name(first)} and {name(second)}: two different boxes "
                f"of track {boxes.ids[first]} at {boxes.timestamps_ns[first]} ns; expected one box "
                "a track and stamp: download the file again, or take one of the two out"
            )
    return boxes.rows(np.sort(order[np.append(True, ~again)])) if again.any() else boxes


def _same(boxes: Boxes, first: int, second: int) -> bool:
    texts = boxes.categories, boxes.kinds
    arrays = boxes.rotations, boxes.centers_m, boxes.sizes_m, boxes.observed
    return all(text[first] == text[second] for text in texts) and all(
        np.array_equal(array[first], array[second]) for array in arrays
    )
