"""What a stand-in teacher says when curation asks: unusual scenes that are planted by a rule.

Nothing out of the ordinary happens in a miniature's drives, and nothing of this can be seen on
their images: which keyframes are to pass for unusual follows from their places in their log.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from impromptu.taxonomy import NAMES

FIRST, LAST = 6, 26
"""Something unusual lasts from the one of a log's keyframes to before the other."""
_SEEN = dict(
    zip(
        NAMES,
        (
            "The edges of the road are lost in grass.",
            "Cones close the right lane.",
            "A cow walks along the lane.",
            "Deep snow lies on the road.",
        ),
        strict=True,
    )
)
_CALLED = dict(
    zip(
        NAMES,
        (
            ("Unclear road edges", "unclear edges of the road", "Missing lane markings"),
            ("Road works", "road work", "Temporary lane closure"),
            ("Animals on the road", "Animal on road", "Stray animal"),
            ("Snow on the road", "Snowy road", "Poor winter surface"),
        ),
        strict=True,
    )
)


def plant(clip_ids: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return the categories of each clip: none of every third log, two of some of every third.

    Args:
        clip_ids: Of whole logs, each in the order of time.
    """
    planted, logs, places = dict[str, tuple[str, ...]](), dict[str, int](), Counter[str]()
    for clip in clip_ids:
        log = clip.rpartition("/")[0]
        number, place = logs.setdefault(log, len(logs)), places[log]
        places[log] += 1
        both = number % 3 == 2 and place >= (FIRST + LAST) // 2
        here = {NAMES[number % 4], NAMES[(number + 1) % 4] if both else NAMES[number % 4]}
        seen = number % 3 and FIRST <= place < LAST
        planted[clip] = tuple(name for name in NAMES if seen and name in here)
    return planted


@dataclass(frozen=True, slots=True)
class Curator:
    """Answers the questions of curation.

    Attributes:
        planted: As ``plant`` returns.
        mistaken: Share of labels that lack each category, and of those that have one too many;
            a third of it, of descriptions that are taken for the contrary.
    """

    planted: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    mistaken: float = 0.0

    def answer(self, clip: str, body: Mapping[str, Any], draw: Callable[[str], float]) -> str:
        """Answer about a clip.

        Args:
            clip: Its id.
            body: The request.
            draw: Returns a number from 0 to 1 for a word, always the same for one request.
        """
        schema = json.dumps(body.get("response_format", ""))
        text = json.dumps(body["messages"][-1]["content"])
        if "conclusion" in text + schema:
            return json.dumps(four_steps(self._named(self.planted[clip], draw)))
        if "image_url" in text:
            told = " ".join(_SEEN[name] for name in self.planted[clip])
            return f"It is day and the sky is clear. A street with houses on both sides. {told}"
        told = re.split("---", text)[1]
        seen = [name for name, phrase in _SEEN.items() if phrase in told]
        if "category" in text:
            words = _CALLED[seen[0]] if seen else ("Ordinary street",)
            called = words[int(draw("called") * len(words))]
            return json.dumps({"category": called, "reason": "This is what the text says."})
        mistaken = draw("word") < self.mistaken / 3
        return "Unconventional" if bool(seen) != mistaken else "conventional."

    def _named(self, seen: Iterable[str], draw: Callable[[str], float]) -> list[str]:
        named = {name for name in seen if draw(f"miss {name}") >= self.mistaken}
        if draw("more") < self.mistaken:
            named.add(NAMES[int(draw("which") * len(NAMES))])
        return sorted(named)


def four_steps(named: list[str]) -> dict[str, Any]:
    """Return a whole answer that names some categories."""
    return {
        "scene": {"light": "day", "weather": "clear", "description": "A street with houses."},
        "road_features": [{"feature": "two lanes", "effect": "room to drive"}],
        "objects": [],
        "conclusion": {"analysis": "This is what the picture shows.", "categories": named},
    }
