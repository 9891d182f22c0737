"""Protobuf messages: walked side by side, whatever the order of fields."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from impromptu.arrays import Ints
from impromptu.datasets._wire import Column, Messages, every, latest, read, skim
from impromptu.miniature.wire import content, doubles, whole
from impromptu.tfrecord import opened

FIELD = st.one_of(
    st.builds(whole, st.integers(1, 2000), st.integers(0, 2**62)),
    st.builds(content, st.integers(1, 2000), st.binary(max_size=300)),
    st.builds(doubles, st.integers(1, 2000), st.lists(st.floats(), min_size=1, max_size=1)),
)
LONG = st.builds(content, st.integers(1, 20), st.sampled_from((400, 5000, 40_000)).map(bytes))
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


def laid_out(messages: list[bytes]) -> Ints:
    """Return where each message lies when one follows the other."""
    ends = np.cumsum([len(message) for message in messages])
    return np.column_stack([np.append(0, ends)[:-1], ends])


def by_message(
    columns: Iterable[Column], data: bytes, count: int
) -> list[list[tuple[int, int, bytes]]]:
    found: list[list[tuple[int, int, bytes]]] = [[] for _ in range(count)]
    for c in columns:
        rows = np.column_stack([c.rows, c.varints, c.starts, c.ends]).tolist()
        for row, value, first, last in rows:
            found[row].append((c.number, value, data[first:last]))
    return found


def in_memory(messages: list[bytes]) -> list[list[tuple[int, int, bytes]]]:
    data = b"".join(messages) or b"-"
    return by_message(Messages(data).fields(laid_out(messages)), data, len(messages))


def in_file(messages: list[bytes], path: Path) -> list[list[tuple[int, int, bytes]]]:
    data = b"".join(messages)
    path.write_bytes(data)
    with opened(path) as content:
        return by_message(skim(content, laid_out(messages))[0], data, len(messages))


def agrees(alone: list[tuple[int, int, bytes]], beside: list[tuple[int, int, bytes]]) -> None:
    assert [(n, raw) for n, _, raw in alone] == [(n, raw) for n, _, raw in beside]
    # A varint is told where there is one; elsewhere it means nothing.
    both = zip(alone, beside, strict=True)
    assert all(value in (0, other) for (_, value, _), (_, other, _) in both)


def test_the_documented_example() -> None:
    """Field 1 holding 150 is 08 96 01; field 2 holding ``testing`` begins with 12 07."""
    assert whole(1, 150) == bytes.fromhex("089601")
    assert content(2, b"testing") == bytes.fromhex("120774657374696e67")
    ((number, value, _),) = in_memory([whole(1, 150)])[0]
    assert (number, value) == (1, 150)


@given(MESSAGES)
def test_side_by_side_finds_what_one_by_one_does(messages: list[bytes]) -> None:
    for message, beside in zip(messages, in_memory(messages), strict=True):
        agrees(one_by_one(message), beside)


@given(st.lists(st.lists(FIELD | LONG, max_size=30).map(b"".join), min_size=1, max_size=4))
def test_a_file_is_walked_as_memory_is(
    tmp_path_factory: pytest.TempPathFactory, messages: list[bytes]
) -> None:
    path = tmp_path_factory.mktemp("skim") / "a"
    for message, beside in zip(messages, in_file(messages, path), strict=True):
        agrees(one_by_one(message), beside)


@pytest.mark.parametrize("size", range(470, 520))
def test_a_head_at_the_end_of_a_block_is_read_whole(tmp_path: Path, size: int) -> None:
    message = content(1, bytes(size)) + content(2000, bytes(300)) + whole(2000, 2**62)
    (found,) = in_file([message], tmp_path / "a")
    agrees(one_by_one(message), found)


def test_what_is_wrong_in_a_file_is_told_by_its_place(tmp_path: Path) -> None:
    messages = [content(1, bytes(90_000)), content(1, bytes(70_000)) + b"\x0b"]
    with pytest.raises(ValueError, match=f"byte {90_004 + 70_004}: not a protobuf field"):
        in_file(messages, tmp_path / "a")


def test_parts_keep_their_bytes_and_their_order(tmp_path: Path) -> None:
    data = np.random.default_rng(0).bytes(100_000)
    (tmp_path / "a").write_bytes(data)
    places = np.array([[90_000, 90_010], [0, 0], [5, 9], [9, 20], [60_000, 60_000], [400, 99_00]])
    with opened(tmp_path / "a") as content:
        messages, moved = read(content, places)
        nothing, none = read(content, places[:0])
    assert len(messages.data) < 12_000 and len(none) == 0
    for (first, last), (start, end) in zip(places.tolist(), moved.tolist(), strict=True):
        assert messages.data[start:end] == data[first:last]
    assert list(nothing.fields(none)) == []


def test_of_several_the_last_counts() -> None:
    messages = [whole(3, 5) + content(1, b"ab") + whole(3, 6), b"", whole(3, 7) + whole(9, 1)]
    walked = list(Messages(b"".join(messages)).fields(laid_out(messages)))
    three, one, eight = latest(walked, 3, 3, 1, 8)
    assert three.varints.tolist() == [6, 0, 7]
    assert one.spans.tolist() == [[4, 6], [0, 0], [0, 0]]
    assert not eight.spans.any()
    assert every(walked, 3).rows.tolist() == [0, 0, 2]
    assert every(walked, 3).varints.tolist() == [5, 6, 7]
    assert len(every(walked, 8).rows) == 0


@pytest.mark.parametrize(
    "names",
    ([b"ab", b"", b"c"], ["aé".encode(), b"b", b"\xff-"], [b"a\0", b"\xff\0", b"a\0"], [b""] * 3),
)
def test_texts_are_utf_8(names: list[bytes]) -> None:
    parts = [content(4, name) + whole(3, 200) for name in names]
    messages = Messages(b"".join(parts))
    (column,) = latest(messages.fields(laid_out(parts)), 3, 4)
    assert messages.texts(column) == [name.decode("utf-8", "replace") for name in names]


def test_what_is_held_is_not_read_again(tmp_path: Path) -> None:
    messages = [content(1, bytes(100_000)) + content(2, b"a" * size) for size in (300, 9)]
    (tmp_path / "a").write_bytes(data := b"".join(messages))
    with opened(tmp_path / "a") as file:
        found, last = skim(file, laid_out(messages))
        inside, long = every(found, 2).spans, every(found, 1).spans
        held, moved = read(file, inside, last)
        assert held is last
        assert [held.data[a:b] for a, b in moved.tolist()] == [b"a" * 300, b"a" * 9]
        for places in (long, inside[:1] + [0, 10], inside[::-1] - [10, 0]):
            again, moved = read(file, places, last)
            assert again is not last
            assert [again.data[a:b] for a, b in moved.tolist()] == [
                data[a:b] for a, b in places.tolist()
            ]


def test_repeated_doubles_packed_or_not() -> None:
    packed = content(7, doubles(1, [1])[1:] + doubles(1, [2])[1:])
    parts = [doubles(7, [1, 2, 3]), packed, doubles(7, [1]) + whole(7, 9) + doubles(8, [4]), b""]
    messages = Messages(b"".join(parts))
    found = messages.repeated(every(messages.fields(laid_out(parts)), 7), 4, 2)
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
