"""What makes a teacher's text an answer: one of four words, or a few English sentences.

These are nets for what must never be trained on, not a judgement of truth: that is what people
and agreement are for. Counts of words decide, so that a check can be done by hand.
"""

import re
from collections.abc import Callable, Mapping

from impromptu.conversation import IMAGE
from impromptu.questions import AnswerError, traffic_light

WORDS = {"q3": (4, 120), "q5": (8, 400)}
"""Fewest and most words of an answer: one or two sentences, and a description."""
SENTENCE_WORDS = 6
"""A sentence of the prompt with so many words that comes back whole is no part of an answer."""
LATIN_SHARE = 0.9
ENGLISH_SHARE, ENGLISH_FROM_WORDS = 0.1, 8
"""From so many words on, at least this share is among the commonest of English."""

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_MARKUP = re.compile(r"<[/|]?[A-Za-z][^<>]{0,40}>|```|\[/?INST\]")
_REFUSAL = re.compile(
    r"\b(?:(?:I|we)(?: am|'m|’m)? (?:sorry|unable|not able)|(?:I|we) (?:apologi[sz]e|can ?not"
    r"|can['’]t|could not|do not|don['’]t) ?(?:see|view|access|assist|help|answer|provide"
    r"|determine|process|have|analy[sz]e|comply)?\b.{0,40}?(?:image|picture|photo|request|that"
    r"|this|access|vision)|as an AI|as a language model|no images? (?:was|were|is|are|has|have)"
    r" (?:provided|attached|given|visible|been))",
    re.IGNORECASE,
)
_ENGLISH = frozenset(
    "the is are and of to with at for from by it its there this that which our has have be because "
    "on in a an as no not we ahead left right road car traffic".split()
)
_FOREIGN = (
    frozenset(
        "der die das und ist ein eine nicht mit auf dem den im zu sind wir es "  # German
        "le la les des est une dans et du au sur pour nous qui pas "  # French
        "el los las una del por con que y se para hay "  # Spanish
        "il lo gli di che e non è sono della per "  # Italian
        "o os da do um uma não em ao "  # Portuguese
        "het een van niet zijn er op voor "  # Dutch
        "yang dan di ada ini itu ke "  # Indonesian
        "jest nie na się w z "  # Polish
        "ve bir bu için var".split()  # Turkish
    )
    - _ENGLISH
)


def check(task: str, prompt: str, text: str) -> str:
    """Return an answer as it is kept.

    Args:
        task: ``q3``, ``q4`` or ``q5``.
        prompt: What was asked.
        text: What a teacher said.

    Raises:
        AnswerError: It is none; the reason is one of the names below.
    """
    if not text.strip():
        raise AnswerError("it says nothing", "empty")
    if task == "q4":
        return traffic_light.read(text)
    kept = " ".join(text.split())
    for reason, fault in _FAULTS.items():
        if told := fault(task, prompt, kept):
            raise AnswerError(f"{told}: {kept[:80]!r}", reason)
    return kept


def words(text: str) -> list[str]:
    """Return the words of a text, in small letters."""
    return [word.lower() for word in _WORD.findall(text)]


def _markup(task: str, prompt: str, text: str) -> str:
    found = _MARKUP.search(text)
    return f"it has {found[0]!r} in it" if found else ""


def _refusal(task: str, prompt: str, text: str) -> str:
    return "it declines to answer" if _REFUSAL.search(text[:300]) else ""


def _not_english(task: str, prompt: str, text: str) -> str:
    letters = [letter for letter in text if letter.isalpha()]
    if sum(map(str.isascii, letters)) < LATIN_SHARE * len(letters):
        return "its letters are not English"
    said = words(text)
    english, foreign = (sum(word in known for word in said) for known in (_ENGLISH, _FOREIGN))
    few = len(said) >= ENGLISH_FROM_WORDS and english < ENGLISH_SHARE * len(said)
    return "its words are not English" if few or foreign > english else ""


def _too_short(task: str, prompt: str, text: str) -> str:
    said, least = len(words(text)), WORDS[task][0]
    return f"it has {said} words, fewer than {least}" if said < least else ""


def _too_long(task: str, prompt: str, text: str) -> str:
    said, most = len(words(text)), WORDS[task][1]
    return f"it has {said} words, more than {most}" if said > most else ""


def _prompt_repeated(task: str, prompt: str, text: str) -> str:
    said = f" {' '.join(words(text))} "
    for sentence in re.split(r"[.?!:;]\s|\n", prompt.replace(IMAGE, "\n")):
        known = words(sentence)
        if len(known) >= SENTENCE_WORDS and f" {' '.join(known)} " in said:
            return "it repeats the question"
    return ""


_FAULTS: Mapping[str, Callable[[str, str, str], str]] = {
    "markup": _markup,
    "refusal": _refusal,
    "not_english": _not_english,
    "too_short": _too_short,
    "too_long": _too_long,
    "prompt_repeated": _prompt_repeated,
}
