"""q4: what does the traffic light that holds for the ego show?"""

from impromptu.clip import Observation
from impromptu.questions import AnswerError, Question
from impromptu.questions._text import write_sentence
from impromptu.wording import Wording

LIGHTS = {light.lower(): light for light in ("Red", "Green", "Yellow", "None")}


def prompt(observation: Observation, wording: Wording) -> str:
    """Ask for one word."""
    return wording.render("q4.prompt")


def read(text: str) -> str:
    """Read one of the four words as the whole answer, in any case.

    Raises:
        AnswerError: It is anything else.
    """
    word = text.strip().removesuffix(".").lower()
    if word not in LIGHTS:
        raise AnswerError(
            f"expected one of {', '.join(LIGHTS.values())}, got {text[:80]!r}", "unknown_words"
        )
    return LIGHTS[word]


QUESTION = Question(
    task="q4",
    views="front",
    past_s=0.0,
    future_s=0.0,
    prompt=prompt,
    truth=None,
    write=write_sentence,
    read=read,
    metrics=("light_accuracy",),
)
