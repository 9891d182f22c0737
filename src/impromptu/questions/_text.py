"""Numbers, tags and words as prompts and answers write them."""

import re
from collections.abc import Sequence
from functools import lru_cache
from math import hypot
from typing import get_args

from impromptu.clip import Camera, MetaAction, Observation, PathWord, SpeedWord, Unanswerable
from impromptu.questions import AnswerError
from impromptu.wording import Wording

SPEEDS: dict[str, SpeedWord] = {word: word for word in get_args(SpeedWord)}
PATHS: dict[str, PathWord] = {word: word for word in get_args(PathWord)}


def two_decimals(value: float) -> str:
    """Write ``1.50``; never ``-0.00``."""
    return f"{value:z.2f}"


def shortest(value: float) -> str:
    """Write two decimals at most, ``1.5``; never ``-0.0``."""
    return str(round(float(value), 2) + 0.0)


def whole(value: float) -> int:
    """Round to a whole number."""
    return round(float(value))


def views(cameras: Sequence[Camera], wording: Wording, task: str) -> str:
    """Write one header and image marker for each camera."""
    return "".join(wording.render(f"{task}.view", view=camera.view) for camera in cameras)


def view(observation: Observation) -> dict[str, str]:
    """Return the slots that name the only view."""
    name = observation.cameras[0].view
    return {"view": name, "view_lower": name.lower()}


def speed(observation: Observation) -> str:
    """Write the ego's present speed in whole m/s.

    Raises:
        Unanswerable: It is not known.
    """
    if observation.status is None:
        raise Unanswerable("speed_unknown")
    return str(whole(hypot(*observation.status.velocity_mps.tolist())))


def command(observation: Observation, wording: Wording, task: str) -> str:
    """Write the sentence about the navigation command, if there is one."""
    if observation.command is None:
        return wording.render(f"{task}.no_command")
    return wording.render(f"{task}.command", command=observation.command)


def tagged(tag: str, text: str) -> str:
    """Write ``<TAG>text</TAG>``."""
    return f"<{tag}>{text}</{tag}>"


def untagged(tag: str, text: str) -> str:
    """Return what stands between the tags, or the whole text where there are none.

    Raises:
        AnswerError: Tags are there more than once, or only one of the two is.
    """
    if f"<{tag}>" not in text and f"</{tag}>" not in text:
        return text
    before, opened, rest = text.partition(f"<{tag}>")
    inside, closed, after = rest.partition(f"</{tag}>")
    if not opened or not closed or f"<{tag}>" in inside + after or f"</{tag}>" in before + after:
        raise AnswerError(f"expected <{tag}> and </{tag}> once each, in {text[:80]!r}", "tags")
    return inside


@lru_cache(maxsize=1024)
def meta_action(text: str) -> MetaAction:
    """Read ``SPEED,PATH``, in any case and spacing.

    Raises:
        AnswerError: It is anything else.
    """
    words = [word.strip().upper() for word in re.sub(r"\.\s*$", "", text).split(",")]
    if len(words) != 2 or words[0] not in SPEEDS or words[1] not in PATHS:
        raise AnswerError(
            f"expected SPEED, PATH with SPEED of {', '.join(SPEEDS)} and PATH of "
            f"{', '.join(PATHS)}; got {text[:80]!r}",
            "unknown_words",
        )
    return MetaAction(SPEEDS[words[0]], PATHS[words[1]])


def write_sentence(text: str, wording: Wording) -> str:
    """Write free text as it is."""
    return text


def read_sentence(text: str) -> str:
    """Read free text.

    Raises:
        AnswerError: There is none.
    """
    if not text.strip():
        raise AnswerError("expected a sentence, got an empty answer", "empty")
    return text.strip()
