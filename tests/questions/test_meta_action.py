from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impromptu.clip import Clip, MetaAction, Unanswerable
from impromptu.meta_actions import PATH_WORDS, SPEED_WORDS
from impromptu.preset import STRICT
from impromptu.questions import AnswerError, meta_action
from impromptu.wording import Wording, load_wording

WORDING = load_wording(None, STRICT)
BARE = Wording({**WORDING.templates, "q6.prompt": "{views}|{speed}|{command}"})


def test_the_prompt_tells_views_speed_and_a_logged_command(clip: Clip) -> None:
    observation = replace(clip.observation, cameras=clip.observation.cameras[:2])
    views = "<FRONT VIEW>:\n<image>\n<FRONT RIGHT VIEW>:\n<image>\n"
    assert meta_action.prompt(observation, BARE) == f"{views}|8|"
    told = replace(observation, command="turn left")
    expected = f"{views}|8| The navigation command is: turn left."
    assert meta_action.prompt(told, BARE) == expected


def test_truth_and_its_text(clip: Clip) -> None:
    # 8 m/s and 0.6 m/s2: 9.65 m/s over the last half second; 26.7 m on a radius of 50 m.
    truth = meta_action.truth(clip, STRICT)
    assert truth == MetaAction("ACCELERATE", "LEFT_TURN")
    text = meta_action.write(truth, WORDING)
    assert text == "<SPEED PATH PLAN>ACCELERATE,LEFT_TURN</SPEED PATH PLAN>"


def test_an_unknown_speed_is_a_reason(clip: Clip) -> None:
    observation = replace(clip.observation, statuses=(*clip.observation.statuses[:-1], None))
    with pytest.raises(Unanswerable, match="speed_unknown"):
        meta_action.narrow(replace(clip, observation=observation), STRICT)
    with pytest.raises(Unanswerable, match="speed_unknown"):
        meta_action.prompt(observation, WORDING)


@given(st.sampled_from(SPEED_WORDS), st.sampled_from(PATH_WORDS))
def test_reading_what_was_written(speed: str, path: str) -> None:
    action = MetaAction(speed, path)  # type: ignore[arg-type]
    assert meta_action.read(meta_action.write(action, WORDING)) == action


@pytest.mark.parametrize(
    "text",
    [
        "KEEP,LEFT_CHANGE",
        "keep, left_change.",
        "<SPEED PATH PLAN>KEEP, LEFT_CHANGE\n</SPEED PATH PLAN>",
        "I would <SPEED PATH PLAN> KEEP ,LEFT_CHANGE </SPEED PATH PLAN>, I think.",
    ],
)
def test_other_spellings_are_read(text: str) -> None:
    assert meta_action.read(text) == MetaAction("KEEP", "LEFT_CHANGE")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "KEEP",
        "KEEP,STRAIGHT,STRAIGHT",
        "STRAIGHT,KEEP",
        "KEEP STRAIGHT",
        "I would KEEP,STRAIGHT",
        "<SPEED PATH PLAN>KEEP,STRAIGHT",
    ],
)
def test_what_does_not_answer(text: str) -> None:
    with pytest.raises(AnswerError):
        meta_action.read(text)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        meta_action.read(text)
    except AnswerError:
        pass
