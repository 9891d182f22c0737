"""q3, q4 and q5: their prompts come from the log, their answers from a teacher."""

from dataclasses import replace

import pytest

from impromptu.clip import Clip, MetaAction, Unanswerable
from impromptu.preset import STRICT
from impromptu.questions import (
    AnswerError,
    planning_explanation,
    scene_description,
    traffic_light,
)
from impromptu.wording import Wording, load_wording

WORDING = load_wording(None, STRICT)


def test_q3_tells_the_decision(clip: Clip) -> None:
    bare = Wording({**WORDING.templates, "q3.prompt": "{speed}|{command}|{decision}"})
    assert clip.observation.decision is None
    seen = planning_explanation.narrow(clip, STRICT)
    assert planning_explanation.prompt(seen, bare) == "8||accelerate and turn left"
    with pytest.raises(Unanswerable, match="no_decision"):
        planning_explanation.prompt(clip.observation, bare)


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (MetaAction("KEEP", "STRAIGHT"), "maintain the current speed and go straight"),
        (MetaAction("DECELERATE", "RIGHT_CHANGE"), "decelerate and change to the right lane"),
        (MetaAction("STOP", "LEFT_TURN"), "stop the car"),
    ],
)
def test_decisions_in_words(action: MetaAction, words: str) -> None:
    assert planning_explanation.decision(action, WORDING) == words


def test_q3_needs_a_speed(clip: Clip) -> None:
    statuses = (*clip.observation.statuses[:-1], None)
    unknown = replace(clip, observation=replace(clip.observation, statuses=statuses))
    with pytest.raises(Unanswerable, match="speed_unknown"):
        planning_explanation.narrow(unknown, STRICT)


def test_q4_and_q5_show_one_image(clip: Clip) -> None:
    left = replace(clip.observation, cameras=clip.observation.cameras[2:3])
    assert traffic_light.prompt(left, WORDING).count("<image>") == 1
    text = scene_description.prompt(left, WORDING)
    assert text.count("<image>") == 1 and "FRONT LEFT camera" in text


@pytest.mark.parametrize("text", ["Red", "red", " RED.\n"])
def test_a_light_is_read_as_the_whole_answer(text: str) -> None:
    assert traffic_light.read(text) == "Red"
    assert traffic_light.read(traffic_light.QUESTION.write("None", WORDING)) == "None"


@pytest.mark.parametrize("text", ["", "Blue", "Red light", "None of the lights is Red"])
def test_other_lights_are_refused(text: str) -> None:
    with pytest.raises(AnswerError, match="expected one of Red, Green, Yellow, None"):
        traffic_light.read(text)


def test_sentences_are_read_as_they_are() -> None:
    for question in (planning_explanation.QUESTION, scene_description.QUESTION):
        assert question.truth is None
        assert question.read(question.write("It rains.", WORDING)) == "It rains."
        with pytest.raises(AnswerError, match="empty"):
            question.read(" \n")
