"""Questions: each module here asks one thing of a clip and can read an answer back."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from impromptu.clip import Clip, Observation
from impromptu.preset import Preset
from impromptu.wording import Wording


class AnswerError(ValueError):
    """Text that does not answer the question it was asked."""


class Unanswerable(ValueError):
    """A clip that has no true answer to the question; the text is a short snake_case reason."""


@dataclass(frozen=True, slots=True)
class Question:
    """What to ask, what the truth is, and how either is written down.

    ``prompt`` is given an observation, not a clip, so no prompt can hold the future.
    ``read(write(a, wording))`` is ``a`` to printed precision, whatever the wording.

    Attributes:
        task: Its name in files: ``q1`` ... ``q7``, ``planning``.
        views: Which images it shows: the front one, the dataset's ``forward`` or ``surround``
            views, or ``each`` surround view in a sample of its own.
        past_s, future_s: How much past and future a clip must have to be asked at all.
        prompt: The text a model reads, with one ``<image>`` for each of the observation's cameras.
        truth: The true answer; raises ``Unanswerable``. None where only a teacher can answer.
        write: An answer as text.
        read: Text as an answer; raises ``AnswerError``.
        metrics: Names of the metrics that compare two answers.
        agents_only_with_future_s: Where set, the question is about agents, and only those with
            this much known future and a known velocity are asked about.
        tells_decision: The asker tells the ego's decision; the question is about its reason.
    """

    task: str
    views: Literal["front", "forward", "surround", "each"]
    past_s: float
    future_s: float
    prompt: Callable[[Observation, Wording], str]
    truth: Callable[[Clip, Preset], Any] | None
    write: Callable[[Any, Wording], str]
    read: Callable[[str], Any]
    metrics: tuple[str, ...]
    agents_only_with_future_s: float | None = None
    tells_decision: bool = False
