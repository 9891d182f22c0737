"""q5: what does one camera show?"""

from impromptu.clip import Observation
from impromptu.questions import Question
from impromptu.questions._text import read_sentence, view, write_sentence
from impromptu.wording import Wording


def prompt(observation: Observation, wording: Wording) -> str:
    """Name the view and ask for a description."""
    return wording.render("q5.prompt", **view(observation))


QUESTION = Question(
    task="q5",
    views="each",
    past_s=0.0,
    future_s=0.0,
    prompt=prompt,
    truth=None,
    write=write_sentence,
    read=read_sentence,
    metrics=(),
)
