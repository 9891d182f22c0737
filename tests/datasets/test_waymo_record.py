"""Boxes of Waymo's records: those laid out as usual are taken at once, and mean the same."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from impromptu.arrays import Floats
from impromptu.datasets._waymo_record import _boxes
from impromptu.datasets._wire import Messages
from impromptu.miniature.wire import content, doubles, whole


def usual(values: list[float]) -> bytes:
    return b"".join(doubles(number, [value]) for number, value in enumerate(values, start=1))


USUAL = st.lists(st.floats(), min_size=7, max_size=7).map(usual)
FIELD = st.one_of(
    st.builds(doubles, st.integers(1, 8), st.lists(st.floats(), min_size=1, max_size=1)),
    st.builds(whole, st.integers(1, 9), st.integers(0, 2**62)),
    st.builds(content, st.integers(1, 9), st.binary(max_size=20)),
)
OTHER = st.lists(FIELD, max_size=9).map(b"".join)
CHANGE = st.tuples(st.integers(0, 62), st.integers(0, 255))


def boxes(messages: list[bytes]) -> Floats:
    ends = np.cumsum([0, *map(len, messages)])
    return _boxes(Messages(b"".join(messages) or b"-"), np.column_stack([ends[:-1], ends[1:]]))


def one_by_one(messages: list[bytes]) -> Floats:
    """Beside a box of no fields nothing is taken at once."""
    return boxes([*messages, b""])[:-1]


def test_columns_are_ours() -> None:
    given_as = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
    for found in boxes([usual(given_as)] * 2), one_by_one([usual(given_as)] * 2):
        np.testing.assert_array_equal(found, [[1, 2, 3, 5, 4, 6, 7]] * 2)
    assert boxes([]).shape == (0, 7)


@given(st.lists(USUAL, max_size=3), st.lists(USUAL | OTHER, max_size=3))
def test_boxes_of_any_fields(first: list[bytes], more: list[bytes]) -> None:
    both = boxes(first + more)
    np.testing.assert_array_equal(both, one_by_one(first + more))
    np.testing.assert_array_equal(both[: len(first)], boxes(first))


@given(st.lists(USUAL, min_size=1, max_size=3), st.lists(CHANGE, min_size=1, max_size=3))
@example([usual([1.0] * 7)] * 2, [(9, 9)])
@example([usual([1.0] * 7)] * 2, [(54, 65)])
def test_damaged_boxes(whole_ones: list[bytes], changes: list[tuple[int, int]]) -> None:
    """A changed byte may make of a box another, or none."""
    damaged = bytearray(whole_ones[-1])
    for at, value in changes:
        damaged[at] = value
    messages = [*whole_ones[:-1], bytes(damaged)]
    try:
        expected = one_by_one(messages)
    except ValueError as error:
        with pytest.raises(ValueError, match=str(error)):
            boxes(messages)
    else:
        np.testing.assert_array_equal(boxes(messages), expected)
