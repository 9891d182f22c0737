"""A server of our own that answers by a script, and counts."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import pytest

from impromptu.chat_server import Said, served
from impromptu.engines import Settings
from impromptu.miniature.teacher import Teacher

Script = Callable[[str, int, Mapping[str, Any]], Said]


def said(text: str, reason: str = "stop", tokens: int = 10) -> Said:
    message = {"role": "assistant", "content": text}
    choices = [{"index": 0, "finish_reason": reason, "message": message}]
    usage = {"prompt_tokens": tokens, "completion_tokens": 2, "total_tokens": tokens + 2}
    return 200, {"id": "x", "created": 0, "model": "m", "choices": choices} | {"usage": usage}


@dataclass(slots=True)
class Scripted(Teacher):
    """Answers by a script: (id and repeat, how often it came, body) -> what is said."""

    script: Script = lambda name, count, body: said(f"answer to {name}")
    bodies: list[Any] = field(default_factory=list)

    async def reply(self, headers: Mapping[str, str], body: Mapping[str, Any]) -> Said:
        name = unquote(headers["x-request-id"])
        self.asked[name] += 1
        self.bodies.append(body)
        return self.script(name, self.asked[name], body)


@pytest.fixture
def server() -> Scripted:
    return Scripted({}, asked=Counter())


@pytest.fixture
def settings(server: Scripted) -> Iterator[Settings]:
    pytest.importorskip("openai", reason="needs the openai extra: openai")
    with served(server) as url:
        yield Settings("m", base_url=url, timeout_s=5, concurrency=4)
