"""``impromptu ncap video``: its films, its page in a browser, and what goes wrong."""

import re
import shutil
import sys
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.closed_loop.filmed import engine_run

from impromptu.cli import main

HOSTILE = "<img src=x onerror=alert(1)>"
NAMES = ("side-0103", "frontal-0110")


@pytest.fixture(scope="module")
def driven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models' runs by the mini-simulator; one of them has an awkward name."""
    folder = tmp_path_factory.mktemp("runs")
    for driver, name in (("stop", "stop"), ("constant_velocity", HOSTILE)):
        words = ["--driver", driver, "--runs", "1", "--out", str(folder / name)]
        assert main(["ncap", "sim", "--scenarios", *NAMES, *words]) == 0
    return folder


@pytest.fixture(scope="module")
def made(driven: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("gallery") / "out"
    runs = [str(driven / "stop"), str(driven / HOSTILE)]
    assert main(["ncap", "video", *runs, "--out", str(out)]) == 0
    return out


def test_a_film_and_its_last_frame_for_each_scenario(made: Path) -> None:
    names = {f"{name}-run_0.{kind}" for name in NAMES for kind in ("gif", "png")}
    assert {path.name for path in made.iterdir()} == {"index.html", *names}
    with Image.open(made / "side-0103-run_0.gif") as film:
        assert film.size == (964, 676)
        assert 25 < film.n_frames < 60
    with Image.open(made / "side-0103-run_0.png") as still:
        assert still.getpixel((2, 300)) == (201, 39, 27), "the collision's frame"


def test_the_same_runs_give_the_same_bytes(driven: Path, made: Path, tmp_path: Path) -> None:
    runs = [str(driven / "stop"), str(driven / HOSTILE)]
    words = ["--scenarios", "side", "--run", "0", "--out", str(tmp_path)]
    assert main(["ncap", "video", *runs, *words]) == 0
    for kind in ("gif", "png"):
        name = f"side-0103-run_0.{kind}"
        assert (tmp_path / name).read_bytes() == (made / name).read_bytes()


def test_the_page_names_its_files_by_relative_paths_and_escapes_names(made: Path) -> None:
    page = (made / "index.html").read_text(encoding="utf-8")
    files = re.findall(r'(?:src|srcset|href|poster)="([^"#]+)"', page)
    assert files and all((made / name).is_file() for name in files)
    assert "http" not in page.replace("http-equiv", "") and HOSTILE not in page
    told = unescape(page)
    assert HOSTILE in told and "mini-simulator's street, not nuScenes" in told
    assert page.index("side-0103, run 0") > page.index("frontal-0110, run 0")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_in_a_browser(page: Any, made: Path, scheme: str) -> None:
    page.do(
        "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}]
    )
    metrics = {"width": 390, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    page.do("Emulation.setDeviceMetricsOverride", **metrics)
    page.open((made / "index.html").as_uri())
    page.js("[...document.images].forEach(one => one.loading = 'eager')")
    page.until("[...document.images].every(one => one.naturalWidth == 964)")
    assert page.js("document.images.length") == 2
    assert page.js("document.documentElement.scrollWidth <= 390")
    light = "(c => c.match(/[\\d.]+/g).slice(0, 3).map(Number).reduce((a, b) => a + b) / 765)"
    ink, ground = (
        page.js(f"{light}(getComputedStyle(document.body).{name})")
        for name in ("color", "backgroundColor")
    )
    assert abs(ink - ground) > 0.6 and (ink > ground) == (scheme == "dark")
    assert page.complaints() == []


def test_whoever_wants_less_motion_sees_the_end(page: Any, made: Path) -> None:
    features = [{"name": "prefers-reduced-motion", "value": "reduce"}]
    page.do("Emulation.setEmulatedMedia", features=features)
    page.open((made / "index.html").as_uri())
    page.js("[...document.images].forEach(one => one.loading = 'eager')")
    page.until("[...document.images].every(one => one.currentSrc.endsWith('.png'))")


def test_mp4(driven: Path, tmp_path: Path, page: Any) -> None:
    pytest.importorskip("av", reason="needs the video extra: av")
    words = ["--scenarios", "side-0103", "--form", "mp4", "--out", str(tmp_path)]
    assert main(["ncap", "video", str(driven / "stop"), *words]) == 0
    page.open((tmp_path / "index.html").as_uri())
    page.js("document.querySelector('video').load()")
    page.js("document.querySelector('video').preload = 'auto'")
    page.until("document.querySelector('video').readyState >= 2")
    assert page.js("document.querySelector('video').videoWidth") == 480
    assert page.js("document.querySelector('video').duration") > 4
    assert page.complaints() == []


def test_without_the_extra_mp4_tells_how(
    driven: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    words = ["--form", "mp4", "--out", str(tmp_path / "out")]
    assert main(["ncap", "video", str(driven / "stop"), *words]) == 2
    assert "pip install 'impromptu-vla[video]'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_what_is_missing_is_named_and_the_rest_shown(
    driven: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    shutil.copytree(driven / "stop", other)
    failed = other / "frontal-0110" / "run_0"
    (failed / "metrics.json").unlink()
    (failed / "failure.json").write_text('{"error": "the model was down"}')
    out, runs = tmp_path / "out", ["ncap", "video", str(driven / "stop"), str(other)]
    assert main([*runs, "--out", str(out)]) == 0
    told = capsys.readouterr().out
    assert "2 scenarios asked: 1 shown, 1 left out" in told
    assert "frontal-0110: no finished run of other (the model was down)" in told
    page = (out / "index.html").read_text(encoding="utf-8")
    assert "no finished run of other (the model was down)" in page
    assert main([*runs, "--scenarios", "frontal", "--out", str(tmp_path / "none")]) == 1
    assert "1 scenarios asked: 0 shown, 1 left out" in capsys.readouterr().out


def test_the_engines_runs(tmp_path: Path) -> None:
    for name in ("a", "b"):
        engine_run(tmp_path / name / "stationary-0061", 2.0 if name == "a" else 6.0)
    runs = [str(tmp_path / "a"), str(tmp_path / "b")]
    assert main(["ncap", "video", *runs, "--out", str(tmp_path / "out")]) == 0
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "those that the engine saved" in page
    assert "collision at 2.6 s with 6.0 m/s" in page


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        ("actors.json", r"side-0103/run_0.*actors\.json:1:\d+: not valid JSON"),
        ("trace.jsonl", r"side-0103/run_0/trace\.jsonl:\d+: not valid JSON"),
        ("metrics.json", r"side-0103/run_0/metrics\.json:1:\d+: not valid JSON"),
    ],
)
def test_a_file_that_is_cut_short(
    driven: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], spoil: str, message: str
) -> None:
    runs = tmp_path / "runs"
    shutil.copytree(driven / "stop", runs)
    path = runs / "side-0103" / "run_0" / spoil
    path.write_bytes(path.read_bytes()[:-9])
    assert main(["ncap", "video", str(runs), "--out", str(tmp_path / "out")]) == 2
    assert re.search(message, capsys.readouterr().err)
    assert not list((tmp_path / "out").glob("side*"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "nowhere: no such folder of runs"),
        (["{stop}", "--scenarios", "side-0130"], "Did you mean 'side-0103'?"),
        (["{stop}", "--run", "-1"], "no finished run -1 of stop"),
        (["{stop}", "--form", "avi"], "invalid choice: 'avi'"),
    ],
)
def test_typing_errors(
    driven: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    message: str,
) -> None:
    filled = [word.format(stop=driven / "stop") for word in words]
    try:
        code = main(["ncap", "video", *filled, "--out", str(tmp_path / "out")])
    except SystemExit as error:
        code = int(error.code or 0)
    told = capsys.readouterr()
    assert code == (1 if "-1" in words else 2)
    assert message in told.err + told.out
