"""Protobuf messages: walked in a file and in memory alike, whatever the order of fields."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from impromptu.datasets._wire import Messages, fields
from impromptu.miniature.wire import content, doubles, whole
from impromptu.tfrecord import RandomFile

FIELD = st.one_of(
    st.builds(whole, st.integers(1, 2000), st.integers(0, 2**62)),
    st.builds(content, st.integers(1, 2000), st.binary(max_size=300)),
    st.builds(doubles, st.integers(1, 2000), st.lists(st.floats(), min_size=1, max_size=1)),
)
MESSAGES = st.lists(st.lists(FIELD, max_size=5).map(b"".join), min_size=1, max_size=4)


def in_file(path: Path, data: bytes) -> list[tuple[int, int, bytes]]:
    path.write_bytes(b"xx" + data + b"\xff" * 30)
    with RandomFile(path) as file:
        found = list(fields(file, 2, 2 + len(data)))
    return [(number, value, data[first - 2 : last - 2]) for number, value, first, last in found]


def in_memory(messages: list[bytes]) -> list[list[tuple[int, int, bytes]]]:
    data, ends = b"".join(messages), np.cumsum([len(message) for message in messages])
    found: list[list[tuple[int, int, bytes]]] = [[] for _ in messages]
    for c in Messages(data).fields(np.append(0, ends)[:-1], ends):
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
def test_both_walks_find_the_same_fields(
    tmp_path_factory: pytest.TempPathFactory, messages: list[bytes]
) -> None:
    path = tmp_path_factory.mktemp("wire") / "a"
    one_by_one = [in_file(path, message) for message in messages]
    for alone, beside in zip(one_by_one, in_memory(messages), strict=True):
        assert [(n, raw) for n, _, raw in alone] == [(n, raw) for n, _, raw in beside]
        # A varint is told where there is one; elsewhere it means nothing.
        both = zip(alone, beside, strict=True)
        assert all(value in (0, other) for (_, value, _), (_, other, _) in both)


def test_doubles_are_read_where_they_lie() -> None:
    data = doubles(1, [0.5, -2.25])
    np.testing.assert_array_equal(Messages(data).doubles(np.array([1, 10])), [0.5, -2.25])


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
def test_bytes_that_are_no_message_are_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(ValueError, match="byte 2: .*protobuf field"):
        in_file(tmp_path / "a", data)
    with pytest.raises(ValueError, match="not a protobuf message"):
        in_memory([data])


@given(st.lists(st.binary(max_size=60), min_size=1, max_size=3))
def test_noise_ends_in_fields_or_in_an_error(messages: list[bytes]) -> None:
    try:
        found = in_memory(messages)
    except ValueError as error:
        assert "protobuf" in str(error)
    else:
        assert len(found) == len(messages)
