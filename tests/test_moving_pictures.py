"""GIFs show exactly what was given, in little memory; videos and folders come back in order."""

import sys
from collections.abc import Iterator
from pathlib import Path
from weakref import ref

import numpy as np
import pytest
from PIL import Image

from impromptu.moving_pictures import (
    folder_frames,
    palette_of,
    video_frames,
    write_gif,
    write_mp4,
)

SIZE = (48, 32)


def square(left: int, colour: str = "red", size: tuple[int, int] = SIZE) -> Image.Image:
    """A black picture with a square of 8 px."""
    frame = Image.new("RGB", size, "black")
    frame.paste(colour, (left, 4, left + 8, 12))
    return frame


def seen(path: Path) -> list[tuple[Image.Image, int]]:
    """All frames of a GIF as an independent reader shows them, and how long each."""
    shown = []
    with Image.open(path) as gif:
        assert gif.info["loop"] == 0, "forever"
        for number in range(gif.n_frames):
            gif.seek(number)
            shown.append((gif.convert("RGB"), gif.info["duration"]))
    return shown


def test_a_gif_of_few_colours_is_exact(tmp_path: Path) -> None:
    frames = [square(0), square(5), square(5, "blue"), square(40, "white"), square(40)]
    path = tmp_path / "a.gif"
    assert write_gif(path, iter(frames), palette_of(frames), 100, 2000) == 5
    shown = seen(path)
    assert [shown_ms for _, shown_ms in shown] == [100, 100, 100, 100, 2000]
    for (one, _), frame in zip(shown, frames, strict=True):
        assert np.array_equal(np.asarray(one), np.asarray(frame))


def test_what_stands_still_costs_nothing(tmp_path: Path) -> None:
    """Every colour is used, and those that are not in the palette have a nearest one in it."""
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 256, (64, 96, 3), dtype=np.uint8))
    palette = palette_of([noise])
    one, many = tmp_path / "one.gif", tmp_path / "many.gif"
    write_gif(one, [noise], palette, 100, 100)
    write_gif(many, [noise] * 50, palette, 100, 100)
    assert many.stat().st_size - one.stat().st_size < 50 * 40
    shown = [np.asarray(frame).astype(int) for frame, _ in seen(many)]
    assert len(shown) == 50
    assert all(np.array_equal(frame, shown[0]) for frame in shown)
    assert np.abs(shown[0] - np.asarray(noise)).mean() < 30


def test_a_palette_keeps_what_it_is_told(tmp_path: Path) -> None:
    gradient = np.zeros((64, 256, 3), np.uint8)
    gradient[..., 0], gradient[..., 1] = np.arange(256), np.arange(64)[:, None] * 4
    frame = Image.fromarray(gradient)
    frame.putpixel((3, 3), (19, 54, 9))
    path = tmp_path / "a.gif"
    for kept, exact in ((["#133609"], True), ([], False)):
        palette = palette_of([frame], kept)
        assert len(palette) <= 3 * 255
        write_gif(path, [frame], palette, 100, 100)
        assert (seen(path)[0][0].getpixel((3, 3)) == (19, 54, 9)) == exact


@pytest.mark.parametrize("count", [3, 33, 200])
def test_colours_are_chosen_from_first_to_last(tmp_path: Path, count: int) -> None:
    """The first half is red and the second blue."""
    frames = [square(0, "red" if 2 * k < count else "blue") for k in range(count)]
    palette = np.array(palette_of(frames)).reshape(-1, 3).tolist()
    assert [255, 0, 0] in palette and [0, 0, 255] in palette


def test_frames_are_not_kept(tmp_path: Path) -> None:
    alive, most = list[ref[Image.Image]](), 0

    def counted() -> Iterator[Image.Image]:
        nonlocal most
        for number in range(20):
            frame = square(number)
            alive.append(ref(frame))
            most = max(most, sum(one() is not None for one in alive))
            yield frame

    assert write_gif(tmp_path / "a.gif", counted(), palette_of([square(0)]), 100, 100) == 20
    assert most <= 3


def test_the_same_frames_give_the_same_bytes(tmp_path: Path) -> None:
    paths = [tmp_path / "a.gif", tmp_path / "b.gif"]
    for path in paths:
        frames = [square(left) for left in range(6)]
        write_gif(path, frames, palette_of(frames), 100, 500)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_no_frames_are_refused_and_leave_no_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no frames"):
        palette_of([])

    def broken() -> Iterator[Image.Image]:
        yield square(0)
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        write_gif(tmp_path / "a.gif", broken(), palette_of([square(0)]), 100, 100)
    assert not any(tmp_path.iterdir())


def test_an_mp4_comes_back(tmp_path: Path) -> None:
    pytest.importorskip("av", reason="needs the video extra: av")
    path = tmp_path / "a.mp4"
    frames = [square(left, size=(96, 64)) for left in range(0, 40, 4)]
    assert write_mp4(path, iter(frames), 100, 500) == 10
    back = list(video_frames(path, 10, 96))
    assert len(back) == 14, "nine of a tenth of a second, and the last of half a second"
    for number, frame in enumerate(back):
        red = np.asarray(frame)[8, :, 0] > 100
        left = min(number, 9) * 4
        assert abs(np.flatnonzero(red).mean() - (left + 3.5)) < 1.5
    assert len(list(video_frames(path, 5, 96))) == 7
    assert next(video_frames(path, 10, 48)).size == (48, 32)
    again = tmp_path / "b.mp4"
    write_mp4(again, frames, 100, 500)
    assert again.read_bytes() == path.read_bytes()


def test_what_is_no_video_is_named(tmp_path: Path) -> None:
    pytest.importorskip("av", reason="needs the video extra: av")
    path = tmp_path / "a.mp4"
    with pytest.raises(FileNotFoundError, match=r"a\.mp4: no such video"):
        next(video_frames(path, 10, 96))
    path.write_bytes(b"no video")
    with pytest.raises(ValueError, match=r"a\.mp4: no video that can be read"):
        next(video_frames(path, 10, 96))


def test_without_pyav_it_is_told_how(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ModuleNotFoundError) as caught:
        write_mp4(tmp_path / "a.mp4", [square(0)], 100, 100)
    assert "pip install 'impromptu-vla[video]'" in caught.value.__notes__[0]


def test_a_folder_is_read_by_number(tmp_path: Path) -> None:
    for number, left in ((10, 20), (9, 10), (100, 30)):
        square(left).save(tmp_path / f"{number}.png")
    (tmp_path / "notes.txt").write_text("no image")
    square(0, size=(96, 64)).save(tmp_path / "200.png")
    frames = list(folder_frames(tmp_path, 960))
    assert [frame.size for frame in frames] == [SIZE] * 4
    lefts = [int(np.flatnonzero(np.asarray(frame)[5, :, 0] > 128)[0]) for frame in frames]
    assert lefts == [10, 20, 30, 0]
    assert {frame.size for frame in folder_frames(tmp_path, 24)} == {(24, 16)}


def test_a_spoilt_image_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no image in it"):
        next(folder_frames(tmp_path, 960))
    square(0).save(tmp_path / "1.png")
    whole = (tmp_path / "1.png").read_bytes()
    (tmp_path / "2.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(OSError, match=r"2\.png: no image that can be read"):
        list(folder_frames(tmp_path, 960))
