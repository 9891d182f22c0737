"""Images as they are sent: at the training's budget of pixels, under the type that they have.

A file that is no larger than the budget is sent byte for byte. A larger one is scaled to the very
size that it has in training and written as JPEG of quality 92 with colour at half resolution: at
262,144 pixels some 60 kB, a tenth of a PNG, and 40 dB or more from the scaled pixels, which is
less than what the camera's own JPEG has lost before.
"""

import asyncio
import base64
import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image

from impromptu.engines._image_budget import trained_size
from impromptu.image_files import image_fault

JPEG_QUALITY = 92
_TYPES = {"JPEG": "image/jpeg", "PNG": "image/png"}
"""What is sent as it is."""
_KEPT = 512
"""Images in memory: those under way, and those of a clip that its other questions show too."""


def data_uri(path: Path, max_pixels: int, min_pixels: int) -> str:
    """Return an image file as a ``data:`` URI.

    Raises:
        OSError: It is absent or is no image; the message names it.
    """
    try:
        with Image.open(path) as image:
            size = trained_size(image.width, image.height, max_pixels, min_pixels)
            kind = _TYPES.get(image.format or "")
            if kind and size == image.size and image.mode in ("L", "RGB"):
                content = path.read_bytes()
                if fault := image_fault(path):  # what is cut short would look whole to a server
                    raise OSError(fault)
            else:
                kind, content = "image/jpeg", _scaled(image, size)
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        if isinstance(error, FileNotFoundError):
            raise FileNotFoundError(f"{path}: no such image") from error
        raise OSError(f"{path}: not a readable image ({error})") from error
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _scaled(image: Image.Image, size: tuple[int, int]) -> bytes:
    """Return an image as JPEG of a size; a much larger JPEG is decoded at a part of its own."""
    image.draft("RGB", size)
    content = io.BytesIO()
    image.convert("RGB").resize(size).save(content, "JPEG", quality=JPEG_QUALITY)
    return content.getvalue()


class Pictures:
    """Encodes images beside the event loop, each once while it is among the last few hundred."""

    def __init__(self, max_pixels: int, min_pixels: int, threads: int) -> None:
        self._encode: Callable[[Path], str] = lambda path: data_uri(path, max_pixels, min_pixels)
        self._pool = ThreadPoolExecutor(threads, "images")
        self._known = dict[Path, asyncio.Future[str]]()

    async def uris(self, paths: tuple[Path, ...]) -> list[str]:
        """Return images as URIs.

        Raises:
            OSError: As ``data_uri`` says, of the first of them.
        """
        return [await asyncio.shield(one) for one in [self._uri(path) for path in paths]]

    def close(self) -> None:
        """Finish what is being encoded."""
        self._pool.shutdown(cancel_futures=True)

    def _uri(self, path: Path) -> asyncio.Future[str]:
        found = self._known.pop(path, None)
        if found is None:
            found = asyncio.get_running_loop().run_in_executor(self._pool, self._encode, path)
            found.add_done_callback(_seen)
        self._known[path] = found  # the latest stand last
        if len(self._known) > _KEPT:
            del self._known[next(iter(self._known))]
        return found


def _seen(future: asyncio.Future[str]) -> None:
    """Take note of an error, so that asyncio does not when nobody waits for it any more."""
    if not future.cancelled():
        future.exception()
