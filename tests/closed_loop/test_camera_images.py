"""Images of either kind that a simulator sends, as a language model's server takes them."""

import base64
import io

import numpy as np
import pytest
from PIL import Image
from tests.closed_loop.requests import archive, noise

from impromptu.closed_loop.camera_images import data_uri


def file(kind: str, mode: str = "RGB", size: tuple[int, int] = (64, 36)) -> bytes:
    content = io.BytesIO()
    pixels = Image.fromarray(noise(1, size[1], size[0]))
    pixels.convert(mode).save(content, kind)
    return content.getvalue()


def test_a_file_is_shown_as_the_tensor_of_its_pixels_is() -> None:
    tensor = base64.b64encode(archive(noise(1))).decode()
    assert data_uri(file("PNG"), 1_500, 784) == data_uri(tensor, 1_500, 784)


@pytest.mark.parametrize(("kind", "mode"), [("JPEG", "RGB"), ("JPEG", "L"), ("PNG", "RGBA")])
def test_other_files_are_shown_as_rgb(kind: str, mode: str) -> None:
    content = base64.b64decode(data_uri(file(kind, mode), 10_000, 784).partition(",")[2])
    shown = Image.open(io.BytesIO(content))
    assert (shown.mode, shown.size) == ("RGB", (64, 36))
    assert np.asarray(shown).std() > 10


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "cannot identify"),
        (b"\x89PNG\r\n\x1a\n", ""),
        (file("PNG")[:-600], "truncated"),
        (file("GIF"), "cannot identify"),
        (file("PNG", "1", (8_000, 7_000)), "8000 x 7000 px"),
    ],
    ids=["empty", "head", "cut", "gif", "large"],
)
def test_what_is_no_image_is_told(content: bytes, told: str) -> None:
    with pytest.raises(ValueError, match=f"not a PNG or JPEG file of an image: .*{told}"):
        data_uri(content, 10_000, 784)
