"""What is sent of an image: its own bytes, or JPEG of the training's size."""

import asyncio
import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from impromptu.asking import images
from impromptu.asking.images import Pictures, data_uri
from impromptu.engines._image_budget import open_image


def street(width: int, height: int) -> Image.Image:
    """Smooth colours, as JPEG is made for."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 255, (6, 10, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height))


def sent(uri: str) -> tuple[str, bytes]:
    kind, _, data = uri.removeprefix("data:").partition(";base64,")
    return kind, base64.b64decode(data)


@pytest.mark.parametrize(("name", "kind"), [("a.jpg", "image/jpeg"), ("a.png", "image/png")])
def test_a_small_file_is_sent_byte_for_byte_under_its_own_type(
    tmp_path: Path, name: str, kind: str
) -> None:
    street(160, 90).save(tmp_path / name)
    assert sent(data_uri(tmp_path / name, 14_400, 784)) == (kind, (tmp_path / name).read_bytes())
    # A wrong ending does not make another type of it.
    (tmp_path / name).rename(tmp_path / "b.webp")
    assert sent(data_uri(tmp_path / "b.webp", 14_400, 784))[0] == kind


@pytest.mark.parametrize("size", [(1600, 900), (640, 480), (161, 90), (90, 3000)])
@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_another_is_jpeg_of_the_trainings_size_and_close_to_its_pixels(
    tmp_path: Path, name: str, size: tuple[int, int]
) -> None:
    street(*size).save(tmp_path / name)
    kind, content = sent(data_uri(tmp_path / name, 14_400, 784))
    shown = Image.open(io.BytesIO(content))
    trained = open_image(tmp_path / name, 14_400, 784)
    assert (kind, shown.format, shown.size) == ("image/jpeg", "JPEG", trained.size)
    error = np.asarray(shown, float) - np.asarray(trained, float)
    if max(size) < 3000:  # of that one a few pixels' width are left
        assert 10 * np.log10(255**2 / np.mean(error**2)) > 36


def test_what_no_server_takes_is_made_jpeg(tmp_path: Path) -> None:
    street(60, 40).save(tmp_path / "a.bmp")
    street(60, 40).convert("CMYK").save(tmp_path / "b.jpg")
    for name in ("a.bmp", "b.jpg"):
        kind, content = sent(data_uri(tmp_path / name, 14_400, 784))
        assert (kind, Image.open(io.BytesIO(content)).mode) == ("image/jpeg", "RGB")


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"gone.jpg: no such image"):
        data_uri(tmp_path / "gone.jpg", 14_400, 784)
    street(60, 40).save(tmp_path / "cut.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "cut.jpg").read_bytes()[:-300])
    with pytest.raises(OSError, match=r"cut.jpg: not a readable image \(truncated_image\)"):
        data_uri(tmp_path / "cut.jpg", 14_400, 784)
    (tmp_path / "text.jpg").write_text("not found")
    with pytest.raises(OSError, match=r"text.jpg: not a readable image"):
        data_uri(tmp_path / "text.jpg", 14_400, 784)


def test_an_image_is_encoded_once_while_it_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, known = [], [tmp_path / f"{k}.png" for k in range(4)]

    def encode(path: Path, *budget: int) -> str:
        seen.append(path)
        if path == known[3]:
            raise FileNotFoundError(f"{path}: no such image")
        return path.name

    async def ask() -> None:
        pictures = Pictures(1, 1, threads=2)
        first = pictures.uris((known[0], known[1]))
        second = pictures.uris((known[1], known[0]))
        assert tuple(await asyncio.gather(first, second)) == (
            ["0.png", "1.png"],
            ["1.png", "0.png"],
        )
        assert sorted(seen) == known[:2]
        with pytest.raises(FileNotFoundError):
            await pictures.uris((known[3], known[0]))
        await pictures.uris((known[2],))
        await pictures.uris((known[0],))
        pictures.close()

    monkeypatch.setattr(images, "data_uri", encode)
    monkeypatch.setattr(images, "_KEPT", 2)
    asyncio.run(ask())
    assert seen.count(known[0]) == 1, "it was asked for after number 3, so that 1 was let go"
    assert seen.count(known[2]) == 1
