"""One scenario as a film: the same seconds of a few models side by side, with captions."""

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import matplotlib
from PIL import Image, ImageDraw, ImageFont

from impromptu.closed_loop.birds_eye import above
from impromptu.closed_loop.front_view import FrontView
from impromptu.closed_loop.takes import Take
from impromptu.moving_pictures import palette_of
from impromptu.pictures import run_style

MOST_MODELS = 4
EVERY_MS, LAST_MS = 100, 2000
"""How long a frame is shown, and the last one."""
_SAMPLES = 5
_WIDTH_PX, _FRONT_PX, _ABOVE_PX = 480, 270, 320
_TITLE_PX, _CAPTION_PX, _GAP_PX, _EDGE_PX = 34, 48, 4, 6
_COLUMN_PX = _CAPTION_PX + _FRONT_PX + _GAP_PX + _ABOVE_PX
_SHADE, _INK, _QUIET, _RED, _GREEN = "#14181d", "#f2f4f6", "#aab4be", "#c9271b", "#0f766e"


class Film:
    """The frames of one scenario and run; each is drawn when it is asked for.

    Attributes:
        takes: One or more models' runs of it, at most ``MOST_MODELS``.
    """

    def __init__(self, takes: Sequence[Take]) -> None:
        self.takes = takes
        self.colours = [run_style(position)[0] for position in range(len(takes))]
        self.views = [
            FrontView(take, colour, (_WIDTH_PX, _FRONT_PX))
            for take, colour in zip(takes, self.colours, strict=True)
        ]
        self.begin_us = min(take.begin_us for take in takes)
        self.end_us = max(take.end_us for take in takes)
        self._ended = dict[int, Image.Image]()

    def __len__(self) -> int:
        """Return the number of frames."""
        return -(-(self.end_us - self.begin_us) // (EVERY_MS * 1000)) + 1

    @property
    def size_px(self) -> tuple[int, int]:
        """Return width and height of its frames, both even."""
        count = len(self.takes)
        width = count * _WIDTH_PX + (count - 1) * _GAP_PX
        return width, _TITLE_PX + _COLUMN_PX

    def frames(self) -> Iterator[Image.Image]:
        """Yield all frames; the last shows how every run ended."""
        for number in range(len(self)):
            yield self.frame(self.begin_us + number * EVERY_MS * 1000)

    def palette(self) -> list[int]:
        """Return the colours of a GIF of it: those of the captions, and what suits its pictures."""
        kept = [_SHADE, _INK, _QUIET, _RED, _GREEN, "white", *self.colours]
        return palette_of(self._samples(), kept)

    def _samples(self) -> Iterator[Image.Image]:
        for third in range(_SAMPLES):
            yield self.frame(self.begin_us + third * (self.end_us - self.begin_us) // _SAMPLES)
        yield self.last()

    def last(self) -> Image.Image:
        """Draw how every run ended."""
        return self.frame(self.end_us)

    def frame(self, stamp_us: int) -> Image.Image:
        """Draw one."""
        sheet = Image.new("RGB", self.size_px, _SHADE)
        self._title(ImageDraw.Draw(sheet), stamp_us, sheet.width)
        for position in range(len(self.views)):
            left = position * (_WIDTH_PX + _GAP_PX)
            sheet.paste(self._column(position, stamp_us), (left, _TITLE_PX))
        return sheet

    def _title(self, draw: ImageDraw.ImageDraw, stamp_us: int, width: int) -> None:
        first = self.takes[0]
        at_s = (min(stamp_us, self.end_us) - first.run.start_us) / 1e6
        clock = f"t {at_s:4.1f} s"
        clock_px = round(_font(15, True).getlength(clock))
        draw.text((width - 10 - clock_px, 8), clock, _INK, _font(15, True))
        name = f"{first.outcome.scenario}, run {first.outcome.run}"
        _write(draw, (10, 8), name, _INK, _font(15, True), width - clock_px - 40)
        beside = 24 + round(_font(15, True).getlength(name))
        _write(draw, (beside, 10), first.title, _QUIET, _font(13), width - clock_px - beside - 20)

    def _column(self, position: int, stamp_us: int) -> Image.Image:
        """Draw one model's caption, camera and scene from above; once only what stands still."""
        view = self.views[position]
        if stamp_us < view.take.end_us:
            return _column(view, stamp_us)
        if position not in self._ended:
            self._ended[position] = _column(view, view.take.end_us)
        return self._ended[position]


def _column(view: FrontView, stamp_us: int) -> Image.Image:
    take, size = view.take, (_WIDTH_PX, _ABOVE_PX)
    column = Image.new("RGB", (_WIDTH_PX, _COLUMN_PX), _SHADE)
    column.paste(view.picture(stamp_us), (0, _CAPTION_PX))
    column.paste(above(take, stamp_us, view.colour, size), (0, _COLUMN_PX - _ABOVE_PX))
    draw = ImageDraw.Draw(column)
    _caption(draw, take, view.colour, stamp_us)
    _status(draw, take, stamp_us)
    return column


def _caption(draw: ImageDraw.ImageDraw, take: Take, colour: str, stamp_us: int) -> None:
    draw.rectangle([10, 3, 24, 17], colour, "white")
    speed = f"{take.speed_mps(stamp_us):.1f} m/s"
    speed_px = round(_font(15).getlength(speed))
    draw.text((_WIDTH_PX - 10 - speed_px, 0), speed, _INK, _font(15))
    _write(draw, (32, 0), take.model, _INK, _font(15, True), _WIDTH_PX - speed_px - 60)
    ended = f"collision at {_since_s(take):.1f} s" if take.hit else "no collision"
    text = f"score {take.outcome.score:.2f} of 5, {ended}"
    _write(draw, (32, 23), text, _QUIET, _font(13), _WIDTH_PX - 42)


def _status(draw: ImageDraw.ImageDraw, take: Take, stamp_us: int) -> None:
    """Tell what must not be missed: a collision, the end, a plan that is not the model's own."""
    planned = take.plan(stamp_us)
    if planned and not planned[1]:
        _banner(draw, _CAPTION_PX + _FRONT_PX - 28, "the answer could not be read", _SHADE)
    if stamp_us < take.end_us:
        return
    if take.hit:
        text = f"COLLISION at {_since_s(take):.1f} s, {take.hit.impact_mps:.1f} m/s"
        frame = [0, _CAPTION_PX, _WIDTH_PX - 1, _COLUMN_PX - 1]
        draw.rectangle(frame, None, _RED, _EDGE_PX)
        _banner(draw, _CAPTION_PX, text, _RED)
    else:
        _banner(draw, _CAPTION_PX, "over, no collision", _GREEN)


def _banner(draw: ImageDraw.ImageDraw, top: int, text: str, colour: str) -> None:
    font = _font(15, True)
    middle, half = _WIDTH_PX // 2, round(font.getlength(text)) // 2 + 12
    draw.rectangle([middle - half, top, middle + half, top + 27], colour)
    draw.text((middle, top + 13), text, "white", font, "mm")


def _since_s(take: Take) -> float:
    return (take.end_us - take.run.start_us) / 1e6


def _write(
    draw: ImageDraw.ImageDraw,
    place: tuple[int, int],
    text: str,
    colour: str,
    font: ImageFont.FreeTypeFont,
    width_px: int,
) -> None:
    """Write one line, cut where it would be too long."""
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    shown = text
    while shown and font.getlength(shown) > width_px:
        shown = shown[: -1 - shown.endswith("…")] + "…" if len(shown) > 2 else ""
    draw.text(place, shown, colour, font)


@cache
def _font(size_px: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Return the font of all pictures, which comes with matplotlib."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name
    return ImageFont.truetype(path, size_px)
