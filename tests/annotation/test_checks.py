"""What passes for an answer, and under which name the rest is kept apart."""

import pytest

from impromptu.annotation.checks import ENGLISH_FROM_WORDS, SENTENCE_WORDS, WORDS, check
from impromptu.questions import AnswerError

PROMPT = (
    "<FRONT VIEW>:\n<image>\nThese are the camera images of our car now. It drives at 10 m/s. In "
    "the next 3 seconds it is going to decelerate and go straight. What in the scene is the reason "
    "for this? Answer in one or two sentences."
)


def reason(task: str, text: str) -> str:
    with pytest.raises(AnswerError) as error:
        check(task, PROMPT, text)
    return error.value.reason


@pytest.mark.parametrize(
    ("text", "kept"),
    [("Red", "Red"), (" green.\n", "Green"), ("NONE", "None"), ("yellow", "Yellow")],
)
def test_a_light_is_one_of_four_words(text: str, kept: str) -> None:
    assert check("q4", "", text) == kept


@pytest.mark.parametrize("text", ["The light is red", "Red, Green", "amber", "Rot", "None of them"])
def test_anything_else_is_no_light(text: str) -> None:
    assert reason("q4", text) == "unknown_words"


@pytest.mark.parametrize(
    "text",
    [
        "The car ahead of us brakes, so our car slows down.",
        "Our car slows down because a pedestrian is about to cross at the zebra crossing.",
        "It is going to decelerate and go straight because the light turns yellow.",
        "Traffic light is red.",
        "No oncoming traffic; lane markings clear.",
        "A cyclist rides along the kerb to the right.",
        "There is no image of a person on the billboard that matters; the road is free.",
        "The driver cannot see the crossing behind the bus, so the car slows down.",
        "A sign reads 'Straße gesperrt', so the car has to stop.",
    ],
)
def test_english_sentences_are_answers(text: str) -> None:
    assert check("q3", PROMPT, text) == text


def test_white_space_is_made_even() -> None:
    assert check("q3", PROMPT, " The light\n\nis red  now. ") == "The light is red now."


@pytest.mark.parametrize("text", ["", "  \n"])
@pytest.mark.parametrize("task", ["q3", "q4", "q5"])
def test_nothing_is_no_answer(task: str, text: str) -> None:
    assert reason(task, text) == "empty"


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I cannot assist with that request.",
        "I am unable to view the images, so I cannot tell the reason.",
        "I can't see the image that was attached to this.",
        "As an AI, I do not know why the car slows down.",
        "No image was provided, so the reason for it is unknown to me.",
        "I do not have access to pictures of the scene.",
    ],
)
def test_a_refusal_is_none(text: str) -> None:
    assert reason("q3", text) == "refusal"


@pytest.mark.parametrize(
    "text",
    [
        "Das Auto hält an, weil die Ampel vor ihm rot ist.",
        "Die Ampel ist rot.",
        "Le feu est rouge et une piétonne traverse la rue.",
        "El semáforo está en rojo y los peatones cruzan la calle.",
        "Il semaforo è rosso e la macchina si ferma per i pedoni.",
        "O sinal está vermelho e um pedestre atravessa a rua.",
        "Het verkeerslicht staat op rood en een fietser steekt over.",
        "Kendaraan berhenti karena lampu merah dan ada pejalan kaki di depan.",
        "前方交通灯为红色,因此车辆停下。",
        "Светофор впереди красный, поэтому машина останавливается.",
        "The car 因为前方红灯而停车等待行人通过路口。",
        "lorem ipsum dolor sit amet consectetur adipiscing elit sed eiusmod",
    ],
)
def test_another_language_is_none(text: str) -> None:
    assert reason("q3", text) == "not_english"


def test_few_words_are_not_held_to_the_share_of_common_ones() -> None:
    names = "Pedestrians crossing, brake lights, wet asphalt, dense fog".split()
    assert len(names) == ENGLISH_FROM_WORDS
    assert reason("q3", " ".join(names)) == "not_english"
    assert check("q3", PROMPT, " ".join(names[:-1]))


@pytest.mark.parametrize("task", ["q3", "q5"])
def test_lengths_are_bounded_on_both_sides(task: str) -> None:
    least, most = WORDS[task]
    sure = "the road is wet ".split() * most
    for count in (least, most):
        assert check(task, PROMPT, " ".join(sure[:count]))
    assert reason(task, " ".join(sure[: least - 1])) == "too_short"
    assert reason(task, " ".join(sure[: most + 1])) == "too_long"


@pytest.mark.parametrize(
    "text",
    [
        "The light <image> is red now.",
        "<think>It is red.</think> The light is red.",
        "The light is red.<|im_end|>",
        "```json the light is red ```",
        "[INST] Why does it stop? [/INST] The light is red.",
    ],
)
def test_markup_is_none(text: str) -> None:
    assert reason("q3", text) == "markup"


def test_numbers_may_be_compared() -> None:
    assert check("q3", PROMPT, "The gap is < 5 m and the car is > 3 m wide.")


def test_a_sentence_of_the_question_is_no_answer() -> None:
    told = "These are the camera images of our car now."
    assert len(told.split()) >= SENTENCE_WORDS
    assert reason("q3", f"{told} The light is red.") == "prompt_repeated"
    assert reason("q3", "answer in one or two sentences: the light is red") == "prompt_repeated"
    assert check("q3", PROMPT, "It drives at 10 m/s, and the light is red.")
