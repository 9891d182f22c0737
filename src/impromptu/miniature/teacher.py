"""A stand-in for a teacher model, behind an OpenAI-compatible server: it answers about miniatures.

It knows the truth and reads what is asked from the request's ``X-Request-Id``; images it only
counts. By a seeded plan it is sometimes late, busy, broken, cut short, or wrong, as real servers
are; asked often enough, it answers everything. The same seed and requests, the same replies.
"""

import asyncio
import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from impromptu.chat_server import Said, completion
from impromptu.miniature.truth import Truth
from impromptu.miniature.unusual import Curator

MODEL = "stand-in-teacher"
FAULTS = {
    "late": 0.03,
    "busy": 0.03,
    "broken": 0.02,
    "malformed": 0.01,
    "cut_short": 0.01,
    "empty": 0.01,
    "refusal": 0.01,
    "foreign": 0.01,
}
"""What goes wrong, and in which share of requests; only the first time that one is asked."""
MISTAKEN = 0.04
"""Share of lights that are taken for another, whenever they are asked about with that seed."""
_TEXTS = {
    "empty": "",
    "refusal": "I'm sorry, but I cannot see the image that you provided.",
    "foreign": "Das Auto hält an, weil die Ampel vor ihm rot ist und jemand die Straße quert.",
}
_LATE_S = 0.2
_LIGHTS = "Red", "Green", "Yellow", "None"


@dataclass(slots=True)
class Teacher:
    """Answers requests.

    Attributes:
        truths: By clip id.
        curator: Answers what curation asks.
        seed: Of what goes wrong.
        faults: As ``FAULTS``; empty for none.
        mistaken: As ``MISTAKEN``.
        latency_s: Before every answer.
        key: The only one it takes; empty for any.
        asked: How often each request came.
    """

    truths: Mapping[str, Truth]
    seed: int = 0
    faults: Mapping[str, float] = field(default_factory=lambda: FAULTS)
    mistaken: float = MISTAKEN
    latency_s: float = 0.0
    key: str = ""
    curator: Curator = field(default_factory=Curator)
    asked: Counter[str] = field(default_factory=Counter)

    async def reply(self, headers: Mapping[str, str], body: Mapping[str, Any]) -> Said:
        """Answer a request for a chat completion."""
        if self.key and headers.get("authorization") != f"Bearer {self.key}":
            return _error(401, "invalid API key")
        if body.get("model") != MODEL:
            return _error(404, f"there is no model {body.get('model')!r}, only {MODEL!r}")
        name = unquote(headers.get("x-request-id", ""))
        self.asked[name] += 1
        fault = self._fault(name)
        await asyncio.sleep(self.latency_s + _LATE_S * (fault == "late"))
        if fault == "busy":
            return _error(429, "too many requests, try again")
        if fault == "broken":
            return _error(500, "something broke")
        if fault == "malformed":
            return 200, '{"choices": [{"mess'
        text = _TEXTS[fault] if fault in _TEXTS else self._answer(name, body)
        if text is None:
            return _error(400, f"no clip of a miniature is meant by X-Request-Id {name!r}")
        return 200, _completion(body, text, cut=fault == "cut_short")

    def _fault(self, name: str) -> str:
        """Return what goes wrong with a request, if anything does."""
        drawn = self._draw("fault", name)
        for fault, share in self.faults.items() if self.asked[name] == 1 else ():
            if drawn < share:
                return fault
            drawn -= share
        return ""

    def _answer(self, name: str, body: Mapping[str, Any]) -> str | None:
        """Answer ``<clip>[/<task>[/<view>]]/<repeat>``; None where that is no clip."""
        parts = name.split("/")
        if (clip := name.rpartition("/")[0]) in self.curator.planted:
            told = json.dumps(body["messages"][-1]["content"][-1]), body.get("seed")
            return self.curator.answer(clip, body, lambda word: self._draw(word, name, *told))
        at = next((k for k, part in enumerate(parts) if part in ("q3", "q4", "q5")), 0)
        truth = self.truths.get("/".join(parts[:at]))
        if truth is None:
            return None
        task, view = parts[at], parts[at + 1]
        said = truth.answer(task, view, int(self._draw("wording", name, body.get("seed")) < 0.5))
        if task == "q4" and self._draw("light", name, body.get("seed")) < self.mistaken:
            others = [light for light in _LIGHTS if light != said]
            said = others[int(self._draw("which", name) * len(others))]
        return said

    def _draw(self, *what: Any) -> float:
        """Return a number from 0 to 1 that depends on the seed and this alone."""
        digest = hashlib.blake2b(repr((self.seed, *what)).encode(), digest_size=7).digest()
        return int.from_bytes(digest, "big") / (1 << 56)


def _error(status: int, message: str) -> Said:
    return status, {"error": {"message": message, "type": "stand_in", "code": status}}


def _completion(body: Mapping[str, Any], text: str, cut: bool) -> dict[str, Any]:
    told = [part for message in body["messages"] for part in _parts(message)]
    images = sum(part["type"] == "image_url" for part in told)
    read = sum(len(part.get("text", "")) // 4 for part in told) + 300 * images
    written = len(text) // 4 + 1
    kept, reason = (text[: len(text) // 2], "length") if cut else (text, "stop")
    return completion(MODEL, kept, reason, read, written)


def _parts(message: Mapping[str, Any]) -> list[Any]:
    content = message["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content)
