from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from impromptu.clip import Agent, Clip, Unanswerable
from impromptu.preset import STRICT
from impromptu.questions import AnswerError
from impromptu.questions import vulnerable_road_users as q1
from impromptu.questions.vulnerable_road_users import Sighting
from impromptu.wording import load_wording

WORDING = load_wording(None, STRICT)
Among = Callable[..., Clip]
Make = Callable[..., Agent]


def _truth(clip: Clip) -> list[tuple[str, float, float | None]]:
    return [(s.category, s.ahead_m, s.left_m) for s in q1.truth(clip, STRICT)]


def test_those_near_ahead_are_told_in_order(among: Among, make_agent: Make) -> None:
    clip = among(
        make_agent("WHEELED_DEVICE", "cyclist", 3.6, 0.0),
        make_agent("pedestrian", "pedestrian", 9.5, -3.4),
        make_agent("bicycle", "cyclist", 20.0, 1.6),
    )
    assert _truth(clip) == [
        ("WHEELED DEVICE", 4, None),
        ("pedestrian", 10, -3),
        ("bicycle", 20, 2),
    ]


@pytest.mark.parametrize(
    "unseen",
    [
        ("pedestrian", "pedestrian", 20.1, 0.0),
        ("pedestrian", "pedestrian", -5.0, 0.0),
        ("car", "vehicle", 10.0, 0.0),
        ("traffic cone", "object", 10.0, 0.0),
        ("pedestrian", "pedestrian", 10.0, 10.6),  # 90 degrees wide: 10 m aside at 10 m
        ("pedestrian", "pedestrian", 10.0, 0.0, (0, 0), False),
    ],
)
def test_others_are_not(
    among: Among, make_agent: Make, unseen: tuple[str, str, float, float]
) -> None:
    assert _truth(among(make_agent(*unseen))) == []


def test_half_a_box_in_the_image_is_seen(among: Among, make_agent: Make) -> None:
    """At x = 10 the image ends at y = 10; the box is 1 m wide, so its centre may be 10.4 out.

    Its nearer corners (x = 9.5) show up to y = 9.5 and its farther ones up to 10.5.
    """
    assert _truth(among(make_agent("a", "pedestrian", 10.0, 9.9)))  # the centre is in
    assert not _truth(among(make_agent("a", "pedestrian", 10.0, 10.1)))  # 2 corners are
    # A tall image: turned by 45 degrees, half of the corners are nearer to the axis.
    turned = replace(make_agent("a", "pedestrian", 10.0, 10.1), yaw_rad=np.pi / 4)
    assert _truth(among(turned))  # corners at (10.7, 10.1) and (10, 9.4) are in, top and bottom


def test_without_calibration_it_is_35_degrees(among: Among, make_agent: Make) -> None:
    clip = among(
        make_agent("in", "pedestrian", 10.0, 6.9), make_agent("out", "pedestrian", 10.0, 7.1)
    )
    front = replace(clip.observation.cameras[0], ego_SE3_camera=None)
    seen = replace(clip.observation, cameras=(front,))
    assert [s.category for s in q1.truth(replace(clip, observation=seen), STRICT)] == ["in"]


def test_nobody_is_an_answer_only_where_people_looked(clip: Clip) -> None:
    text = q1.write(q1.truth(clip, STRICT), WORDING)
    assert text.startswith("No, I don't see any")
    unlabelled = replace(clip, observation=replace(clip.observation, annotated=False))
    with pytest.raises(Unanswerable, match="not_annotated"):
        q1.truth(unlabelled, STRICT)


def test_the_sentence() -> None:
    sightings = (
        Sighting("pedestrian", 7, 2),
        Sighting("OFFICIAL SIGNALER", 9, None),
        Sighting("bicycle", 12, -5),
    )
    text = q1.write(sightings, WORDING)
    assert text == (
        "Yes, I see a pedestrian located 7 meters ahead of me and 2 meters to the left, "
        "and an OFFICIAL SIGNALER located 9 meters ahead of me, "
        "and a bicycle located 12 meters ahead of me and 5 meters to the right."
    )
    assert q1.read(text) == sightings
    assert q1.read(q1.write((), WORDING)) == ()


categories = st.sampled_from(["pedestrian", "WHEELCHAIR", "Cyclist", "animal and rider", "a b"])
asides = st.none() | st.integers(2, 40).map(float) | st.integers(-40, -2).map(float)
sightings = st.builds(Sighting, categories, st.integers(0, 20).map(float), asides)


@given(st.lists(sightings, max_size=5).map(tuple))
def test_reading_what_was_written(seen: tuple[Sighting, ...]) -> None:
    assert q1.read(q1.write(seen, WORDING)) == seen


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("no", ()),
        ("No.", ()),
        ("No vulnerable road users are near.", ()),
        ("yes, I see a pedestrian located 7.5 meters ahead of me", (("pedestrian", 7.5, None),)),
        (
            "Yes, I see a dog located 1 meter ahead of me and 1 meter to the Left and a cat "
            "located 2 meters ahead of me.",
            (("dog", 1, 1), ("cat", 2, None)),
        ),
    ],
)
def test_other_spellings(text: str, seen: tuple[tuple[str, float, float | None], ...]) -> None:
    assert q1.read(text) == tuple(Sighting(*one) for one in seen)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Note that a pedestrian is there.",
        "North of me is nobody.",
        "No one knows",
        "No, I see nobody. Yes, I see a pedestrian.",
        "No, a pedestrian located 3 meters ahead of me.",
        "Yes.",
        "Yes, I see ",
        "Yes, I see a pedestrian.",
        "Yes, I see a pedestrian located -3 meters ahead of me.",
        "Yes, I see a pedestrian located 3 meters ahead of me and 2 meters to the north.",
        "Yes, I see a pedestrian located 3 meters ahead of me, and more.",
    ],
)
def test_what_does_not_answer(text: str) -> None:
    with pytest.raises(AnswerError):
        q1.read(text)


@given(st.one_of(st.text(), st.text(alphabet="aeY ,.").map("Yes, I see a{}".format)))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        q1.read(text)
    except AnswerError:
        pass


def test_the_prompt_shows_the_front(clip: Clip) -> None:
    front = replace(clip.observation, cameras=clip.observation.cameras[:1])
    assert q1.prompt(front, WORDING).startswith("<FRONT VIEW>:\n<image>\n")
