"""The stand-in teacher as a client sees it: right, and wrong by plan."""

import asyncio
import json
import urllib.error
import urllib.request
from collections import Counter
from typing import Any

import pytest

from impromptu.chat_server import Said, served
from impromptu.miniature.teacher import FAULTS, MODEL, Teacher
from impromptu.miniature.truth import Truth

TRUTHS = {f"kitti/a/{k}": Truth("Red", "STOP", "clear", ()) for k in range(400)}
BODY: dict[str, Any] = {
    "model": MODEL,
    "seed": 1,
    "messages": [
        {"role": "system", "content": "You help."},
        {
            "role": "user",
            "content": [
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,"}},
                {"type": "text", "text": "What does the light show?"},
            ],
        },
    ],
}


def ask(teacher: Teacher, name: str, body: dict[str, Any] = BODY, **headers: str) -> Said:
    return asyncio.run(teacher.reply({"x-request-id": name, **headers}, body))


def texts(teacher: Teacher) -> list[str]:
    said = []
    for clip in TRUTHS:
        status, body = ask(teacher, f"{clip}/q4/0")
        whole = status == 200 and isinstance(body, dict)
        said.append(body["choices"][0]["message"]["content"] if whole else str(status))
    return said


def test_it_answers_over_http_by_the_requests_name() -> None:
    teacher = Teacher(TRUTHS, faults={}, mistaken=0.0)
    with served(teacher) as url:
        for _ in range(2):
            request = urllib.request.Request(  # noqa: S310 - our own address
                f"{url}/chat/completions",
                json.dumps(BODY).encode(),
                {"X-Request-Id": "kitti%2Fa%2F0/q4/0", "Content-Type": "application/json"},
            )
            with urllib.request.urlopen(request, timeout=5) as reply:  # noqa: S310
                said = json.load(reply)
    assert said["choices"][0] == {
        "index": 0,
        "finish_reason": "stop",
        "message": {"role": "assistant", "content": "Red"},
    }
    usage = said["usage"]
    assert usage["prompt_tokens"] > 300
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


def test_it_refuses_what_real_servers_refuse() -> None:
    teacher = Teacher(TRUTHS, faults={}, key="sesame")
    assert ask(teacher, "kitti/a/0/q4/0")[0] == 401
    assert ask(teacher, "kitti/a/0/q4/0", authorization="Bearer sesame")[0] == 200
    assert ask(teacher, "kitti/b/0/q4/0", authorization="Bearer sesame")[0] == 400
    other = BODY | {"model": "other"}
    assert ask(teacher, "kitti/a/0/q4/0", other, authorization="Bearer sesame")[0] == 404


def test_faults_come_as_often_as_planned_and_only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("impromptu.miniature.teacher._LATE_S", 0.0)
    teacher = Teacher(TRUTHS, mistaken=0.0)
    first = Counter(texts(teacher))
    assert first == Counter(texts(Teacher(TRUTHS, mistaken=0.0))), "the same seed, the same faults"
    assert first != Counter(texts(Teacher(TRUTHS, seed=1, mistaken=0.0)))
    visible = sum(share for fault, share in FAULTS.items() if fault != "late")
    assert 0.5 < (len(TRUTHS) - first["Red"]) / len(TRUTHS) / visible < 1.6
    assert first["429"] and first["500"]
    assert set(texts(teacher)) == {"Red"}


def test_a_mistake_is_made_whenever_it_is_asked_about_with_that_seed() -> None:
    teacher = Teacher(TRUTHS, faults={}, mistaken=0.2)
    first = texts(teacher)
    assert texts(teacher) == first
    assert set(first) == {"Red", "Green", "Yellow", "None"}
    assert 0.5 < first.count("Red") / len(first) < 0.95


def test_a_port_that_is_taken_is_told() -> None:
    teacher = Teacher(TRUTHS)
    with (
        served(teacher) as url,
        pytest.raises(OSError, match="in use"),
        served(teacher, int(url.split(":")[2].split("/")[0])),
    ):
        pass
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(url, timeout=1)  # noqa: S310
