"""TFRecord framing: published checksums, and files cut or changed anywhere."""

import os
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from impromptu.tfrecord import crc32c, framed, masked_crc32c, opened, spans


def slow_crc32c(data: bytes) -> int:
    """Divide bit by bit, as the definition says."""
    state = 0xFFFFFFFF
    for byte in data:
        state ^= byte
        for _ in range(8):
            state = (state >> 1) ^ (0x82F63B78 if state & 1 else 0)
    return state ^ 0xFFFFFFFF


@pytest.mark.parametrize(
    ("data", "crc"),
    (
        (b"", 0),
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
    ),
)
def test_published_checksums(data: bytes, crc: int) -> None:
    """RFC 3720 appendix B.4, and the catalogue's check value."""
    assert crc32c(data) == crc


@given(st.binary(max_size=40), st.sampled_from((0, 215, 216, 256, 512, 700)))
def test_long_data_is_summed_as_bit_by_bit(part: bytes, padding: int) -> None:
    data = part + bytes(i * 37 % 256 for i in range(padding)) + part
    assert crc32c(data) == slow_crc32c(data)


def write(path: Path, *payloads: bytes) -> Path:
    path.write_bytes(b"".join(map(framed, payloads)))
    return path


def read(path: Path) -> list[bytes]:
    with opened(path) as content:
        return [content[start:end] for start, end in spans(content)]


def test_a_frame_is_laid_out_as_published(tmp_path: Path) -> None:
    record = framed(b"abc")
    assert record[:8] == struct.pack("<Q", 3)
    assert struct.unpack("<I", record[8:12])[0] == masked_crc32c(record[:8])
    assert record[12:15] == b"abc"
    crc = slow_crc32c(b"abc")
    masked = ((crc >> 15 | crc << 17) % 2**32 + 0xA282EAD8) % 2**32
    assert struct.unpack("<I", record[15:])[0] == masked


@pytest.mark.parametrize("payloads", ((), (b"",), (b"a", b"", b"b" * 9000, b"c")))
def test_what_is_framed_is_found(tmp_path: Path, payloads: tuple[bytes, ...]) -> None:
    assert read(write(tmp_path / "a", *payloads)) == list(payloads)


def test_parts_are_read_one_after_another(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(bytes(range(100)))
    with opened(path) as content:
        assert len(content) == 100
        assert content.parts(np.array([90, 3, 50]), np.array([2, 1, 0])) == bytes([90, 91, 3])


def test_a_part_that_is_gone_by_now_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(bytes(100))
    with opened(path) as content:
        os.truncate(path, 95)
        with pytest.raises(ValueError, match="byte 90: the file ends within 10 bytes"):
            content.parts(np.array([0, 90]), np.array([10, 10]))


def test_a_file_cut_anywhere_is_told_from_a_whole_one(tmp_path: Path) -> None:
    path = write(tmp_path / "a", b"first", b"second")
    whole, first = path.read_bytes(), len(framed(b"first"))
    for size in range(1, len(whole)):
        path.write_bytes(whole[:size])
        if size == first:
            assert read(path) == [b"first"]
            continue
        number, start = (1, 0) if size < first else (2, first)
        with pytest.raises(ValueError, match=f"record {number} at byte {start}: .*{size} bytes"):
            read(path)


@given(st.integers(0, 11), st.integers(0, 7))
def test_any_flipped_bit_of_a_length_is_noticed(
    tmp_path_factory: pytest.TempPathFactory, at: int, bit: int
) -> None:
    record = bytearray(framed(b"payload"))
    record[at] ^= 1 << bit
    path = tmp_path_factory.mktemp("record") / "a"
    path.write_bytes(record)
    with pytest.raises(ValueError, match="record 1 at byte 0: the checksum of its length"):
        read(path)
