"""Pictures one after the other as a GIF or an MP4, written frame by frame, and read again."""

import re
import struct
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor

from impromptu.files import atomic_bytes

SUFFIXES = (".jpg", ".jpeg", ".png")
_CLEAR = 255
"""The palette's entry for what has not changed since the frame before."""
_SAMPLE_PX, _SAMPLES = 320, 32
# One thread: the same bytes each time. Looking ahead less takes a third of the memory.
_ENCODING = {"crf": "20", "preset": "fast", "x264-params": "threads=1:rc-lookahead=10"}
_LOOP_FOREVER = b"!\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00"


def palette_of(frames: Iterable[Image.Image], kept: Sequence[str] = ()) -> list[int]:
    """Return at most 255 colours, three numbers each, that suit frames of one size.

    Args:
        frames: Where the colours are from.
        kept: Colours that must be among them, however small their share is.
    """
    samples = _spread(frames)
    if not samples:
        raise ValueError("a GIF of no frames was asked for")
    montage = Image.fromarray(np.concatenate([np.asarray(sample) for sample in samples]))
    reduced = montage.quantize(_CLEAR - len(kept), Image.Quantize.MEDIANCUT)
    first = [level for colour in kept for level in ImageColor.getrgb(colour)]
    return [*first, *(reduced.getpalette() or ())]


def _spread(frames: Iterable[Image.Image]) -> list[Image.Image]:
    """Return some frames, made small, evenly from first to last, however many there are."""
    kept, every = list[Image.Image](), 1
    for number, frame in enumerate(frames):
        if number % every == 0:
            size = _within(frame.size, min(frame.width, _SAMPLE_PX))
            kept.append(frame.resize(size, Image.Resampling.NEAREST))
        if len(kept) > _SAMPLES:
            kept, every = kept[::2], 2 * every
    return kept


def write_gif(
    path: Path, frames: Iterable[Image.Image], palette: Sequence[int], every_ms: int, last_ms: int
) -> int:
    """Write RGB frames of one size as an endless GIF; return how many.

    One palette serves all, no dithering: colours do not flicker, and what stands still costs
    nothing. One frame is held at a time. By the GIF89a specification, sections 17 to 23.

    Args:
        path: Where to.
        frames: What to write.
        palette: Of :func:`palette_of`.
        every_ms: How long a frame is shown; GIF knows hundredths of a second.
        last_ms: How long the last one is.
    """
    colours = np.zeros((256, 3), np.uint8)
    known = np.array(palette, np.uint8).reshape(-1, 3)
    colours[: len(known)] = known
    colours[len(known) :] = known[0]
    shared = Image.new("P", (1, 1))
    shared.putpalette(colours.ravel().tolist())
    count, before = 0, None
    with atomic_bytes(path) as file:
        for frame, last in _with_last(frames):
            pixels = np.array(frame.quantize(palette=shared, dither=Image.Dither.NONE))
            pixels[pixels >= len(known)] = 0  # a twin of colour 0
            if before is None:
                size = struct.pack("<2H3B", frame.width, frame.height, 0xF7, 0, 0)
                file.write(b"GIF89a" + size + colours.tobytes() + _LOOP_FOREVER)
            _write_frame(file, pixels, before, last_ms if last else every_ms)
            count, before = count + 1, pixels
        file.write(b";")
    return count


def _with_last(frames: Iterable[Image.Image]) -> Iterator[tuple[Image.Image, bool]]:
    """Yield frames, each with whether it is the last."""
    held = None
    for frame in frames:
        if held is not None:
            yield held, False
        held = frame
    if held is not None:
        yield held, True


def _write_frame(
    file: IO[bytes], pixels: NDArray[np.uint8], before: NDArray[np.uint8] | None, shown_ms: int
) -> None:
    """Write what changed: the rectangle about it, in which what did not is left clear."""
    top, left = 0, 0
    if before is not None:
        same = pixels == before
        rows, columns = (np.flatnonzero(~same.all(axis=axis)) for axis in (1, 0))
        top, left = (int(some[0]) if len(some) else 0 for some in (rows, columns))
        bottom, right = (int(some[-1]) + 1 if len(some) else 1 for some in (rows, columns))
        pixels = np.where(same, np.uint8(_CLEAR), pixels)[top:bottom, left:right]
    # Disposal 1: the frame stays under the next one.
    file.write(struct.pack("<4BH2B", 0x21, 0xF9, 4, 0b101, shown_ms // 10, _CLEAR, 0))
    file.write(struct.pack("<B4HB", 0x2C, left, top, *pixels.shape[::-1], 0))
    file.write(_compressed(pixels))


def _compressed(pixels: NDArray[np.uint8]) -> bytes:
    """Return (h, w) palette indices in the blocks of GIF's own compression."""
    height, width = pixels.shape
    whole = Image.frombytes("P", (width, height), pixels.tobytes())
    whole.putpalette([0] * 768)
    buffer = BytesIO()
    whole.save(buffer, format="GIF", interlace=0, optimize=False)
    # After header, screen (6 + 7 bytes), palette (768) and the image's own descriptor (10); what
    # follows the data is one byte that ends the file.
    return buffer.getvalue()[13 + 768 + 10 : -1]


def write_mp4(path: Path, frames: Iterable[Image.Image], every_ms: int, last_ms: int) -> int:
    """Write RGB frames of one size, of even sides, as H.264; return how many.

    Raises:
        ModuleNotFoundError: PyAV is not installed.
    """
    av = library()
    count = 0
    with atomic_bytes(path) as file, av.open(file, "w", format="mp4") as container:
        stream = None
        for frame, last in _with_last(frames):
            if stream is None:
                stream = container.add_stream("libx264", rate=round(1000 / every_ms))
                stream.width, stream.height, stream.pix_fmt = *frame.size, "yuv420p"
                stream.options = _ENCODING
            for _ in range(round(last_ms / every_ms) if last else 1):
                container.mux(stream.encode(av.VideoFrame.from_image(frame)))
            count += 1
        if stream is not None:
            container.mux(stream.encode())
    return count


def library() -> Any:
    """Return PyAV, which reads and writes videos.

    Raises:
        ModuleNotFoundError: It is not installed.
    """
    try:
        import av
    except ModuleNotFoundError as error:
        error.add_note("MP4 files need more: pip install 'impromptu-vla[video]'")
        raise
    return av


def video_frames(path: Path, hz: float, width_px: int) -> Iterator[Image.Image]:
    """Yield a video's frames so many times a second, at most so wide.

    Raises:
        ModuleNotFoundError: PyAV is not installed.
        OSError: There is no such file.
        ValueError: It is no video that can be read.
    """
    av = library()
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such video")
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise ValueError(f"{path}: there is no video in it")
            due_s = 0.0
            for frame in container.decode(video=0):
                at_s = float(frame.time or 0.0)
                if at_s >= due_s - 1e-6:
                    due_s = max(due_s + 1 / hz, at_s)
                    yield _small(frame.to_image(), width_px)
    except av.FFmpegError as error:
        raise ValueError(f"{path}: no video that can be read ({error.strerror})") from error


def folder_frames(folder: Path, width_px: int) -> Iterator[Image.Image]:
    """Yield a folder's images by the numbers in their names, all at the size of the first.

    Raises:
        FileNotFoundError: There is no image in it.
        OSError, ValueError: One cannot be read; the message names it.
    """
    paths = sorted((path for path in folder.iterdir() if is_image(path)), key=_by_number)
    if not paths:
        raise FileNotFoundError(f"{folder}: no image in it; expected {', '.join(SUFFIXES)}")
    size = None
    for path in paths:
        frame = _small(read_image(path), width_px)
        size = size or frame.size
        yield frame if frame.size == size else frame.resize(size)


def is_image(path: Path) -> bool:
    """Tell whether a file is named as an image."""
    return path.suffix.lower() in SUFFIXES


def _by_number(path: Path) -> tuple[list[int], str]:
    return [int(digits) for digits in re.findall(r"[0-9]+", path.stem)], path.name


def read_image(path: Path) -> Image.Image:
    """Return an image file in RGB.

    Raises:
        OSError: It is missing or cut short; the message names it.
        ValueError: It is too large to be one.
    """
    try:
        with Image.open(path) as opened:
            image: Image.Image = opened.convert("RGB")
            return image
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(f"{path}: {error}") from error
    except (OSError, SyntaxError) as error:
        raise OSError(f"{path}: no image that can be read ({error})") from error


def _small(image: Image.Image, width_px: int) -> Image.Image:
    wide = image.width > width_px
    return image.resize(_within(image.size, width_px)) if wide else image


def _within(size: tuple[int, int], width_px: int) -> tuple[int, int]:
    width, height = size
    return width_px, max(1, round(height * width_px / width))
