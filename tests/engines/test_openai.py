"""Against a server of our own: what it is asked, how often, and what its failures come to."""

import base64
import io
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from impromptu.conversation import Sample
from impromptu.engines import Completion, Decoding, Settings
from impromptu.engines._image_budget import open_image
from impromptu.engines.openai import ENGINE, FAILURES_IN_A_ROW, RETRIES
from impromptu.inference import infer

Reply = tuple[int, Any]
Script = Callable[[str, int], Reply]
"""(last text of the prompt, how often it was asked) -> status, body; a None body hangs up."""

SAMPLES = [Sample(f"log/{k}/q4", (), f"question {k}", "") for k in range(12)]


def said(*texts: str | None, reason: str = "stop") -> Reply:
    choices = [
        {"index": k, "finish_reason": reason, "message": {"role": "assistant", "content": text}}
        for k, text in enumerate(texts)
    ]
    body = {"id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": choices}
    return 200, body


class Server(ThreadingHTTPServer):
    """Answers by a script; notes every request, and how many it has at once."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script: Script = lambda text, _: said(f"answer to {text}")
        self.requests, self.keys = list[dict[str, Any]](), list[str]()
        self.lock, self.running, self.most = threading.Lock(), 0, 0

    @property
    def settings(self) -> Settings:
        url = f"http://127.0.0.1:{self.server_address[1]}/v1"
        return Settings("m", base_url=url, timeout_s=5, concurrency=4)

    def asked(self, text: str) -> int:
        return sum(text_of(one) == text for one in self.requests)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Be quiet about clients that have gone."""


def text_of(request: dict[str, Any]) -> str:
    parts = request["messages"][-1]["content"]
    return next((str(one["text"]) for one in reversed(parts) if one["type"] == "text"), "")


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.requests.append(request)
            self.server.keys.append(self.headers["Authorization"])
            self.server.running += 1
            self.server.most = max(self.server.most, self.server.running)
            count = self.server.asked(text_of(request))
        try:
            status, body = self.server.script(text_of(request), count)
        finally:
            with self.server.lock:
                self.server.running -= 1
        if body is None:
            self.close_connection = True
            return
        content = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("retry-after-ms", "1")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Be quiet."""


@contextmanager
def serving() -> Iterator[Server]:
    pytest.importorskip("openai", reason="needs the openai extra: openai")
    with Server() as one:
        thread = threading.Thread(target=one.serve_forever, args=(0.01,))
        thread.start()
        yield one
        one.shutdown()
        thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as one:
        yield one


def _ask(settings: Settings, samples: list[Sample]) -> dict[str, Completion]:
    return {sample.id: answer for sample, answer in ENGINE.open(settings)(samples)}


def test_a_server_is_asked_in_the_prompts_order_with_the_trainings_pixels(
    server: Server, tmp_path: Path
) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (90, 160, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.jpg")
    Image.fromarray(noise[:40]).convert("L").save(tmp_path / "b.png")
    sample = Sample("a/0/q6", ("a.jpg", "b.png"), "<image>\nbetween<image> after ", "")
    decoding = Decoding(max_new_tokens=9, seed=3)
    settings = replace(server.settings, media_dir=tmp_path, image_max_pixels=5_000)
    _ask(replace(settings, decoding=decoding), [sample])
    request = dict(server.requests[0])
    system, user = request.pop("messages")
    assert system == {"role": "system", "content": "You are a helpful assistant."}
    first, between, second, after = user["content"]
    assert (between["text"], after["text"]) == ("\nbetween", " after ")
    for part, name in ((first, "a.jpg"), (second, "b.png")):
        kind, _, data = part["image_url"]["url"].partition(";base64,")
        shown = Image.open(io.BytesIO(base64.b64decode(data)))
        assert (kind, shown.format) == ("data:image/png", "PNG")
        expected = open_image(tmp_path / name, 5_000, 1_024)
        assert (shown.size, shown.tobytes()) == (expected.size, expected.tobytes())
    seed = request.pop("seed")
    assert request == {"model": "m", "temperature": 0.0, "top_p": 1.0, "max_tokens": 9, "n": 1}
    _ask(replace(settings, decoding=replace(decoding, seed=4)), [sample])
    assert server.requests[1]["seed"] == seed + 1


@pytest.mark.parametrize("template", ["qwen3_vl_nothink", "own"])
def test_a_template_without_a_system_message_sends_none(server: Server, template: str) -> None:
    _ask(replace(server.settings, template=template), SAMPLES[:1])
    (message,) = server.requests[0]["messages"]
    assert message["role"] == "user"


def test_an_unknown_template_is_refused() -> None:
    with pytest.raises(ValueError, match="'llama3': this engine knows"):
        ENGINE.open(Settings("m", base_url="http://x", template="llama3"))


def test_what_openai_itself_does_not_know_is_sent_only_when_asked_for(server: Server) -> None:
    decoding = Decoding(temperature=0.5, top_k=5, repetition_penalty=1.1)
    _ask(replace(server.settings, decoding=decoding, engine_config={"min_p": 0.1}), SAMPLES[:1])
    (request,) = server.requests
    assert (request["top_k"], request["repetition_penalty"], request["min_p"]) == (5, 1.1, 0.1)


def test_no_more_are_asked_at_once_than_wanted(server: Server) -> None:
    def slow(text: str, _: int) -> Reply:
        time.sleep(0.05)
        return said(text)

    server.script = slow
    assert len(_ask(replace(server.settings, concurrency=3), SAMPLES)) == 12
    assert server.most == 3


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_passing_failure_is_tried_again(server: Server, status: int) -> None:
    server.script = lambda text, count: said(text) if count > 2 else (status, {"error": {}})
    answers = _ask(server.settings, SAMPLES[:3])
    assert {one.finish_reason for one in answers.values()} == {"stop"}
    assert len(server.requests) == 9


def test_a_lasting_failure_is_that_samples_error_alone(server: Server) -> None:
    server.script = lambda text, _: (
        (500, {"error": {"message": "oh"}}) if "5" in text else said(text)
    )
    answers = _ask(server.settings, SAMPLES)
    failed = answers.pop("log/5/q4")
    assert (failed.finish_reason, failed.problem) == ("error", "the server failed: 500 oh")
    assert server.asked("question 5") == RETRIES + 1
    assert {one.finish_reason for one in answers.values()} == {"stop"}


def test_a_server_that_fails_at_all_is_given_up(server: Server) -> None:
    server.script = lambda text, _: (503, {"error": {"message": "busy"}})
    told = f"failed at {FAILURES_IN_A_ROW} samples in a row.*503 busy.*smaller --concurrency"
    with pytest.raises(OSError, match=told):
        _ask(replace(server.settings, concurrency=12), SAMPLES)


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_refused_sample_is_not_tried_again(server: Server, status: int) -> None:
    body = {"error": {"message": "maximum context length is 8 tokens"}}
    server.script = lambda text, _: (status, body)
    (answer,) = _ask(server.settings, SAMPLES[:1]).values()
    assert answer.problem == f"the server refused it: {status} maximum context length is 8 tokens"
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [401, 404])
def test_a_wrong_key_or_model_ends_the_run_at_once(server: Server, status: int) -> None:
    server.script = lambda text, _: (status, {"error": {"message": "who?"}})
    with pytest.raises(ValueError, match=rf"\(m\): {status} who\?"):
        _ask(replace(server.settings, concurrency=1), SAMPLES)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"object": "chat.completion"}, "no choices"),
        ({"choices": []}, "no choices"),
        ("<html>", "cannot be read"),
        ('{"choices": [', "cannot be read"),
        (["text"], "cannot be read"),
    ],
)
def test_an_answer_that_is_none_is_an_error(server: Server, body: Any, told: str) -> None:
    server.script = lambda text, _: (200, body)
    (answer,) = _ask(server.settings, SAMPLES[:1]).values()
    assert answer.finish_reason == "error"
    assert told in answer.problem


def test_finish_reasons_are_kept_and_unknown_ones_are_errors(server: Server) -> None:
    reasons = {"question 0": "length", "question 1": "content_filter", "question 2": "stop"}
    texts = {"question 2": None}
    server.script = lambda text, _: said(texts.get(text, "half"), reason=reasons[text])
    answers = _ask(server.settings, SAMPLES[:3])
    cut, filtered, silent = (answers[one.id] for one in SAMPLES[:3])
    assert cut == Completion("half", "length")
    assert filtered == Completion("", "error", "the server ended it: content_filter")
    assert silent == Completion("", "error", "the reply has no text")


def test_several_answers_stay_together(server: Server) -> None:
    server.script = lambda text, _: said("one", "two", "three")
    decoding = Decoding(temperature=1.0, n=3)
    (answer,) = _ask(replace(server.settings, decoding=decoding), SAMPLES[:1]).values()
    assert [answer.text, *(one.text for one in answer.more)] == ["one", "two", "three"]
    assert server.requests[0]["n"] == 3


def test_a_slow_server_is_a_time_out(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("impromptu.engines.openai.RETRIES", 0)
    wait = threading.Event()
    server.script = lambda text, _: said(text) if wait.wait(2) else (200, None)
    (answer,) = _ask(replace(server.settings, timeout_s=0.2), SAMPLES[:1]).values()
    wait.set()
    assert answer.problem == "the server failed: no answer in 0.2 s"


def test_an_image_that_cannot_be_read_is_that_samples_error(server: Server) -> None:
    lost = Sample("lost", ("gone.png",), "<image>?", "")
    answers = _ask(server.settings, [SAMPLES[0], lost])
    assert answers["lost"].finish_reason == "error"
    assert "gone.png: no such image" in answers["lost"].problem
    assert answers["log/0/q4"].finish_reason == "stop"


def test_a_server_that_dies_halfway_keeps_what_it_said_and_the_next_run_asks_the_rest(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("impromptu.engines.openai.RETRIES", 0)
    out, alive = tmp_path / "p.jsonl", server.script
    server.script = lambda text, count: (
        alive(text, count) if len(server.requests) < 6 else (0, None)
    )
    one_by_one = replace(server.settings, concurrency=1)
    with pytest.raises(OSError, match="cannot be reached any more") as error:
        infer(SAMPLES, "openai", ENGINE, one_by_one, out)
    assert "keeps 5 new answers; run the same command again" in error.value.__notes__[0]
    assert len(out.read_text().splitlines()) == 5
    server.script, asked = alive, len(server.requests)
    infer(SAMPLES, "openai", ENGINE, server.settings, out)
    assert {text_of(one) for one in server.requests[asked:]} == {s.prompt for s in SAMPLES[5:]}
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["id"] for row in rows] == [sample.id for sample in SAMPLES]
    assert [row["predict"] for row in rows] == [f"answer to {s.prompt}" for s in SAMPLES]


def test_the_key_comes_from_the_environment_and_goes_nowhere_else(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", "sesame")
    out = tmp_path / "p.jsonl"
    infer(SAMPLES[:1], "openai", ENGINE, replace(server.settings, api_key_env="MY_KEY"), out)
    assert server.keys == ["Bearer sesame"]
    assert not any(b"sesame" in path.read_bytes() for path in tmp_path.iterdir())


@pytest.mark.parametrize("key", ["sesame\n", "sesame\rx", "se same", "s\u00e9same"])
def test_a_key_that_no_header_can_carry_is_refused_and_not_repeated(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("MY_KEY", key)
    settings = replace(server.settings, api_key_env="MY_KEY")
    with pytest.raises(ValueError, match=r"MY_KEY: sign \d of the \d of this key is") as error:
        infer(SAMPLES[:1], "openai", ENGINE, settings, tmp_path / "p.jsonl")
    assert "same" not in str(error.value)
    assert not server.requests


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (Settings("m"), "expected --base_url"),
        (Settings("m", base_url="x:1"), "expected the server"),
        (Settings("m", base_url="http://x:999999/v1"), "expected the server"),
        (Settings("m", base_url="http:/x/v1"), "expected the server"),
        (Settings(base_url="http://x/v1"), "no model given"),
    ],
)
def test_what_is_not_given_is_named(settings: Settings, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        ENGINE.open(settings)


def test_without_openai_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(ModuleNotFoundError) as error:
        ENGINE.open(Settings("m", base_url="http://x/v1"))
    assert "pip install 'impromptu-vla[openai]'" in error.value.__notes__[0]
