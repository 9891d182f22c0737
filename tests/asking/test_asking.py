"""Against a server of our own: what is asked, kept, given up, and how much may be spent."""

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from impromptu.asking import REJECTED_IN_A_ROW as IN_A_ROW
from impromptu.asking import Outcome, Request, Spending, ask_all, open_store
from impromptu.chat_server import Said
from impromptu.engines import Decoding, Settings
from impromptu.questions import AnswerError

from .conftest import Scripted, said

ASKED = [Request(f"log/{k}/q4", f"question {k}") for k in range(20)]


def keep(request: Request, text: str) -> str:
    if text.startswith("no"):
        raise AnswerError(f"not an answer: {text}", "not_it")
    return text.strip()


def ask(
    folder: Path,
    settings: Settings,
    requests: list[Request] = ASKED,
    spending: Spending | None = None,
) -> Outcome:
    with open_store(folder, {"model": "m"}) as store:
        return ask_all(requests, store, settings, keep, spending or Spending(), "test")


def test_each_is_asked_once_and_never_again(
    server: Scripted, settings: Settings, tmp_path: Path
) -> None:
    server.script = lambda name, count, body: said(f" {name} ")
    outcome = ask(tmp_path, settings, spending=Spending(price_in=1_000, price_out=2_000))
    assert (outcome.known, outcome.accepted, outcome.tokens_in, outcome.tokens_out) == (
        0,
        20,
        200,
        40,
    )
    assert outcome.cost == pytest.approx(200 * 1e-3 + 40 * 2e-3)
    again = ask(tmp_path, settings)
    assert (again.known, again.accepted) == (20, 0)
    assert set(server.asked.values()) == {1}
    with open_store(tmp_path, {"model": "m"}) as store:
        reply = store.get(ASKED[3])
    assert reply is not None
    assert (reply.id, reply.text, reply.model, reply.tokens_in) == (
        "log/3/q4",
        "log/3/q4/0",
        "m",
        10,
    )


def test_text_that_is_no_unicode_is_made_so(
    server: Scripted, settings: Settings, tmp_path: Path
) -> None:
    server.script = lambda name, count, body: said("half \ud83d of a sign")
    ask(tmp_path, settings, ASKED[:1])
    with open_store(tmp_path, {"model": "m"}) as store:
        reply = store.get(ASKED[0])
    assert reply is not None
    assert reply.text == "half ? of a sign"


def test_repeats_are_drawn_with_seeds_of_their_own(
    server: Scripted, settings: Settings, tmp_path: Path
) -> None:
    requests = [Request("a/0/q4", "?", repeat=k) for k in range(3)]
    drawn = replace(settings, decoding=Decoding(temperature=0.7, seed=5))
    ask(tmp_path, drawn, requests)
    assert len({body["seed"] for body in server.bodies}) == 3
    assert {body["temperature"] for body in server.bodies} == {0.7}


def test_what_is_no_answer_is_kept_apart_and_asked_again(
    server: Scripted, settings: Settings, tmp_path: Path
) -> None:
    odd = {
        "log/1/q4/0": said("no!"),
        "log/2/q4/0": said("half", "length"),
        "log/3/q4/0": (200, "<html>"),
        "log/4/q4/0": (400, {"error": {"message": "too long"}}),
    }
    server.script = lambda name, count, body: (
        odd[name] if name in odd and count == 1 else said("Red")
    )
    outcome = ask(tmp_path, settings)
    reasons = {"not_it": 1, "cut_short": 1, "server_failed": 1, "server_refused": 1}
    assert (outcome.accepted, outcome.rejected) == (16, reasons)
    assert outcome.problems["not_it"] == "log/1/q4: not an answer: no!"
    assert outcome.problems["server_refused"].endswith("400 too long")
    with open_store(tmp_path, {"model": "m"}) as store:
        assert [k for k, request in enumerate(ASKED) if request not in store] == [1, 2, 3, 4]
        assert set(store.rejections().values()) == set(reasons)
    again = ask(tmp_path, settings)
    assert (again.known, again.accepted, again.rejected) == (16, 4, {})


def test_an_image_that_is_gone_is_told_and_not_sent(
    server: Scripted, settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "text.jpg").write_text("not found")
    requests = [
        Request(f"a/{k}/q4", "<image>", (tmp_path / ("text.jpg", "gone.jpg")[k % 2],))
        for k in range(2 * IN_A_ROW)
    ]
    outcome = ask(tmp_path / "store", settings, requests)
    assert outcome.rejected == {"missing_image": IN_A_ROW, "unreadable_image": IN_A_ROW}
    assert "gone.jpg: no such image" in outcome.problems["missing_image"]
    assert not server.asked


def test_a_model_that_gives_no_answers_is_given_up(
    server: Scripted, settings: Settings, tmp_path: Path
) -> None:
    refused = {"error": {"message": "m is not a multimodal model"}}
    server.script = lambda name, count, body: (400, refused)
    many = [Request(f"log/{k}/q4", "?") for k in range(500)]
    with pytest.raises(ValueError, match=rf"{IN_A_ROW} replies .*not a multimodal.*see images"):
        ask(tmp_path, settings, many)
    assert len(server.asked) <= IN_A_ROW + settings.concurrency


def test_a_wrong_key_ends_it_and_is_nowhere(
    server: Scripted, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEACHERS_KEY", "sk-sesame")
    message = {"error": {"message": "Incorrect API key provided: sk-sesame"}}
    server.script = lambda name, count, body: (401, message)
    with pytest.raises(ValueError, match=r"401 Incorrect API key provided: \*\*\*") as error:
        ask(tmp_path, replace(settings, api_key_env="TEACHERS_KEY"))
    assert "keeps 0 new answers; run the same command again" in error.value.__notes__[0]
    assert not any(b"sesame" in path.read_bytes() for path in tmp_path.iterdir())


def test_a_server_that_is_down_is_named(settings: Settings, tmp_path: Path) -> None:
    nobody = replace(settings, base_url="http://127.0.0.1:9/v1")
    with (
        pytest.raises(OSError, match=r"127.0.0.1:9/v1 \(m\) cannot be reached"),
        open_store(tmp_path, {}) as store,
    ):
        ask_all(ASKED, store, nobody, keep, Spending(), "test", retries=0)


def test_a_budget_counts_what_is_under_way(
    server: Scripted, settings: Settings, tmp_path: Path
) -> None:
    outcome = ask(tmp_path, settings, ASKED, Spending(16 * 12))  # each takes 12
    assert (outcome.accepted, outcome.unasked) == (16, 4)
    outcome = ask(tmp_path, settings, ASKED, Spending(1))
    # Nothing is known of the length of the first ones, which begin at once.
    assert (outcome.known, outcome.accepted, outcome.unasked) == (16, 4, 0)


def test_a_budget_needs_a_server_that_counts(
    server: Scripted, settings: Settings, tmp_path: Path
) -> None:
    server.script = lambda name, count, body: said("Red", tokens=0)
    with pytest.raises(ValueError, match="tells no token counts"):
        ask(tmp_path, settings, spending=Spending(60))


def test_a_server_that_says_when_is_asked_then(
    server: Scripted, settings: Settings, tmp_path: Path
) -> None:
    """The stand-in says 20 ms with every reply; of itself the package would wait half a second."""
    server.script = lambda name, count, body: (
        said("Red") if count > 3 else (429, {"error": {"message": "busy"}})
    )
    began_s = time.monotonic()
    assert ask(tmp_path, settings, ASKED[:1]).accepted == 1
    assert time.monotonic() - began_s < 3.5, "0.5 + 1 + 2 s, without being told"
    assert server.asked["log/0/q4/0"] == 4


def test_a_schema_is_sent_until_the_server_is_found_not_to_take_it(
    server: Scripted, settings: Settings, tmp_path: Path
) -> None:
    schema = {"type": "object"}
    requests = [Request(f"a/{k}", "?", schema=schema) for k in range(4)]
    ask(tmp_path / "takes", settings, requests)
    shape = {"name": "answer", "schema": schema, "strict": True}
    wanted = {"type": "json_schema", "json_schema": shape}
    assert [body["response_format"] for body in server.bodies] == [wanted] * 4

    def no_schema(name: str, count: int, body: Mapping[str, Any]) -> Said:
        if "response_format" in body:
            return 400, {"error": {"message": "response_format is not supported"}}
        return said("{}")

    server.script = no_schema
    server.bodies.clear()
    outcome = ask(tmp_path / "does_not", replace(settings, concurrency=1), requests)
    assert outcome.accepted == 4
    assert ["response_format" in body for body in server.bodies] == [True] + [False] * 4
