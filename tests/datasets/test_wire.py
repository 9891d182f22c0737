"""Protobuf messages: walked side by side, whatever the order of fields."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from impromptu.datasets._wire import Messages
from impromptu.miniature.wire import content, doubles, whole

FIELD = st.one_of(
    st.builds(whole, st.integers(1, 2000), st.integers(0, 2**62)),
    st.builds(content, st.integers(1, 2000), st.binary(max_size=300)),
    st.builds(doubles, st.integers(1, 2000), st.lists(st.floats(), min_size=1, max_size=1)),
)
MESSAGES = st.lists(st.lists(FIELD, max_size=5).map(b"".join), min_size=1, max_size=4)


def varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value, shift, at = value | (data[at] & 127) << shift, shift + 7, at + 1
        if data[at - 1] < 128:
            return value, at


def one_by_one(data: bytes) -> list[tuple[int, int, bytes]]:
    """Walk a sound message as the documentation describes it."""
    found, at = [], 0
    while at < len(data):
        tag, first = varint(data, at)
        value = 0
        if tag & 7 == 0:
            value, at = varint(data, first)
        elif tag & 7 == 1:
            at = first + 8
        else:
            length, first = varint(data, first)
            at = first + length
        found.append((tag >> 3, value, data[first:at]))
    return found


def in_memory(messages: list[bytes]) -> list[list[tuple[int, int, bytes]]]:
    data, ends = b"".join(messages), np.cumsum([len(message) for message in messages])
    found: list[list[tuple[int, int, bytes]]] = [[] for _ in messages]
    places = np.column_stack([np.append(0, ends)[:-1], ends])
    for c in Messages(np.frombuffer(data or b"-", np.uint8)).fields(places):
        rows = np.column_stack([c.rows, c.numbers, c.varints, c.starts, c.ends]).tolist()
        for row, number, value, first, last in rows:
            found[row].append((number, value, data[first:last]))
    return found


def test_the_documented_example() -> None:
    """Field 1 holding 150 is 08 96 01; field 2 holding ``testing`` begins with 12 07."""
    assert whole(1, 150) == bytes.fromhex("089601")
    assert content(2, b"testing") == bytes.fromhex("120774657374696e67")
    ((number, value, _),) = in_memory([whole(1, 150)])[0]
    assert (number, value) == (1, 150)


@given(MESSAGES)
def test_side_by_side_finds_what_one_by_one_does(messages: list[bytes]) -> None:
    for message, beside in zip(messages, in_memory(messages), strict=True):
        alone = one_by_one(message)
        assert [(n, raw) for n, _, raw in alone] == [(n, raw) for n, _, raw in beside]
        # A varint is told where there is one; elsewhere it means nothing.
        both = zip(alone, beside, strict=True)
        assert all(value in (0, other) for (_, value, _), (_, other, _) in both)


def test_repeated_doubles_packed_or_not() -> None:
    packed = content(7, doubles(1, [1])[1:] + doubles(1, [2])[1:])
    parts = [doubles(7, [1, 2, 3]), packed, doubles(7, [1]) + whole(7, 9) + doubles(8, [4]), b""]
    ends = np.cumsum([len(part) for part in parts])
    places = np.column_stack([np.append(0, ends)[:-1], ends])
    found = Messages(np.frombuffer(b"".join(parts), np.uint8)).repeated(places, 7, 2)
    expected = np.array([[1, 2], [1, 2], [1, np.nan], [np.nan, np.nan]])
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    "data",
    (
        b"\x0b",  # a group, which no message here has
        b"\x0a\x05abc",  # five bytes, of which three are there
        b"\x09\x00\x00",  # a double of two bytes
        b"\x08",  # no value
        b"\x08\xff",  # a number without an end
        b"\x0a" + b"\xff" * 12,
        b"\x80",
    ),
)
def test_bytes_that_are_no_message_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="byte 2: not a protobuf field"):
        in_memory([whole(1, 1), data])


@given(st.lists(st.binary(max_size=60), min_size=1, max_size=3))
def test_noise_ends_in_fields_or_in_an_error(messages: list[bytes]) -> None:
    try:
        found = in_memory(messages)
    except ValueError as error:
        assert "protobuf" in str(error)
    else:
        assert len(found) == len(messages)
