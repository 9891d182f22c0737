"""A stand-in teacher: an OpenAI-compatible server that answers curation's questions from a table.

python tests/curation/teacher.py --samples DIR [--port N] [--noise 0..1] [--trouble 0..1]

It knows an image by its bytes, which is how images of the miniature are sent. Nothing in the
miniature's drives is out of the ordinary, so what it is to see there is planted: see ``planted``.
"""

import argparse
import hashlib
import json
import random
import re
import threading
import time
from base64 import b64decode
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from impromptu.curation.taxonomy import NAMES

_SEEN = {
    NAMES[0]: "The edges of the road are lost in grass.",
    NAMES[1]: "Cones close the right lane.",
    NAMES[2]: "A cow walks along the lane.",
    NAMES[3]: "Deep snow lies on the road.",
}
_PROPOSED = {
    NAMES[0]: ("Unclear road edges", "unclear edges of the road", "Missing lane markings"),
    NAMES[1]: ("Road works", "road work", "Temporary lane closure"),
    NAMES[2]: ("Animals on the road", "Animal on road", "Stray animal"),
    NAMES[3]: ("Snow on the road", "Snowy road", "Poor winter surface"),
}
_FIRST, _LAST = 6, 26
"""Places in a log, of its keyframes, between which something is planted."""


def planted(log: int, place: int) -> tuple[str, ...]:
    """Return what is to be seen at one keyframe of a log: nothing in every third log."""
    if log % 3 == 0 or not _FIRST <= place < _LAST:
        return ()
    both = log % 3 == 2 and place >= (_FIRST + _LAST) // 2
    return tuple(
        dict.fromkeys((NAMES[log % 4], NAMES[(log + 1) % 4]) if both else (NAMES[log % 4],))
    )


def plant(samples: Path) -> dict[str, tuple[str, ...]]:
    """Return what is to be seen at every keyframe of a generation, by clip id."""
    truth, logs, places = dict[str, tuple[str, ...]](), list[str](), dict[str, int]()
    for path in sorted(samples.glob("*/unanswered/q4_*.json")):
        for record in json.loads(path.read_text()):
            clip = record["id"].removesuffix("/q4")
            log = clip.rpartition("/")[0]
            if log not in logs:
                logs.append(log)
            places[log] = places.get(log, -1) + 1
            truth[clip] = planted(logs.index(log), places[log])
    return truth


def by_image(samples: Path, truth: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Return the same by the digest of each image file."""
    known = {}
    for path in sorted(samples.glob("*/unanswered/q4_*.json")):
        for record in json.loads(path.read_text()):
            content = (samples / record["images"][0]).read_bytes()
            digest = hashlib.sha256(content).hexdigest()
            known[digest] = truth[record["id"].removesuffix("/q4")]
    return known


class Teacher:
    """Answers one question after the other.

    Attributes:
        known: What is to be seen on each image, by its digest.
        noise: How often it is wrong: share of words, and of categories left out or made up.
        trouble: How often it fails: 429, 500, late, cut off, or text that is no answer.
        asked: How many requests came, by the kind of answer.
        texts: The text of every request.
    """

    def __init__(
        self, known: Mapping[str, tuple[str, ...]], noise: float = 0.0, trouble: float = 0.0
    ) -> None:
        self.known, self.noise, self.trouble = known, noise, trouble
        self.asked: dict[str, int] = {}
        self.texts: list[str] = []
        self.tried: dict[str, int] = {}
        self.lock = threading.Lock()

    def answer(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Return status and body."""
        parts = body["messages"][-1]["content"]
        parts = [{"type": "text", "text": parts}] if isinstance(parts, str) else parts
        text = "".join(part.get("text", "") for part in parts)
        url = next((p["image_url"]["url"] for p in parts if p["type"] == "image_url"), "")
        digest = hashlib.sha256(b64decode(url.partition(",")[2])).hexdigest()
        mark = f"{digest} {text} {body.get('seed')}"
        with self.lock:
            self.texts.append(text)
            tries = self.tried[mark] = self.tried.get(mark, 0) + 1
        kind = self.kind(text)
        self.count(kind)
        chance = random.Random(mark)  # noqa: S311 - the same request, the same luck
        if chance.random() < self.trouble and tries <= 2:
            return self.trouble_with(kind, chance, tries)
        return _said(self.say(kind, text, digest, chance))

    def count(self, kind: str) -> None:
        with self.lock:
            self.asked[kind] = self.asked.get(kind, 0) + 1

    @staticmethod
    def kind(text: str) -> str:
        """Tell which question it is."""
        if "Decide in four steps" in text:
            return "label"
        if "Name one general category" in text:
            return "propose"
        return "identify" if "one word: Conventional" in text else "describe"

    def say(self, kind: str, text: str, digest: str, chance: random.Random) -> str:
        """Return a true answer, or now and then a wrong one."""
        seen = self.known.get(digest, ()) if kind in ("label", "describe") else _read(text)
        if kind == "describe":
            facts = " ".join(_SEEN[name] for name in seen)
            return f"It is day and the sky is clear. A street with houses on both sides. {facts}"
        if kind == "identify":
            wrong = chance.random() < self.noise / 3
            return "Unconventional" if bool(seen) != wrong else "conventional."
        if kind == "propose":
            word = chance.choice(_PROPOSED[seen[0]]) if seen else "Ordinary street"
            return json.dumps({"category": word, "reason": "This is what is in the picture."})
        named = [name for name in seen if chance.random() >= self.noise]
        if chance.random() < self.noise:
            named = sorted({*named, chance.choice(NAMES)})
        return json.dumps(four_steps(named))

    @staticmethod
    def trouble_with(kind: str, chance: random.Random, tries: int) -> tuple[int, dict[str, Any]]:
        """Fail in one of many ways."""
        which = chance.randrange(9)
        if which < 2:
            return (429, 500)[which], {"error": {"message": "try again"}}
        if which == 2:
            time.sleep(0.05)
            return 503, {"error": {"message": "too late"}}
        if which == 3:
            return _said('{"scene": {"light": "d', "length")
        texts = [
            "",
            "I am sorry, I cannot help with that.",
            json.dumps(four_steps(["Aliens on the road"])),
            "Es ist Tag und der Himmel ist klar, und man sieht eine Strasse mit Haeusern und "
            "vielen Menschen, die auf dem Weg nach Hause sind.",
            '{"category": 3}',
        ]
        return _said(texts[which - 4])


def _read(text: str) -> list[str]:
    told = re.search(r"---\n(.*?)\n---", text, re.DOTALL)
    return [name for name, phrase in _SEEN.items() if told and phrase in told[1]]


def four_steps(named: list[str]) -> dict[str, Any]:
    """Return a whole answer that names some categories."""
    return {
        "scene": {"light": "day", "weather": "clear", "description": "A street with houses."},
        "road_features": [{"feature": "two lanes", "effect": "room to drive"}],
        "objects": [],
        "conclusion": {"analysis": "This is what the picture shows.", "categories": named},
    }


def _said(text: str, finish_reason: str = "stop") -> tuple[int, dict[str, Any]]:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "finish_reason": finish_reason, "message": message}
    usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
    whole = {"id": "1", "object": "chat.completion", "created": 0, "model": "teacher"}
    return 200, {**whole, "choices": [choice], "usage": usage}


def serve(teacher: Teacher, port: int = 0) -> ThreadingHTTPServer:
    """Return a server that is bound to a port of this machine; ``serve_forever`` starts it."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path.endswith("/embeddings"):
                status, made = 404, {"error": {"message": "no embeddings here"}}
            else:
                status, made = teacher.answer(body)
            content = json.dumps(made).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("retry-after-ms", "5")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    return server


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description="A stand-in teacher for curation.")
    parser.add_argument("--samples", type=Path, required=True, help="what generate wrote")
    parser.add_argument("--port", type=int, default=8123)
    parser.add_argument("--noise", type=float, default=0.0, help="how often it is wrong")
    parser.add_argument("--trouble", type=float, default=0.0, help="how often it fails")
    args = parser.parse_args()
    known = by_image(args.samples, plant(args.samples))
    server = serve(Teacher(known, args.noise, args.trouble), args.port)
    print(f"listening on http://127.0.0.1:{args.port}/v1", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
