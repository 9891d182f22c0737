"""``scripts/video_to_gif.py``: an MP4 or a folder of images becomes a GIF."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from impromptu.cli import main
from impromptu.moving_pictures import write_mp4

SCRIPT = Path(__file__).parents[2] / "scripts" / "video_to_gif.py"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three images, named by stamps as NeuroNCAP's engine names them."""
    made = tmp_path / "CAM_FRONT"
    made.mkdir()
    for stamp, colour in ((900_000, "red"), (1_400_000, "lime"), (1_900_000, "blue")):
        Image.new("RGB", (64, 36), colour).save(made / f"{stamp}.png")
    return made


def test_a_folder_at_the_engines_pace(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.gif"
    done = subprocess.run(
        [sys.executable, SCRIPT, folder, out, "--width", "32"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "3 images at 2 a second" in done.stdout
    with Image.open(out) as gif:
        assert (gif.size, gif.info["duration"]) == ((32, 18), 500)
        colours = []
        for number in range(3):
            gif.seek(number)
            colours.append(gif.convert("RGB").getpixel((5, 5)))
        assert gif.info["duration"] == 1000
    assert colours == [(255, 0, 0), (0, 255, 0), (0, 0, 255)]


def test_a_video(tmp_path: Path) -> None:
    pytest.importorskip("av", reason="needs the video extra: av")
    source, out = tmp_path / "a.mp4", tmp_path / "a.gif"
    frames = [Image.new("RGB", (64, 36), (8 * k, 0, 0)) for k in range(30)]
    write_mp4(source, frames, 50, 50)
    assert main(["video-to-gif", str(source), str(out)]) == 0
    with Image.open(out) as gif:
        assert gif.n_frames == 15
        assert gif.info["duration"] == 100


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["{folder}", "{tmp}/a.mp4"], "expected a name that ends in .gif"),
        (["{tmp}/nowhere", "{tmp}/a.gif"], "no such video, nor folder of images"),
        (["{folder}", "{tmp}/a.gif", "--fps", "0"], "from 0.1 to 50"),
        (["{folder}", "{tmp}/a.gif", "--fps", "nan"], "from 0.1 to 50"),
        (["{folder}", "{tmp}/a.gif", "--width", "0"], "expected 1 or more"),
        (["{tmp}/empty", "{tmp}/a.gif"], "empty: no image in it"),
    ],
)
def test_what_cannot_be_done(
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    message: str,
) -> None:
    (tmp_path / "empty").mkdir()
    filled = [word.format(folder=folder, tmp=tmp_path) for word in words]
    assert main(["video-to-gif", *filled]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.glob("a.*"))


def test_an_image_that_is_cut_short_is_named(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "2400000.jpg").write_bytes(b"\xff\xd8\xff")
    assert main(["video-to-gif", str(folder), str(tmp_path / "a.gif")]) == 2
    assert "2400000.jpg: no image that can be read" in capsys.readouterr().err
