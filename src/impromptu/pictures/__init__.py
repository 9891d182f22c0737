"""Pictures of a sample: its paths on the front image, and the scene from above."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image

from impromptu.clip import Agent, Camera
from impromptu.pictures._paint import TRUTH, Paths, house_style, jpeg, png, run_style
from impromptu.pictures.above import draw_above, spread
from impromptu.pictures.front import draw_front, front_camera, image_size_px

__all__ = [
    "TRUTH",
    "Paths",
    "above_png",
    "front_camera",
    "front_jpeg",
    "house_style",
    "run_style",
    "spread",
    "thumbnail_jpeg",
    "wide_png",
]
_WIDEST_PX = 960


def front_jpeg(camera: Camera, paths: Paths) -> bytes:
    """Draw paths on a calibrated camera's image, as if painted on the ground."""
    width_px, height_px = image_size_px(camera)
    with house_style():
        figure = Figure(figsize=(8, 8 * height_px / width_px), dpi=120)
        draw_front(figure.add_axes((0, 0, 1, 1)), camera, paths)
        return jpeg(figure)


def above_png(agents: Sequence[Agent], paths: Paths) -> bytes:
    """Draw paths and agents from above, in metres."""
    with house_style():
        figure = Figure(figsize=(4.9, 4.2), dpi=160)
        draw_above(figure.add_axes((0.11, 0.115, 0.56, 0.87)), agents, paths)
        return png(figure)


def wide_png(camera: Camera, agents: Sequence[Agent], paths: Paths) -> bytes:
    """Draw both beside each other, for a README; under 200 KB with the miniatures' images."""
    width_px, height_px = image_size_px(camera)
    high, above = 3.8, 4.5
    front = min(high * width_px / height_px, 7.0)
    with house_style():
        figure = Figure(figsize=(front + above, high), dpi=88)
        across = [inches / (front + above) for inches in (front, front + 0.6, 2.4)]
        draw_front(figure.add_axes((0, 0, across[0], 1)), camera, paths)
        draw_above(figure.add_axes((across[1], 0.12, across[2], 0.86)), agents, paths)
        return png(figure)


def thumbnail_jpeg(image: Path) -> bytes:
    """Return an image file as a JPEG of at most 960 px in width and height.

    Raises:
        OSError: There is no such file, or it is no image that can be read.
        ValueError: It is too large to be one.
    """
    buffer = BytesIO()
    try:
        with Image.open(image) as opened:
            opened.draft("RGB", (_WIDEST_PX, _WIDEST_PX))
            small = opened.convert("RGB")
            small.thumbnail((_WIDEST_PX, _WIDEST_PX))
            small.save(buffer, format="JPEG", quality=85, optimize=True)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(f"{image}: {error}") from error
    return buffer.getvalue()
