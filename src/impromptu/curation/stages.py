"""The four questions that curation asks of keyframes, each once answered kept for good."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from impromptu.asking import Request, Store
from impromptu.curation import replies
from impromptu.curation.asked import prompt
from impromptu.curation.keyframes import Keyframe

FAULTS: Mapping[str, str] = {
    "empty": "it was empty",
    "refusal": "it did not do what was asked",
    "markup": "it had markup in it",
    "prompt_repeated": "it repeated the question",
    "cut_short": "it was cut off before its end, so say less",
    "not_json": "it was not valid JSON, or there was text around the JSON",
    "malformed": "a field was missing, was none of those asked for, or had a value of another kind",
    "unknown_words": "it had a word where only certain words are allowed",
    "wrong_length": "some text in it was too short or too long",
    "too_short": "it, or a sentence in it, was too short",
    "too_long": "it, or a sentence in it, was too long",
    "not_english": "it was not in English",
}
"""By the reason of an ``AnswerError``, what the teacher is told when it is asked again. Never what
it said: that might be anything. What is not here is no fault of the answer."""
NO_IMAGE = "missing_image", "unreadable_image"
"""Why nothing was asked."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One of the questions.

    Attributes:
        name: Of its prompt, and of the folder of its answers.
        sees: Whether it shows the image; else it tells the description.
        schema: What the answer is to follow, if it is JSON.
        max_new_tokens: Longest answer.
        keep: Returns of an answer what is kept; raises ``AnswerError``.
    """

    name: str
    sees: bool
    schema: Mapping[str, Any] | None
    max_new_tokens: int
    keep: Callable[[str], str]


def _steps(text: str) -> str:
    return json.dumps(replies.read_label(text).steps, ensure_ascii=False)


DESCRIBE = Stage("describe", True, None, 400, replies.read_description)
IDENTIFY = Stage("identify", False, None, 16, replies.read_word)
PROPOSE = Stage("propose", False, replies.PROPOSAL_SCHEMA, 200, replies.read_proposal)
LABEL = Stage("label", True, replies.LABEL_SCHEMA, 1024, _steps)
STAGES = DESCRIBE, IDENTIFY, PROPOSE, LABEL


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of one keyframe, and asked again if the answer cannot be used.

    Attributes:
        repeat: Which of several times.
        description: What ``describe`` gave, for stages that do not see the image.
    """

    stage: Stage
    keyframe: Keyframe
    repeat: int = 0
    description: str = ""

    def request(self, again: int = 0, fault: str = "") -> Request:
        """Return the question, or what is said when it is asked once more."""
        images = (self.keyframe.image,) if self.stage.sees and self.keyframe.image else ()
        text = prompt(self.stage.name, self.description, FAULTS.get(fault, ""))
        # Another number, so that a seed does not give the very answer that was of no use.
        number = self.repeat + again * 1000
        return Request(self.keyframe.id, text, images, self.stage.schema, number)


@dataclass(frozen=True, slots=True)
class Answers:
    """What is known of a stage so far, to be looked up by what was asked.

    Attributes:
        rejected: By key, as ``Store.rejections`` returns.
        repairs: Times that something is asked again.
    """

    store: Store
    rejected: Mapping[bytes, str]
    repairs: int

    def latest(self, asked: Asked) -> tuple[Request, str]:
        """Return the last request about something, and why it has no answer.

        Nothing where it is answered, or is still to be asked.
        """
        request = asked.request()
        for again in range(self.repairs + 1):
            fault = "" if request in self.store else self.rejected.get(request.key, "")
            if fault not in FAULTS or again == self.repairs:
                break
            request = asked.request(again + 1, fault)
        return request, fault

    def of(self, asked: Asked) -> str | None:
        """Return the answer, or None."""
        reply = self.store.get(self.latest(asked)[0])
        return reply.text if reply else None

    def open(self, asked: Iterable[Asked], again: bool) -> Iterator[Request]:
        """Yield the requests that are neither answered nor given up.

        Images that were not there are looked for once a run.
        """
        for one in asked:
            request, fault = self.latest(one)
            in_vain = fault in FAULTS or (again and fault in NO_IMAGE)
            if request not in self.store and not in_vain:
                yield request


@dataclass(frozen=True, slots=True)
class Open:
    """The requests that are still to be asked; made anew each time they are gone through."""

    asked: Callable[[], Iterable[Asked]]
    answers: Answers
    again: bool

    def __iter__(self) -> Iterator[Request]:
        """Yield them."""
        return self.answers.open(self.asked(), self.again)
