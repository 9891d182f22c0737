"""q1: which vulnerable road users are close ahead, and where?"""

import re
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite

from impromptu.clip import Agent, Clip, Observation, Unanswerable
from impromptu.preset import Preset
from impromptu.questions import AnswerError, Question
from impromptu.questions._text import views, whole
from impromptu.wording import Wording

LATERAL_FROM_M = 2


@dataclass(frozen=True, slots=True)
class Sighting:
    """A road user and where it is, in whole metres.

    Attributes:
        category: The dataset's word for it.
        ahead_m: Along the ego's x axis.
        left_m: Along its y axis, negative to the right; None where below 2 m, and not told.
    """

    category: str
    ahead_m: float
    left_m: float | None


def prompt(observation: Observation, wording: Wording) -> str:
    """Ask whether there are any, and where."""
    return wording.render("q1.prompt", views=views(observation.cameras, wording, "q1"))


def truth(clip: Clip, preset: Preset) -> tuple[Sighting, ...]:
    """Return those that the front image shows up to 20 m ahead, nearest first; maybe none."""
    if not clip.observation.annotated:
        raise Unanswerable("not_annotated")
    return tuple(_sighting(agent) for agent in preset.vulnerable(clip))


def _sighting(agent: Agent) -> Sighting:
    x, y, _ = agent.center_m.tolist()
    left_m = float(whole(y))
    return Sighting(
        agent.category.replace("_", " "),
        float(whole(x)),
        left_m if abs(left_m) >= LATERAL_FROM_M else None,
    )


def write(sightings: tuple[Sighting, ...], wording: Wording) -> str:
    """Write one clause a sighting, or that there is none."""
    if not sightings:
        return wording.render("q1.nobody")
    return f"Yes, I see {', and '.join(map(_clause, sightings))}."


def _clause(sighting: Sighting) -> str:
    article = "an" if sighting.category[:1].lower() in set("aeiou") else "a"
    clause = f"{article} {sighting.category} located {whole(sighting.ahead_m)} meters ahead of me"
    if sighting.left_m is None:
        return clause
    side = "left" if sighting.left_m > 0 else "right"
    return f"{clause} and {whole(abs(sighting.left_m))} meters to the {side}"


_CLAUSE = re.compile(
    r"an? (?P<category>[a-z][a-z_ ]*?) located (?P<ahead>\d+(?:\.\d+)?) meters? ahead of me"
    r"(?: and (?P<aside>\d+(?:\.\d+)?) meters? to the (?P<side>left|right))?",
    re.IGNORECASE | re.ASCII,
)
_NOBODY = re.compile(r"no(?:$|[.,;:!]| vulnerable road users?\b)", re.IGNORECASE)
_SOMEBODY = re.compile(r"yes, i see ", re.IGNORECASE)
_BETWEEN = re.compile(r",? and (?=an? )|, (?=an? )")


def read(text: str) -> tuple[Sighting, ...]:
    """Read ``Yes, I see a CLASS located X meters ahead of me ...`` or ``No, ...``.

    Raises:
        AnswerError: The text starts with neither or says both, or a clause is not understood.
    """
    text = " ".join(text.split())
    if _NOBODY.match(text):
        if _SOMEBODY.search(text) or _CLAUSE.search(text):
            raise AnswerError(f"expected yes or no, got both in {text[:80]!r}", "both_yes_and_no")
        return ()
    if (start := _SOMEBODY.match(text)) is None:
        raise AnswerError(
            f"expected 'Yes, I see ...' or 'No, ...', got {text[:80]!r}", "neither_yes_nor_no"
        )
    clauses = _BETWEEN.split(text[start.end() :].rstrip(" ."))
    return tuple(_read_clause(clause) for clause in clauses)


@lru_cache(maxsize=4096)
def _read_clause(clause: str) -> Sighting:
    match = _CLAUSE.fullmatch(clause)
    if match is None:
        raise AnswerError(
            "expected 'a CLASS located X meters ahead of me[ and Y meters to the left|right]', "
            f"got {clause[:80]!r}",
            "malformed_clause",
        )
    sign = 1.0 if (match["side"] or "").lower() == "left" else -1.0
    left_m = sign * float(match["aside"]) if match["aside"] else None
    ahead_m = float(match["ahead"])
    if not isfinite(ahead_m + (left_m or 0.0)):
        raise AnswerError(f"expected meters, got {clause[:80]!r}", "number_too_large")
    return Sighting(match["category"], ahead_m, left_m)


QUESTION = Question(
    task="q1",
    views="front",
    past_s=0.0,
    future_s=0.0,
    prompt=prompt,
    truth=truth,
    write=write,
    read=read,
    metrics=("vru_f1",),
)
