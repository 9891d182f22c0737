"""What a film shows, looked up in its pixels."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageChops
from tests.closed_loop.filmed import engine_run
from tests.closed_loop.test_takes import take_of

from impromptu.closed_loop import campaign, scenarios
from impromptu.closed_loop.birds_eye import AHEAD_M, BEHIND_M, above
from impromptu.closed_loop.drivers import DRIVERS
from impromptu.closed_loop.film import EVERY_MS, Film
from impromptu.closed_loop.front_view import FrontView
from impromptu.closed_loop.takes import Take
from impromptu.pictures import run_style

ORANGE, BLUE = "#D55E00", "#0072B2"
METRE_PX = 10
SIZE = (400, round(METRE_PX * (BEHIND_M + AHEAD_M)))


def like(image: Image.Image, colour: str) -> NDArray[np.bool_]:
    """Which pixels have nearly that colour."""
    wanted = np.array(Image.new("RGB", (1, 1), colour)).astype(int)
    near: NDArray[np.bool_] = (np.abs(np.asarray(image).astype(int) - wanted) < 12).all(axis=-1)
    return near


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> list[Take]:
    """The engine's runs: one that crashes at 2.6 s, and one that stops short and goes on to 6 s."""
    folder = tmp_path_factory.mktemp("engine")
    fast = engine_run(folder / "fast" / "stationary-0099" / "run_0")
    slow = engine_run(folder / "slow" / "stationary-0099" / "run_0", 1.0, range(3, 13))
    return [take_of(fast), take_of(slow)]


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Take:
    """A run of the mini-simulator: straight into a standing car."""
    folder = tmp_path_factory.mktemp("simulated")
    chosen = scenarios.load()["stationary-0099"]
    (_,) = campaign.in_process([(chosen, 0)], folder, "cv", DRIVERS["constant_velocity"])
    return take_of(folder / "stationary-0099" / "run_0")


def test_above_everything_is_in_its_place(pair: list[Take]) -> None:
    """At 2 s the ego is at x = 12 m: the car's middle is 8 m ahead, the plan 1 to 6 m left."""
    image = above(pair[0], 2_000_000, ORANGE, SIZE)
    middle, level = SIZE[0] // 2, round(METRE_PX * AHEAD_M)
    actor = np.argwhere(like(image, "#c4342e"))
    assert actor.mean(axis=0) == pytest.approx([level - 8 * METRE_PX, middle], abs=3)
    assert np.ptp(actor, axis=0) == pytest.approx([4 * METRE_PX, 2 * METRE_PX], abs=6)
    dots = like(image, ORANGE)[level, middle - 7 * METRE_PX : middle - METRE_PX - 5]
    assert dots.mean() > 0.5, "the plan leads to the left"
    assert not like(image, ORANGE)[: level - 30].any()
    assert like(image, ORANGE)[level + 25 : level + 30, middle].all(), "the way come is behind"


def test_the_view_turns_with_the_ego(tmp_path: Path) -> None:
    """It drives north along x = 15 m: the car 15 m further north, 5 m east, is ahead right."""
    run = engine_run(tmp_path / "stationary-0099" / "run_0", 1.0)
    lines: list[dict[str, object]] = [
        {
            "timestamp_us": 500_000 * k,
            "x_m": 15.0,
            "y_m": -15.0,
            "yaw_rad": np.pi / 2,
            "speed_mps": 0.0,
        }
        for k in range(3)
    ]
    (run / "trace.jsonl").write_text("\n".join(map(json.dumps, lines)))
    actor = np.argwhere(like(above(take_of(run), 500_000, ORANGE, SIZE), "#c4342e"))
    place = METRE_PX * (AHEAD_M - 15), SIZE[0] / 2 + 5 * METRE_PX
    assert actor.mean(axis=0) == pytest.approx(place, abs=3)
    assert np.ptp(actor, axis=0) == pytest.approx([2 * METRE_PX, 4 * METRE_PX], abs=6)


def test_where_they_touched_is_ringed(pair: list[Take]) -> None:
    """The front of the ego, 2.509 m ahead of its pose."""
    images = [above(pair[0], at_us, ORANGE, SIZE) for at_us in (2_599_999, 2_600_000)]
    assert not like(images[0], "#e0281b").any()
    ring = np.argwhere(like(images[1], "#e0281b"))
    place = METRE_PX * (AHEAD_M - 2.509), SIZE[0] / 2
    assert (ring.max(axis=0) + ring.min(axis=0)) / 2 == pytest.approx(place, abs=3)


def test_the_simulators_street_or_a_grid(pair: list[Take], simulated: Take) -> None:
    asphalt = "#54575e"
    there = above(simulated, simulated.begin_us, ORANGE, SIZE)
    assert like(there, asphalt).mean() > 0.1
    assert not like(above(pair[0], 2_000_000, ORANGE, SIZE), asphalt).any()


def test_what_has_ended_is_drawn_once(pair: list[Take], monkeypatch: pytest.MonkeyPatch) -> None:
    drawn, whole = list[int](), FrontView.picture

    def noted(view: FrontView, stamp_us: int) -> Image.Image:
        drawn.append(stamp_us)
        return whole(view, stamp_us)

    monkeypatch.setattr(FrontView, "picture", noted)
    film = Film(pair[:1])
    for at_us in (2_500_000, 2_600_000, 3_000_000, 9_000_000):
        film.frame(at_us)
    assert drawn == [2_500_000, 2_600_000]


def test_a_collision_is_marked_when_it_happens(pair: list[Take]) -> None:
    film = Film(pair)
    red = [like(film.frame(at_us), "#c9271b").sum() for at_us in (2_500_000, 2_600_000, 6_000_000)]
    assert red[0] == 0 and red[1] > 5_000 and red[1] == red[2], "and it stays"
    left, right = (film.last().crop(box) for box in ((0, 82, 480, 676), (484, 82, 964, 676)))
    assert like(left, "#c9271b")[:, :5].all() and not like(right, "#c9271b").any()
    assert like(right, "#0f766e").sum() > 1_000, "the other one came through"
    assert not like(film.frame(5_900_000), "#0f766e").any()


def test_its_length_and_size(pair: list[Take]) -> None:
    film = Film(pair)
    frames = list(film.frames())
    assert len(frames) == len(film) == (6_000 - 1_500) // EVERY_MS + 1
    assert {frame.size for frame in frames} == {film.size_px} == {(964, 676)}
    assert not ImageChops.difference(frames[-1], film.last()).getbbox()
    assert Film(pair[:1]).size_px == (480, 676)


def test_the_engines_pictures_are_those_of_the_moment(pair: list[Take]) -> None:
    view = FrontView(pair[1], BLUE, (480, 270))
    greys = [view.picture(at_us).getpixel((9, 9)) for at_us in (1_400_000, 1_500_000, 2_400_000)]
    assert greys == [(57, 66, 77), (30, 30, 30), (40, 40, 40)]


def test_a_spoilt_picture_is_named(tmp_path: Path) -> None:
    run = engine_run(tmp_path / "stationary-0099" / "run_0")
    (run / "CAM_FRONT" / "2000000.png").write_bytes(b"\x89PNG")
    film = Film([take_of(run)])
    film.frame(1_900_000)
    with pytest.raises(OSError, match=r"2000000\.png: no image that can be read"):
        film.frame(2_000_000)


def test_without_the_engines_pictures_the_field_is_grey(tmp_path: Path) -> None:
    run = engine_run(tmp_path / "stationary-0099" / "run_0")
    for path in (run / "CAM_FRONT").iterdir():
        path.unlink()
    (run / "CAM_FRONT").rmdir()
    assert FrontView(take_of(run), BLUE, (48, 27)).picture(2_000_000).getcolors() == [
        (48 * 27, (57, 66, 77))
    ]


def test_the_simulators_view_is_drawn_again_with_the_plan(simulated: Take) -> None:
    """The car ahead grows; the plan runs from the bottom up, a little right of a camera
    that looks 0.3 degrees to the left."""
    view = FrontView(simulated, BLUE, (480, 270))
    early, late = (
        view.picture(at_us) for at_us in (simulated.begin_us, simulated.end_us - 400_000)
    )
    assert not ImageChops.difference(early, view.picture(simulated.begin_us)).getbbox()
    reds = [np.asarray(image).astype(int) for image in (early, late)]
    counts = [((red[..., 0] - red[..., 1]) > 60).sum() for red in reds]
    assert counts[1] > 20 * counts[0] > 0
    plan = np.argwhere(like(early, BLUE))
    assert plan[:, 0].max() == 269 and plan[:, 0].min() > 135, "on the ground, below the horizon"
    assert abs(plan[:, 1].mean() - 240) < 15


def test_an_answer_that_could_not_be_read_is_told(pair: list[Take]) -> None:
    film = Film(pair[1:])
    before = film.frame(2_000_000)
    pair[1].plans.read[1] = False  # type: ignore[index]
    after = film.frame(2_000_000)
    pair[1].plans.read[1] = True  # type: ignore[index]
    box = ImageChops.difference(before, after).getbbox()
    assert box and 82 + 270 - 30 <= box[1] < box[3] <= 82 + 270


def test_a_name_without_end_is_cut_and_never_breaks_the_line(pair: list[Take]) -> None:
    plain = Film(pair[:1]).frame(2_000_000)
    named = Film([replace(pair[0], model="a\nb" * 400)]).frame(2_000_000)
    box = ImageChops.difference(plain, named).getbbox()
    assert box and box[1] >= 34 and box[3] <= 34 + 20, "one line, in its place"
    assert box[2] < 480 - 60, "the speed is not written over"


def test_models_have_the_colours_of_all_other_pictures(pair: list[Take]) -> None:
    frame = Film([*pair, *pair]).frame(1_500_000)
    swatches = [frame.getpixel((position * 484 + 17, 34 + 10)) for position in range(4)]
    expected = [Image.new("RGB", (1, 1), run_style(k)[0]).getpixel((0, 0)) for k in range(4)]
    assert swatches == expected
