from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from impromptu.clip import Agent, Clip, MetaAction, Observation, Unanswerable
from impromptu.meta_actions import PATH_WORDS, SPEED_WORDS
from impromptu.preset import STRICT
from impromptu.questions import AnswerError, motion_intention
from impromptu.wording import Wording, load_wording

WORDING = load_wording(None, STRICT)
BARE = Wording({**WORDING.templates, "q2.prompt": "{view}|{view_lower}|{objects}"})
Among = Callable[..., Clip]
Make = Callable[..., Agent]


def _in_view(clip: Clip, view: str) -> Clip:
    cameras = tuple(camera for camera in clip.observation.cameras if camera.view == view)
    return replace(clip, observation=replace(clip.observation, cameras=cameras))


def _seen(clip: Clip, view: str = "FRONT") -> Observation:
    return motion_intention.narrow(_in_view(clip, view), STRICT)


def test_lines_of_objects(among: Among, make_agent: Make) -> None:
    clip = among(
        make_agent("car", "vehicle", 10.4, -2.5, (-3.0, 4.0)),
        make_agent("LARGE_VEHICLE", "vehicle", 30.6, 3.5, (0.4, 0)),
    )
    assert motion_intention.prompt(_seen(clip), BARE) == (
        "FRONT|front|"
        "Object 1: car, 10 meters ahead, 2 meters to the right, speed of 5 m/s.\n"
        "Object 2: LARGE_VEHICLE, 31 meters ahead, 4 meters to the left, speed of 0 m/s."
    )
    assert motion_intention.prompt(_seen(clip), WORDING).count("<image>") == 1


def test_behind(among: Among, make_agent: Make) -> None:
    clip = among(make_agent("car", "vehicle", -12.0, -1.0))
    assert "Object 1: car, 12 meters behind, 1 meters to the right, speed of 0 m/s." in (
        motion_intention.prompt(_seen(clip, "BACK"), BARE)
    )


@pytest.mark.parametrize(
    ("view", "agent", "is_asked"),
    [
        ("FRONT", ("car", "vehicle", 39.9, 0.0), True),
        ("FRONT", ("car", "vehicle", 40.1, 0.0), False),
        ("FRONT", ("barrier", "object", 10.0, 0.0), False),
        ("FRONT", ("car", "vehicle", 10.0, 0.0, None), False),
        ("FRONT", ("car", "vehicle", 10.0, 0.0, (0, 0), False), False),
        ("FRONT", ("car", "vehicle", 10.0, 10.1), False),
        ("FRONT", ("car", "vehicle", -10.0, 0.0), False),
        ("FRONT LEFT", ("car", "vehicle", 20.0, 30.0), True),
        ("BACK LEFT", ("car", "vehicle", -10.0, 19.0), False),  # 21.5 m away
        ("BACK LEFT", ("car", "vehicle", -9.0, 17.0), True),  # 19.2 m
        ("BACK", ("pedestrian", "pedestrian", -10.0, 0.0), True),
    ],
)
def test_who_is_asked_about(
    among: Among, make_agent: Make, view: str, agent: tuple[str, str, float, float], is_asked: bool
) -> None:
    clip = among(make_agent(*agent))
    if is_asked:
        assert len(_seen(clip, view).agents) == 1
    else:
        with pytest.raises(Unanswerable, match="no_agent_in_view"):
            _seen(clip, view)


def test_who_is_lost_before_three_seconds_is_listed_and_has_no_answer(
    among: Among, make_agent: Make
) -> None:
    """Leaving one out would tell whom the sensors are about to lose."""
    clip = among(make_agent("car", "vehicle", 10.0, 0.0), make_agent("bus", "vehicle", 12.0, 0.0))
    car, bus = clip.observation.agents
    cut = {car.id: clip.agent_futures[car.id][:5], bus.id: clip.agent_futures[bus.id][:6]}
    for futures in (cut, {}):
        lost = replace(clip, agent_futures=futures)
        seen = _seen(lost)
        assert [agent.category for agent in seen.agents] == ["car", "bus"]
        with pytest.raises(Unanswerable, match="agent_lost_within_3s"):
            motion_intention.truth(replace(lost, observation=seen), STRICT)


def test_without_calibration_only_the_front_view_is_asked(among: Among, make_agent: Make) -> None:
    clip = among(make_agent("car", "vehicle", 10.0, 2.0), make_agent("bus", "vehicle", -10.0, 2.0))
    cameras = tuple(replace(camera, size_px=None) for camera in clip.observation.cameras)
    clip = replace(clip, observation=replace(clip.observation, cameras=cameras))
    assert [agent.category for agent in _seen(clip).agents] == ["car"]
    with pytest.raises(Unanswerable, match="no_agent_in_view"):
        _seen(clip, "BACK")


def test_unlabelled_logs_are_not_asked(clip: Clip) -> None:
    with pytest.raises(Unanswerable, match="not_annotated"):
        _seen(replace(clip, observation=replace(clip.observation, annotated=False)))


def test_truth_is_numbered_as_the_prompt_is(among: Among, make_agent: Make) -> None:
    clip = among(
        make_agent("barrier", "object", 5.0, 0.0),
        make_agent("car", "vehicle", 10.0, 0.0),
        make_agent("bus", "vehicle", 20.0, 0.0, (6.0, 0.0)),
    )
    narrowed = replace(clip, observation=_seen(clip))
    truth = motion_intention.truth(narrowed, STRICT)
    assert truth == {1: MetaAction("STOP", "STRAIGHT"), 2: MetaAction("KEEP", "STRAIGHT")}
    text = motion_intention.write(truth, WORDING)
    assert text == (
        "<DYNAMIC OBJECTS>Object 1: STOP, STRAIGHT\nObject 2: KEEP, STRAIGHT</DYNAMIC OBJECTS>"
    )


def test_a_pedestrian_has_no_lane(among: Among, make_agent: Make) -> None:
    clip = among(
        make_agent("pedestrian", "pedestrian", 10.0, 0.0, (4.0, 0.0)),
        make_agent("bicycle", "cyclist", 12.0, 0.0, (4.0, 0.0)),
    )
    swing = np.array([0, 0.5, 1.5, 1.5, 1.5, 1.5])
    futures = {
        agent.id: replace(
            clip.agent_futures[agent.id][:6],
            xy_m=clip.agent_futures[agent.id].xy_m[:6] + np.column_stack([np.zeros(6), swing]),
            yaw_rad=np.array([0.12, 0.36, 0.23, 0, 0, 0]),
        )
        for agent in clip.observation.agents
    }
    narrowed = replace(clip, agent_futures=futures)
    narrowed = replace(narrowed, observation=_seen(narrowed))
    truth = motion_intention.truth(narrowed, STRICT)
    assert [truth[1].path, truth[2].path] == ["STRAIGHT", "LEFT_CHANGE"]


actions = st.builds(MetaAction, st.sampled_from(SPEED_WORDS), st.sampled_from(PATH_WORDS))


@given(st.dictionaries(st.integers(1, 99), actions, min_size=1))
def test_reading_what_was_written(truth: dict[int, MetaAction]) -> None:
    assert motion_intention.read(motion_intention.write(truth, WORDING)) == truth


def test_other_spellings_are_read() -> None:
    text = "\n\nobject 2 : keep,left_turn.\n  Object 1:STOP ,  STRAIGHT\n"
    expected = {2: MetaAction("KEEP", "LEFT_TURN"), 1: MetaAction("STOP", "STRAIGHT")}
    assert motion_intention.read(text) == expected
    assert motion_intention.read(f"<DYNAMIC OBJECTS>{text}</DYNAMIC OBJECTS>") == expected


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "expected lines"),
        ("<DYNAMIC OBJECTS></DYNAMIC OBJECTS>", "expected lines"),
        ("Object 1: KEEP, STRAIGHT\nObject 1: STOP, STRAIGHT", "Object 1 comes twice"),
        ("Object 1: FLY, STRAIGHT", "expected SPEED, PATH"),
        ("Object 1: KEEP", "expected SPEED, PATH"),
        ("The car stops.", "expected 'Object k: SPEED, PATH', got 'The car"),
        ("<DYNAMIC OBJECTS>Object 1: KEEP, STRAIGHT", "once each"),
    ],
)
def test_what_does_not_answer(text: str, complaint: str) -> None:
    with pytest.raises(AnswerError, match=complaint):
        motion_intention.read(text)


@given(st.one_of(st.text(), st.text(alphabet="OKbject 12:,\nSTPRAIGHE").map("Object 1:{}".format)))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        motion_intention.read(text)
    except AnswerError:
        pass
