"""Opens images at the size LLaMA-Factory trains Qwen2-VL models on."""

import math
from pathlib import Path

from PIL import Image

_SHORTEST_SIDE_PX = 28
_LONGEST_RATIO, _CUT_RATIO = 200, 180


def open_image(path: Path, max_pixels: int, min_pixels: int) -> Image.Image:
    """Open an image file as ``at_training_size`` makes it.

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
    return at_training_size(image, max_pixels, min_pixels)


def at_training_size(image: Image.Image, max_pixels: int, min_pixels: int) -> Image.Image:
    """Return an image as RGB, scaled to a budget of pixels by LLaMA-Factory's rule for Qwen2-VL.

    The order is a part of the rule: the budget in the file's own mode, then RGB, then the shape.
    It is what makes the pixels equal to the training's.
    """
    if math.prod(image.size) > max_pixels:
        image = _resized(image, *_scaled(*image.size, max_pixels))
    if math.prod(image.size) < min_pixels:
        image = _resized(image, *_scaled(*image.size, min_pixels))
    image = image.convert("RGB")
    image = _resized(image, *_not_too_thin(*image.size))
    return _resized(image, *_not_too_long(*image.size))


def trained_size(width: int, height: int, max_pixels: int, min_pixels: int) -> tuple[int, int]:
    """Return the (width, height) in px that ``open_image`` gives an image of such a size."""
    if width * height > max_pixels:
        width, height = _scaled(width, height, max_pixels)
    if width * height < min_pixels:
        width, height = _scaled(width, height, min_pixels)
    return _not_too_long(*_not_too_thin(width, height))


def _resized(image: Image.Image, width: int, height: int) -> Image.Image:
    return image if image.size == (width, height) else image.resize((width, height))


def _scaled(width: int, height: int, pixels: int) -> tuple[int, int]:
    factor = math.sqrt(pixels / (width * height))
    return max(int(width * factor), 1), max(int(height * factor), 1)


def _not_too_thin(width: int, height: int) -> tuple[int, int]:
    return max(width, _SHORTEST_SIDE_PX), max(height, _SHORTEST_SIDE_PX)


def _not_too_long(width: int, height: int) -> tuple[int, int]:
    if width > _LONGEST_RATIO * height:
        return height * _CUT_RATIO, height
    if height > _LONGEST_RATIO * width:
        return width, width * _CUT_RATIO
    return width, height
