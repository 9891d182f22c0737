"""Against torch itself, and against archives that it would never write."""

import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.closed_loop.requests import archive, bomb, noise, program, zipped

from impromptu.closed_loop.torch_archive import read_rgb

PIXELS = noise()
H, W, _ = PIXELS.shape


@pytest.mark.parametrize("shape", [(36, 64), (900, 1600), (1, 1), (300, 70_000 // 300)])
def test_what_torch_saves_is_read(shape: tuple[int, int]) -> None:
    torch = pytest.importorskip("torch", reason="needs the train extra: torch")
    pixels, file = noise(1, *shape), io.BytesIO()
    torch.save(torch.from_numpy(pixels), file)
    assert (read_rgb(file.getvalue()) == pixels).all()


def test_our_own_archives_are_what_torch_reads() -> None:
    torch = pytest.importorskip("torch", reason="needs the train extra: torch")
    assert (torch.load(io.BytesIO(archive(PIXELS)), weights_only=True).numpy() == PIXELS).all()
    assert (read_rgb(archive(PIXELS)) == PIXELS).all()


@pytest.mark.parametrize("dtype", ["float32", "int8", "uint8-gray", "uint8-strided", "dict"])
def test_other_things_that_torch_saves_are_refused(dtype: str) -> None:
    torch = pytest.importorskip("torch", reason="needs the train extra: torch")
    whole = torch.from_numpy(PIXELS)
    things = {
        "float32": whole.float(),
        "int8": whole.to(torch.int8),
        "uint8-gray": whole[..., 0].contiguous(),
        "uint8-strided": whole[:, ::2],
        "dict": {"image": whole},
    }
    file = io.BytesIO()
    torch.save(things[dtype], file)
    with pytest.raises(ValueError, match="expected"):
        read_rgb(file.getvalue())


def test_a_pickle_bomb_is_refused_and_does_not_go_off(tmp_path: Path) -> None:
    mark = tmp_path / "exploded"
    made = zipped({"data.pkl": bomb(str(mark)), "data/0": PIXELS.tobytes()})
    with pytest.raises(ValueError, match=r"found GLOBAL '_?io open' in place of GLOBAL 'torch"):
        read_rgb(made)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        ({}, "found 0"),
        ({"data.pkl": b""}, "found nothing in place of PROTO|pickle exhausted"),
        ({"data.pkl": program((H, W, 3), (3 * W, 3, 1), H * W * 3)}, "data/0, found none"),
        (
            {"data.pkl": program((H, W, 3), (3 * W, 3, 1), H * W * 3), "data/0": b"short"},
            "found 5",
        ),
        ({"data.pkl": program((H, W, 4), (4 * W, 4, 1), H * W * 4)}, "H x W x 3"),
        ({"data.pkl": program((9_000, 9_000, 3), (27_000, 3, 1), 243_000_000)}, "sides up to"),
        ({"data.pkl": program((H, W, 3), (3, 3 * H, 1), H * W * 3)}, "contiguous"),
        ({"data.pkl": program((-1, W, 3), (3 * W, 3, 1), H * W * 3)}, "sides up to"),
        ({"data.pkl": program((H, W, 3), (3 * W, 3, 1), 0)}, "contiguous"),
        (
            {"data.pkl": program((1, 1, 3), (3, 3, 1), 3, storage=b"ctorch\nFloatStorage\n")},
            "torch FloatStorage",
        ),
        ({"data.pkl": program((1, 1, 3), (3, 3, 1), 3)[:-1] + b"0."}, "POP"),
        ({"data.pkl": b"\x80\x02" + b"K\x01" * 4_000}, "data.pkl of 8002 bytes"),
        ({"a/data.pkl": b"", "b/data.pkl": b""}, "one \\*/data.pkl, found 2"),
        ({f"{k}": b"" for k in range(65)}, "found 65 entries"),
    ],
)
def test_another_content_is_refused(entries: dict[str, bytes], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        read_rgb(zipped(entries))


def test_a_nested_or_compressed_or_damaged_zip_is_refused() -> None:
    inner = archive(PIXELS)
    with pytest.raises(ValueError, match="found 0"):
        read_rgb(zipped({"data.zip": inner}))
    made = program((H, W, 3), (3 * W, 3, 1), H * W * 3)
    entries = {"data.pkl": made, "data/0": bytes(PIXELS.size)}
    with pytest.raises(ValueError, match="compressed"):
        read_rgb(zipped(entries, zipfile.ZIP_DEFLATED))
    at = inner.index(PIXELS.tobytes())
    with pytest.raises(ValueError, match="cut short or damaged"):
        read_rgb(inner[:at] + bytes([inner[at] ^ 1]) + inner[at + 1 :])
    for cut in (0, 10, 100, len(inner) // 2, len(inner) - 1):
        with pytest.raises(ValueError, match="archive"):
            read_rgb(inner[:cut])


def test_a_table_that_claims_gigabytes_is_refused() -> None:
    made = bytearray(archive(PIXELS))
    at = made.rindex(b"PK\1\2")
    made[at + 20 : at + 28] = struct.pack("<2I", 0xFFFFFFF0, 0xFFFFFFF0)
    with pytest.raises(ValueError, match="cut short"):
        read_rgb(bytes(made))


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_damage_is_a_value_error_or_harmless(data: st.DataObject) -> None:
    made = bytearray(archive(PIXELS[:2, :2]))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(made) - 1))
        made[at] = data.draw(st.integers(0, 255))
    made = made[: data.draw(st.integers(len(made) - 30, len(made)))]
    try:
        read = read_rgb(bytes(made))
    except ValueError:
        return
    assert read.dtype == np.uint8
    assert read.ndim == 3


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=200),
        st.lists(st.sampled_from("()QR.0123abcdeghijlopqrstuVXSIFLGKMJ\x80\x95\x8c\n'\\x"))
        .map("".join)
        .map(lambda text: text.encode("latin1")),
    )
)
def test_any_program_is_a_value_error(made: bytes) -> None:
    with pytest.raises(ValueError, match="."):
        read_rgb(zipped({"data.pkl": made, "data/0": b"123"}))
