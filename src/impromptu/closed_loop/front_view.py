"""What the front camera sees of a run: drawn again, or as NeuroNCAP's engine has saved it."""

from bisect import bisect_right
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from impromptu.arrays import Floats
from impromptu.clip import Camera
from impromptu.closed_loop.camera import Cameras
from impromptu.closed_loop.takes import Take
from impromptu.geometry import turned
from impromptu.miniature.world import Shape
from impromptu.moving_pictures import is_image, read_image
from impromptu.pictures.front import ground_pixels

CHANNEL = "CAM_FRONT"
"""Also the name of the folder that the engine saves its images in, each under its stamp."""
_SHARP = 2
"""Pictures are drawn so many times larger, and reduced: smooth edges."""
_LINE_PX, _EDGE_PX, _DOT_PX = 6, 10, 7
_EMPTY = "#39424d"


class FrontView:
    """The pictures of one run at one size."""

    def __init__(self, take: Take, colour: str, size_px: tuple[int, int]) -> None:
        self.take, self.colour, self.size_px = take, colour, size_px
        self.saved = {} if take.shape else _saved(take.folder / CHANNEL)
        self.stamps = sorted(self.saved)

    def picture(self, stamp_us: int) -> Image.Image:
        """Return what is seen at a time: where images are saved, the last one before.

        Raises:
            OSError, ValueError: A saved image cannot be read; the message names it.
        """
        stamp_us = min(stamp_us, self.take.end_us)
        if self.take.shape:
            return self._drawn(self.take.shape, stamp_us)
        known = bisect_right(self.stamps, stamp_us)
        if not known:
            return Image.new("RGB", self.size_px, _EMPTY)
        return read_image(self.saved[self.stamps[known - 1]]).resize(self.size_px)

    def _drawn(self, shape: Shape, stamp_us: int) -> Image.Image:
        """Draw the mini-simulator's view, and the plan on its ground."""
        width, height = self.size_px
        cameras = _cameras((_SHARP * width, _SHARP * height))
        pose = self.take.pose(stamp_us)
        (box,) = self.take.boxes(stamp_us)
        image = Image.fromarray(cameras.view(CHANNEL, shape, box, pose))
        if planned := self.take.plan(stamp_us):
            path_m = np.concatenate([pose[None, :2], planned[0]])
            self._paint(image, cameras, turned(path_m - pose[:2], -pose[2]))
        return image.reduce(_SHARP)

    def _paint(self, image: Image.Image, cameras: Cameras, path_m: Floats) -> None:
        lens, ego_SE3_camera = cameras.lenses[CHANNEL]
        camera = Camera("FRONT", Path(), image.size, lens.intrinsics_px, ego_SE3_camera)
        draw = ImageDraw.Draw(image)
        line = _seen(ground_pixels(camera, path_m, joined=True)).ravel().tolist()
        dots = _seen(ground_pixels(camera, path_m[1:]))
        for colour, more in (("white", _EDGE_PX - _LINE_PX), (self.colour, 0)):
            if line:  # of a plan to stay, nothing is before the camera
                draw.line(line, fill=colour, width=_LINE_PX + more, joint="curve")
            for place in dots:
                radius = _DOT_PX + more / 2
                draw.ellipse([*(place - radius), *(place + radius)], fill=colour)


@cache
def _cameras(size_px: tuple[int, int]) -> Cameras:
    return Cameras(size_px)


def _seen(pixels: Floats) -> Floats:
    """Leave out what is behind the camera."""
    seen: Floats = pixels[np.isfinite(pixels).all(axis=-1)]
    return seen


def _saved(folder: Path) -> dict[int, Path]:
    paths = folder.iterdir() if folder.is_dir() else ()
    return {int(path.stem): path for path in paths if is_image(path) and path.stem.isdecimal()}
