"""Boxes of one track and stamp: repeated ones count once, different ones are a fault."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from impromptu.datasets import LogError
from impromptu.datasets._boxes import Boxes, distinct


def boxes(keys: list[tuple[int, int]]) -> Boxes:
    """Return a box for each (track, stamp), in a place of that track and stamp."""
    count = len(keys)
    return Boxes(
        timestamps_ns=np.array([stamp for _, stamp in keys], dtype=np.int64),
        ids=[f"{track}" for track, _ in keys],
        categories=["car"] * count,
        kinds=["vehicle"] * count,
        rotations=np.tile(np.eye(3), (count, 1, 1)),
        centers_m=np.array([(track, stamp, 0.0) for track, stamp in keys]).reshape(-1, 3),
        sizes_m=np.ones((count, 3)),
        observed=np.ones(count, dtype=bool),
    )


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=20))
def test_the_first_of_each_track_and_stamp_is_kept_in_order(keys: list[tuple[int, int]]) -> None:
    found = distinct(boxes(keys), "file", str)
    left = list(zip(map(int, found.ids), found.timestamps_ns.tolist(), strict=True))
    assert left == list(dict.fromkeys(keys))


THREE = boxes([(1, 5), (0, 5), (1, 5)])
LAST = np.array([0, 0, 1])


@pytest.mark.parametrize(
    "spoiled",
    [
        replace(THREE, centers_m=THREE.centers_m + 0.1 * LAST[:, None]),
        replace(THREE, sizes_m=THREE.sizes_m + 0.1 * LAST[:, None]),
        replace(THREE, rotations=THREE.rotations + 0.1 * LAST[:, None, None]),
        replace(THREE, observed=LAST == 0),
        replace(THREE, categories=["car", "car", "bus"]),
        replace(THREE, kinds=["vehicle", "vehicle", "object"]),
    ],
)
def test_two_that_differ_in_anything_are_named(spoiled: Boxes) -> None:
    with pytest.raises(LogError, match="file: row 3 and row 8: two different boxes of track 1 at"):
        distinct(spoiled, "file", ["row 3", "row 4", "row 8"].__getitem__)
