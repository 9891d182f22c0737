"""Write protobuf messages field by field, without generated code."""

import struct
from collections.abc import Iterable

_VARINT, _FIXED64, _BYTES = 0, 1, 2


def _varint(value: int) -> bytes:
    """Return seven bits a byte, low ones first."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def whole(field: int, value: int) -> bytes:
    """Return a field with an integer or enum, not negative."""
    return _varint(field << 3 | _VARINT) + _varint(value)


def doubles(field: int, values: Iterable[float]) -> bytes:
    """Return a double field, repeated for each value, not packed."""
    tag = _varint(field << 3 | _FIXED64)
    return b"".join(tag + struct.pack("<d", value) for value in values)


def content(field: int, value: bytes) -> bytes:
    """Return a field with bytes, a text's bytes, or a message."""
    return _varint(field << 3 | _BYTES) + _varint(len(value)) + value
