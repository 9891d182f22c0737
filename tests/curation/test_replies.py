"""What a teacher may say, and what is refused and why."""

import json
from typing import Any

import pytest

from impromptu.curation import replies
from impromptu.curation.stages import FAULTS
from impromptu.curation.taxonomy import NAMES
from impromptu.miniature.unusual import four_steps
from impromptu.questions import AnswerError

NAME = "Challenging road conditions"


def spoilt(*path: Any, value: Any = None) -> str:
    """A whole answer with one value replaced, or taken away where there is none."""
    whole = four_steps([NAME])
    place: Any = whole
    for step in path[:-1]:
        place = place[step]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return json.dumps(whole)


@pytest.mark.parametrize("around", ["{}", " {}\n", "```json\n{}\n```", "```\n{}\n```\n"])
def test_a_label_is_read_alone_or_in_a_fence(around: str) -> None:
    text = around.replace("{}", json.dumps(four_steps([NAME, NAME])))
    label = replies.read_label(text)
    assert (label.light, label.weather, label.categories) == ("day", "clear", (NAME,))
    assert replies.read_label(json.dumps(four_steps([]))).categories == ()


@pytest.mark.parametrize(
    ("text", "reason", "told"),
    [
        ("", "empty", "it was empty"),
        ("  \n", "empty", "it was empty"),
        ("Sure! " + json.dumps(four_steps([])), "not_json", "no JSON"),
        (json.dumps(four_steps([]))[:-2], "cut_short", "no JSON"),
        (json.dumps(four_steps([]))[:60], "cut_short", "no JSON"),
        ("[" * 100_000, "not_json", "no JSON"),
        ("[]", "malformed", "the answer was [], no object"),
        (spoilt("objects"), "malformed", "the answer had no 'objects'"),
        (spoilt("objects", value="a cow"), "malformed", "'objects' was 'a cow', no array"),
        (spoilt("objects", value=["a cow"]), "malformed", "'objects', item 1 was 'a cow'"),
        (spoilt("mood", value="good"), "malformed", "had 'mood', which nobody asked for"),
        (spoilt("scene", "weather", value="windy"), "unknown_words", "not one of 'clear'"),
        (spoilt("scene", "weather", value=3), "unknown_words", "'weather' was 3"),
        (spoilt("conclusion", "categories", value=["Aliens"]), "unknown_words", "'Aliens'"),
        (spoilt("conclusion", "categories", value=NAME), "malformed", "no array"),
        (spoilt("conclusion", "analysis", value=" "), "wrong_length", "0 characters"),
        (spoilt("conclusion", "analysis", value="路面结冰，行驶困难。"), "not_english", "English"),
        (
            spoilt("scene", "description", value="Die Straße ist mit Schnee bedeckt und glatt."),
            "not_english",
            "English",
        ),
    ],
)
def test_other_labels_are_refused(text: str, reason: str, told: str) -> None:
    with pytest.raises(AnswerError) as error:
        replies.read_label(text)
    assert error.value.reason == reason
    assert told in str(error.value)
    assert reason in FAULTS, "the teacher can be told"


@pytest.mark.parametrize(
    "text", ["Conventional", "conventional.", ' "CONVENTIONAL"\n', "**Conventional**"]
)
def test_a_word_is_the_whole_answer(text: str) -> None:
    assert replies.read_word(text) == "Conventional"
    assert replies.read_word(f"un{text.strip(' *')}".replace('un"', '"Un')) == "Unconventional"


@pytest.mark.parametrize("text", ["", "Not conventional", "It is Unconventional", "unusual"])
def test_other_words_are_refused(text: str) -> None:
    with pytest.raises(AnswerError):
        replies.read_word(text)


def test_descriptions_and_proposals() -> None:
    said = "It is day. The road is wide and its edges can be seen well."
    assert replies.read_description(f" {said}\n") == said
    for text in (
        "",
        "Too short.",
        "I'm sorry, but I cannot see the image.",
        "word " * 401,
        f'{{"a": "{said}"}}',
    ):
        with pytest.raises(AnswerError):
            replies.read_description(text)
    proposal = {"category": "Road works", "reason": "Cones stand on the road."}
    assert replies.read_proposal(json.dumps(proposal)) == "Road works"
    for spoilt_one in ({"category": "Road works"}, proposal | {"category": ["a"]}):
        with pytest.raises(AnswerError):
            replies.read_proposal(json.dumps(spoilt_one))


def test_the_example_in_the_prompt_is_json_of_the_schema() -> None:
    from impromptu.curation.asked import prompt

    line = next(one for one in prompt("label").splitlines() if one.startswith("{"))
    shape = json.loads(line)
    assert list(shape) == list(replies.LABEL_SCHEMA["properties"])
    for name in ("scene", "conclusion"):
        assert list(shape[name]) == list(replies.LABEL_SCHEMA["properties"][name]["properties"])
    for name in (*NAMES, *replies.LIGHTS, *replies.WEATHERS):
        assert name in prompt("label")
