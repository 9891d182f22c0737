"""The judge: what it reads, which marks count, and a whole run against a server of our own."""

import json
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from impromptu.answer_files import Answer, Joined
from impromptu.answer_pairs import Pair
from impromptu.cli import main
from impromptu.judging import PROMPT, Judge, JudgeError, endpoint, judge, prompt, read_mark

BY = Judge("m", "http://nowhere/v1", seed=5, repeats=2, concurrency=1)


def joined(*said: str | None) -> Joined:
    rows = tuple(
        Answer(f"n/s/{k}/q5", f"true {k}", one, "<image>What is there?")
        for k, one in enumerate(said)
    )
    return Joined(Pair("q5", Path("g"), Path("p")), "id", "", rows)


def test_the_judge_reads_question_truth_and_answer_and_nothing_else_is_filled() -> None:
    text = prompt(Answer("a", "It is {answer}.", "A {true} dog.", "What?"))
    assert text == PROMPT.format(question="What?", true="It is {answer}.", answer="A {true} dog.")


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("<MARK>7</MARK>", 7),
        ("Well.\n<MARK> 10 </MARK>.", 10),
        ("<MARK>7</MARK> I repeat: <MARK>7</MARK>", 7),
        ("<MARK>7</MARK> or <MARK>8</MARK>", None),
        ("<MARK>11</MARK>", None),
        ("<MARK>-1</MARK>", None),
        ("7", None),
        ("", None),
    ],
)
def test_marks_are_read_or_lost(text: str, mark: int | None) -> None:
    assert read_mark(text) == mark


def test_marks_are_averaged_by_answer_and_agreement_is_told() -> None:
    given = {("true 0", 5): 4, ("true 0", 6): 6, ("true 1", 5): 9, ("true 1", 6): 9}

    def ask(text: str, seed: int) -> str:
        true = "true 0" if "true 0" in text else "true 1"
        return f"<MARK>{given[true, seed]}</MARK>"

    got = judge(joined("a", "b"), BY, ask)
    assert got["figures"] == {"mark": 7.0, "same_mark_rate": 0.5, "mark_difference": 1.0}
    assert got["marks"] == {"n/s/0/q5": [4, 6], "n/s/1/q5": [9, 9]}
    assert (got["judge"]["seed"], got["judge"]["repeats"]) == (5, 2)
    assert got["judge"]["prompt"] == PROMPT


def test_what_is_not_marked_is_counted() -> None:
    def ask(text: str, seed: int) -> str:
        if seed == 5:
            raise JudgeError("Timeout")
        return "<MARK>3</MARK>" if "true 0" in text else "no idea"

    got = judge(joined("a", "b", "", None), BY, ask)
    assert (got["asked"], got["answered"], got["marked"]) == (4, 2, 1)
    assert got["marks_lost"] == {"Timeout": 2, "no mark in the judge's text": 1}
    assert got["figures"] == {"mark": 3.0, "same_mark_rate": None, "mark_difference": None}


def test_without_openai_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(ModuleNotFoundError) as error:
        next(endpoint(BY, "none"))
    assert "pip install 'impromptu-vla[openai]'" in "".join(error.value.__notes__)


class Server(BaseHTTPRequestHandler):
    """Marks an answer by the number of its words; refuses what says so."""

    seen: list[dict[str, Any]] = []

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        Server.seen.append(request)
        text = request["messages"][0]["content"].partition("to mark:\n")[2].partition("\n\n")[0]
        refuse = text == "refuse"
        message = {"role": "assistant", "content": f"<MARK>{len(text.split())}</MARK>"}
        body: dict[str, Any] = {
            "id": "x",
            "object": "chat.completion",
            "created": 0,
            "model": "m",
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        }
        content = json.dumps({"error": {"message": "no"}} if refuse else body).encode()
        self.send_response(400 if refuse else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Be quiet."""


@pytest.fixture
def base_url() -> Iterator[str]:
    Server.seen = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        server.shutdown()
        thread.join()


@pytest.fixture
def files(tmp_path: Path) -> Callable[[str], list[str]]:
    def write(second: str) -> list[str]:
        gt, pred = tmp_path / "q5_val.json", tmp_path / "q5_val.jsonl"
        roles = ("user", "Describe it."), ("assistant", "A wet road.")
        messages = [{"role": role, "content": content} for role, content in roles]
        gt.write_text(json.dumps([{"id": k, "images": [], "messages": messages} for k in "ab"]))
        said = {"a": "A very wet road", "b": second}
        pred.write_text(
            "\n".join(json.dumps({"id": k, "predict": text}) for k, text in said.items())
        )
        return ["--gt", str(gt), "--pred", str(pred), "--out", str(tmp_path / "marks.json")]

    return write


def test_a_whole_run(
    base_url: str,
    files: Callable[[str], list[str]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("openai", reason="needs the openai extra: openai")
    flags = ["--base_url", base_url, "--model", "m", "--seed", "3", "--repeats", "2"]
    assert main(["judge", *files("wet"), *flags]) == 0
    got = json.loads((tmp_path / "marks.json").read_text())
    assert got["marks"] == {"a": [4, 4], "b": [1, 1]}
    assert got["figures"] == {"mark": 2.5, "same_mark_rate": 1.0, "mark_difference": 0.0}
    assert sorted(request["seed"] for request in Server.seen) == [3, 3, 4, 4]
    assert {request["temperature"] for request in Server.seen} == {0}
    assert "mark 2.50 of 10, by m" in capsys.readouterr().out
    assert main(["judge", *files("refuse"), *flags]) == 1
    got = json.loads((tmp_path / "marks.json").read_text())
    assert got["marks_lost"] == {f"BadRequestError from {base_url}": 2}


def test_other_tasks_have_no_judge(
    files: Callable[[str], list[str]], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    flags = files("wet")
    (tmp_path / "q5_val.json").rename(tmp_path / "q6_val.json")
    flags[1] = str(tmp_path / "q6_val.json")
    assert main(["judge", *flags, "--base_url", "http://x", "--model", "m"]) == 2
    assert "q6 is scored by `impromptu evaluate`" in capsys.readouterr().err
