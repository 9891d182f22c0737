"""Read all answers of a pair of files as their question does, and count what cannot be read."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from impromptu.answer_files import Answer, Joined
from impromptu.questions import AnswerError, Question

MISSING = "missing"
_FAULTS = {
    "predicted_twice": "two different predictions of one id",
    "not_text": "expected text in 'predict'",
}


class Read(NamedTuple):
    """An answer that could be read, and the truth."""

    id: str
    predicted: Any
    true: Any


@dataclass(frozen=True, slots=True)
class Lost:
    """An answer that could not be read.

    Attributes:
        reason: A few snake_case words, the same for all of a kind; ``missing`` if there was none.
        why: What was expected and what came.
    """

    answer: Answer
    true: Any
    reason: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """All answers: each is either read or lost."""

    read: tuple[Read, ...]
    lost: tuple[Lost, ...]

    @property
    def missing(self) -> list[Lost]:
        """Those without a prediction."""
        return [one for one in self.lost if one.reason == MISSING]

    @property
    def unreadable(self) -> list[Lost]:
        """Those with a prediction that does not answer."""
        return [one for one in self.lost if one.reason != MISSING]

    def reasons(self) -> Mapping[str, int]:
        """Return how many were unreadable by reason, in alphabetical order."""
        return dict(sorted(Counter(one.reason for one in self.unreadable).items()))


def read_answers(joined: Joined, question: Question) -> Reading:
    """Read true and predicted answers.

    Raises:
        ValueError: A true answer cannot be read; the message names file and id.
    """
    read, lost, known = list[Read](), list[Lost](), _Known(question)
    for answer in joined.answers:
        true = known[answer.true]
        if isinstance(true, AnswerError):
            raise _bad_truth(joined.pair.truth, answer, true) from true
        if (text := answer.predicted) is None:
            lost.append(Lost(answer, true, answer.fault or MISSING, _FAULTS.get(answer.fault, "")))
            continue
        said = known[text]
        if isinstance(said, AnswerError):
            reason = said.reason if text.strip() else "empty"
            lost.append(Lost(answer, true, reason, str(said)))
        else:
            read.append(Read(answer.id, said, true))
    return Reading(tuple(read), tuple(lost))


class _Known(dict[str, Any]):
    """What each text was read as, or the error it gave: many answers are the same."""

    def __init__(self, question: Question) -> None:
        super().__init__()
        self._question = question

    def __missing__(self, text: str) -> Any:
        try:
            self[text] = self._question.read(text)
        except AnswerError as error:
            self[text] = error
        return self[text]


def _bad_truth(path: Path, answer: Answer, error: AnswerError) -> ValueError:
    return ValueError(
        f"{path}: {answer.id}: the true answer cannot be read: {error}; "
        "make the file again, or score the task it was made for"
    )
