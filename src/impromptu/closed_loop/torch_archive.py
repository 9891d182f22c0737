"""Read an image that ``torch.save`` wrote, without torch and without running its pickle.

The archive is a zip whose entries are stored as they are. ``*/data.pkl`` is a program that makes
a tensor, ``*/data/0`` are the tensor's bytes. The one program that makes a contiguous uint8
tensor of H x W x 3 is known: any other is refused, and none is run.
"""

import pickletools
import struct
import zlib
from collections.abc import Iterator
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

MAX_SIDE_PX = 8_192
_MAX_ENTRIES = 64
_MAX_PROGRAM = 4_096
_STORED = 0
_END = struct.Struct("<4s4H2IH")
_ENTRY = struct.Struct("<4s6H3I5H2I")
_LOCAL = struct.Struct("<4s5H3I2H")
_INTEGERS = ("BININT", "BININT1", "BININT2")
_MEMO = ("BINPUT", "LONG_BINPUT")
_PROGRAM = (
    ("PROTO", 2),
    ("GLOBAL", "torch._utils _rebuild_tensor_v2"),
    ("MARK", None),
    ("MARK", None),
    ("BINUNICODE", "storage"),
    ("GLOBAL", "torch ByteStorage"),
    ("BINUNICODE", "0"),
    ("BINUNICODE", "any device"),
    ("INTEGER", "length"),
    ("TUPLE", None),
    ("BINPERSID", None),
    ("INTEGER", "offset"),
    *(("INTEGER", name) for name in ("height", "width", "channels")),
    ("TUPLE3", None),
    *(("INTEGER", name) for name in ("row step", "column step", "channel step")),
    ("TUPLE3", None),
    ("NEWFALSE", None),
    ("GLOBAL", "collections OrderedDict"),
    ("EMPTY_TUPLE", None),
    ("REDUCE", None),
    ("TUPLE", None),
    ("REDUCE", None),
    ("STOP", None),
)
"""What ``torch.save`` writes of a uint8 tensor of three dimensions; what is stored is left out."""


def read_rgb(archive: bytes) -> NDArray[np.uint8]:
    """Return the (H, W, 3) image of an archive; it shares the archive's memory.

    Raises:
        ValueError: It is no archive, or holds anything but one such tensor.
    """
    entries = dict(_entries(archive))
    programs = [name for name in entries if name.endswith("/data.pkl")]
    if len(programs) != 1:
        raise ValueError(f"expected a torch archive with one */data.pkl, found {len(programs)}")
    folder = programs[0].removesuffix("/data.pkl")
    height, width = _shape(bytes(entries[programs[0]]))
    pixels = entries.get(f"{folder}/data/0")
    if pixels is None or len(pixels) != height * width * 3:
        found = "none" if pixels is None else f"{len(pixels)}"
        raise ValueError(
            f"expected {height * width * 3} bytes of a {height} x {width} x 3 tensor in "
            f"{folder}/data/0, found {found}"
        )
    return np.frombuffer(pixels, np.uint8).reshape(height, width, 3)


def _entries(archive: bytes) -> Iterator[tuple[str, memoryview]]:
    """Yield the names and bytes of a zip's entries, by its table at the end.

    Raises:
        ValueError: It is no zip, or one that ``torch.save`` does not write.
    """
    whole = memoryview(archive)
    if len(whole) < _END.size or bytes(whole[-_END.size :][:4]) != b"PK\5\6":
        raise ValueError("expected a torch archive, which is a zip; it has no table at its end")
    *_, count, size, at, _ = _END.unpack(whole[-_END.size :])
    if count > _MAX_ENTRIES or at + size > len(whole):
        raise ValueError(f"expected a torch archive of one tensor, found {count} entries")
    for _ in range(count):
        row = whole[at : at + _ENTRY.size]
        if len(row) < _ENTRY.size or bytes(row[:4]) != b"PK\1\2":
            raise ValueError("the archive's table of entries is damaged")
        _, _, _, _, method, _, _, crc, packed, size, *lengths, _, _, _, start = _ENTRY.unpack(row)
        name_end = at + _ENTRY.size + lengths[0]
        name = bytes(whole[at + _ENTRY.size : name_end]).decode("utf-8", "replace")
        if method != _STORED or packed != size:
            raise ValueError(f"{name}: compressed; torch.save stores its entries as they are")
        yield name, _content(whole, name, start, size, crc)
        at += _ENTRY.size + sum(lengths)


def _content(whole: memoryview, name: str, start: int, size: int, crc: int) -> memoryview:
    header = whole[start : start + _LOCAL.size]
    if len(header) < _LOCAL.size or bytes(header[:4]) != b"PK\3\4":
        raise ValueError(f"{name}: not where the archive's table says")
    start += _LOCAL.size + sum(_LOCAL.unpack(header)[-2:])
    content = whole[start : start + size]
    if len(content) != size or zlib.crc32(content) != crc:
        raise ValueError(f"{name}: cut short or damaged")
    return content


def _shape(program: bytes) -> tuple[int, int]:
    """Return height and width of the tensor that a pickle would make.

    Raises:
        ValueError: It would make, or do, anything else.
    """
    if len(program) > _MAX_PROGRAM:
        raise ValueError(f"data.pkl of {len(program)} bytes; that of one tensor has less than 200")
    integers = dict[str, int]()
    for expected, found in zip_longest(_PROGRAM, _steps(program), fillvalue=("nothing", None)):
        if found[0] == "INTEGER" == expected[0]:
            integers[str(expected[1])] = found[1]  # type: ignore[assignment]
        elif found != expected and (found[0], expected[1]) != ("BINUNICODE", "any device"):
            raise ValueError(
                "expected the pickle of a contiguous uint8 tensor H x W x 3, which is not run; "
                f"found {_told(found)} in place of {_told(expected)}"
            )
    return _sound(**{name.replace(" ", "_"): value for name, value in integers.items()})


def _steps(program: bytes) -> Iterator[tuple[str, object]]:
    for step, value, _ in pickletools.genops(program):
        if step.name not in _MEMO:
            yield "INTEGER" if step.name in _INTEGERS else step.name, value


def _told(step: tuple[str, object]) -> str:
    return step[0] if step[1] is None else f"{step[0]} {step[1]!r:.60}"


def _sound(
    length: int,
    offset: int,
    height: int,
    width: int,
    channels: int,
    row_step: int,
    column_step: int,
    channel_step: int,
) -> tuple[int, int]:
    steps = row_step, column_step, channel_step
    if channels != 3 or not 0 < height <= MAX_SIDE_PX or not 0 < width <= MAX_SIDE_PX:
        raise ValueError(
            f"expected a tensor H x W x 3 with sides up to {MAX_SIDE_PX}, got "
            f"{height} x {width} x {channels}"
        )
    if offset or length != height * width * 3 or steps != (3 * width, 3, 1):
        raise ValueError(
            f"expected a contiguous tensor alone in its storage, got steps {steps} from "
            f"{offset} on in {length} bytes"
        )
    return height, width
