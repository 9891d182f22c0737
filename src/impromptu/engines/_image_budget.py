"""Opens images at the size LLaMA-Factory trains Qwen2-VL models on."""

import math
from collections.abc import Callable
from pathlib import Path

from PIL import Image

_SHORTEST_SIDE_PX = 28
_LONGEST_RATIO, _CUT_RATIO = 200, 180


def open_image(path: Path, max_pixels: int, min_pixels: int) -> Image.Image:
    """Open an image as RGB, scaled to a budget of pixels by LLaMA-Factory's rule for Qwen2-VL.

    The order (resize in the file's own mode, then convert) is a part of the rule: it is what
    makes pixels equal to the training's.

    Raises:
        OSError: The file is absent or is no image; the message names it.
    """
    try:
        with Image.open(path) as file:
            file.load()
        image: Image.Image = file
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        if isinstance(error, FileNotFoundError):
            raise FileNotFoundError(f"{path}: no such image") from error
        raise OSError(f"{path}: not a readable image ({error})") from error
    for size_px in _rules(max_pixels, min_pixels):
        wanted = size_px(*image.size)
        if wanted != image.size:
            image = image.resize(wanted)
    return image.convert("RGB")


def _rules(max_pixels: int, min_pixels: int) -> tuple[Callable[[int, int], tuple[int, int]], ...]:
    """Return the rules to apply one after another, each (width, height) -> (width, height)."""

    def shrink(width: int, height: int) -> tuple[int, int]:
        return (
            _scaled(width, height, max_pixels) if width * height > max_pixels else (width, height)
        )

    def grow(width: int, height: int) -> tuple[int, int]:
        return (
            _scaled(width, height, min_pixels) if width * height < min_pixels else (width, height)
        )

    return shrink, grow, _not_too_thin, _not_too_long


def _scaled(width: int, height: int, pixels: int) -> tuple[int, int]:
    factor = math.sqrt(pixels / (width * height))
    return int(width * factor), int(height * factor)


def _not_too_thin(width: int, height: int) -> tuple[int, int]:
    return max(width, _SHORTEST_SIDE_PX), max(height, _SHORTEST_SIDE_PX)


def _not_too_long(width: int, height: int) -> tuple[int, int]:
    if width > _LONGEST_RATIO * height:
        return height * _CUT_RATIO, height
    if height > _LONGEST_RATIO * width:
        return width, width * _CUT_RATIO
    return width, height
