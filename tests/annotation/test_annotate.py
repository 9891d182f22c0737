"""From prompts to samples: what is written, what is dropped, what is asked again."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from impromptu import cli
from impromptu.annotation import Teacher as Asked
from impromptu.annotation import annotate
from impromptu.annotation.prompts import Prompts, unanswered
from impromptu.asking import Spending
from impromptu.engines import Settings
from impromptu.files import read_json
from impromptu.miniature import teacher as stand_in
from impromptu.miniature.teacher import Teacher
from impromptu.registry import load_samples

from .conftest import CLIPS, LIGHTS, answers_of

Command = Callable[..., list[str]]
TOTAL = CLIPS // 2 + CLIPS + CLIPS


def tallies(samples: Path) -> dict[str, tuple[int, int, dict[str, int]]]:
    questions = read_json(samples / "manifest.json")["datasets"]["kitti"]["train"]["questions"]
    for tally in questions.values():
        assert tally["asked"] == tally["samples"] + sum(tally["dropped"].values())
    return {
        task: (tally["asked"], tally["samples"], tally["dropped"])
        for task, tally in questions.items()
    }


def test_prompts_of_a_clip_come_together(samples: Path) -> None:
    files = unanswered(samples, [], ["q3", "q4", "q5"])
    clips = [request.id.split("/")[2] for request in Prompts(samples, files, 2)]
    assert list(dict.fromkeys(clips)) == [str(k) for k in range(CLIPS)]
    assert clips == sorted(clips, key=int)
    assert len(clips) == 2 * TOTAL


def test_no_prompt_is_lost_where_orders_differ(samples: Path) -> None:
    path = samples / "kitti/unanswered/q3_train.json"
    path.write_text(json.dumps(list(reversed(read_json(path)))))
    files = unanswered(samples, [], ["q3", "q4", "q5"])
    assert len({request.key for request in Prompts(samples, files, 1)}) == TOTAL


def test_every_answer_becomes_a_sample_that_is_registered(
    samples: Path, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(command()) == 0
    assert f"{TOTAL} samples; without an answer: none" in capsys.readouterr().out
    lights = answers_of(samples / "kitti/q4_train.json")
    assert lights == {f"kitti/a/{k}/q4": LIGHTS[k % 3] for k in range(CLIPS)}
    reasons = answers_of(samples / "kitti/q3_train.json")
    assert len(reasons) == CLIPS // 2
    assert "traffic light ahead of it is red" in reasons["kitti/a/0/q3"]
    assert all(one["preset"] == "released" for one in read_json(samples / "kitti/q5_train.json"))
    names = ["kitti_q3_train", "kitti_q4_train", "kitti_q5_train"]
    assert list(read_json(samples / "dataset_info.json")) == names
    loaded = load_samples(samples, names)
    assert len(loaded) == TOTAL
    assert all(sample.answer for sample in loaded)
    assert tallies(samples) == {
        "q3": (12, 6, {"future_under_3s": 6}),
        "q4": (12, 12, {}),
        "q5": (12, 12, {}),
    }
    told = read_json(samples / "manifest.json")["datasets"]["kitti"]["train"]["teachers"]["q3"]
    assert told == {"model": stand_in.MODEL, "replies": "annotation/stand-in-teacher"}


def test_the_same_again_asks_nothing_and_writes_the_same(
    samples: Path, command: Command, teacher: Teacher
) -> None:
    cli.main(command())
    made = {path: path.read_bytes() for path in samples.rglob("*.json")}
    assert cli.main(command()) == 0
    assert {path: path.read_bytes() for path in samples.rglob("*.json")} == made
    assert (set(teacher.asked.values()), len(teacher.asked)) == ({1}, TOTAL)


def test_stored_answers_need_no_server(samples: Path, command: Command) -> None:
    """As after a new generation, which takes the answered files away."""
    before = (samples / "manifest.json").read_bytes()
    cli.main(command())
    made = {path: path.read_bytes() for path in samples.glob("kitti/*.json")}
    for path in made:
        path.unlink()
    (samples / "manifest.json").write_bytes(before)
    assert cli.main(command("--base_url", "http://127.0.0.1:9/v1")) == 0
    assert {path: path.read_bytes() for path in samples.glob("kitti/*.json")} == made


def test_what_is_no_answer_is_in_no_sample_and_is_asked_again(
    samples: Path, command: Command, teacher: Teacher, capsys: pytest.CaptureFixture[str]
) -> None:
    teacher.faults, teacher.seed = {"refusal": 0.2, "foreign": 0.2, "empty": 0.2}, 3
    assert cli.main(command()) == 1
    kept = {
        name: text
        for path in samples.glob("kitti/*.json")
        for name, text in answers_of(path).items()
    }
    assert 0 < len(kept) < TOTAL
    assert not any(text in kept.values() for text in stand_in._TEXTS.values())
    lost = tallies(samples)
    reasons = {"teacher_refusal", "teacher_not_english", "teacher_empty", "teacher_unknown_words"}
    assert {why for _, _, dropped in lost.values() for why in dropped} <= reasons | {
        "future_under_3s"
    }
    assert sum(tally[1] for tally in lost.values()) == len(kept)
    told = capsys.readouterr()
    assert "refusal, the first: kitti/a/" in told.err
    assert "without an answer: " in told.out
    assert cli.main(command()) == 0
    assert sum(teacher.asked.values()) == TOTAL + (TOTAL - len(kept))
    assert tallies(samples)["q3"] == (12, 6, {"future_under_3s": 6})


def test_an_image_that_vanished_is_reported_and_not_sent(
    samples: Path, command: Command, teacher: Teacher, capsys: pytest.CaptureFixture[str]
) -> None:
    (samples.parent / "raw/2.png").unlink()
    (samples.parent / "raw/3.png").write_bytes(b"")
    assert cli.main(command()) == 1
    assert "raw/2.png: no such image" in capsys.readouterr().err
    assert not any(name.startswith(("kitti/a/2/", "kitti/a/3/")) for name in teacher.asked)
    assert tallies(samples)["q4"] == (
        12,
        10,
        {"teacher_missing_image": 1, "teacher_unreadable_image": 1},
    )


def test_a_question_without_any_answer_has_no_file(
    samples: Path, command: Command, teacher: Teacher
) -> None:
    cli.main(command())
    teacher.faults = {"empty": 1.0}
    teacher.asked.clear()
    other = command("--teacher", "other", "--questions", "q4")
    assert cli.main(other) == 1
    assert not (samples / "kitti/q4_train.json").exists()
    assert (samples / "kitti/q3_train.json").exists(), "it was not asked about"
    assert "kitti_q4_train" not in read_json(samples / "dataset_info.json")
    assert tallies(samples)["q4"] == (12, 0, {"teacher_empty": 12})


def test_repeats_and_two_teachers_are_compared(
    samples: Path, settings: Settings, teacher: Teacher, command: Command
) -> None:
    decoding = replace(settings.decoding, temperature=0.7)
    drawn = Asked(replace(settings, decoding=decoding), "first", repeats=3)
    figures = annotate(samples, drawn, Spending()).written.figures()
    assert figures["itself"]["q4"] == {"pairs": 36, "equal_rate": 1.0, "cohens_kappa": 1.0}
    # The stand-in says each reason in one of two wordings.
    assert figures["itself"]["q3"]["pairs"] == 18
    assert 0.5 < figures["itself"]["q3"]["token_f1"] < 1
    teacher.mistaken = 1.0
    assert cli.main(command("--teacher", "second")) == 0
    told = read_json(samples / "annotation/second/agreement.json")
    assert list(told) == ["first"]
    assert (told["first"]["q4"]["pairs"], told["first"]["q4"]["equal_rate"]) == (12, 0.0)
    assert told["first"]["q4"]["cohens_kappa"] < 0


def test_a_majority_outvotes_a_mistake(samples: Path, settings: Settings, teacher: Teacher) -> None:
    teacher.mistaken, teacher.seed = 0.2, 3
    decoding = replace(settings.decoding, temperature=0.7)
    alone, five = (
        Asked(replace(settings, decoding=decoding), f"of {k}", repeats=k) for k in (1, 5)
    )
    truth = {f"kitti/a/{k}/q4": LIGHTS[k % 3] for k in range(CLIPS)}
    wrong = []
    for asked in (alone, five):
        annotate(samples, asked, Spending(), tasks=["q4"])
        said = answers_of(samples / "kitti/q4_train.json")
        wrong.append(sum(said[name] != light for name, light in truth.items()))
    assert wrong[1] < wrong[0]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--model", "other"], "404 there is no model 'other'"),
        (["--datasets", "waymo"], "no prompts of q3, q4, q5 of waymo wait .* there are kitti q3"),
        (["--base_url", "http://127.0.0.1:9/v1", "--max_retries", "0"], "cannot be reached"),
        (["--samples", "/nowhere"], "expects the --out folder of"),
        (["--repeats", "2", "--temperature", "0"], "greedy answers would all be the same"),
        (["--api_key_env", "NOT_SET"], "NOT_SET: no such environment variable"),
        (["--budget_tokens", "0"], "expected at least 1"),
        (["--temperature", "-1"], "--temperature -1: expected 0 or more"),
        (["--base_url", "http://127.0.0.1:999999/v1"], "expected the server's address"),
        (["--teacher", "../x"], "expected the name of a folder"),
    ],
)
def test_what_cannot_be_is_one_clear_line(
    command: Command, samples: Path, more: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    import re

    before = {path: path.read_bytes() for path in samples.glob("*.json")}
    assert cli.main(command(*more)) == 2
    err = capsys.readouterr().err
    assert re.search(told, err), err
    assert "Traceback" not in err
    assert {path: path.read_bytes() for path in samples.glob("*.json")} == before
    assert not list(samples.glob("kitti/q*"))


def test_a_wrong_key_is_told_and_stored_nowhere(
    samples: Path,
    command: Command,
    teacher: Teacher,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    teacher.key = "right"
    monkeypatch.setenv("TEACHERS_KEY", "sk-wrong-one")
    assert cli.main(command("--api_key_env", "TEACHERS_KEY")) == 2
    assert "401 invalid API key" in capsys.readouterr().err
    monkeypatch.setenv("TEACHERS_KEY", "right")
    assert cli.main(command("--api_key_env", "TEACHERS_KEY")) == 0
    written = [path.read_bytes() for path in samples.rglob("*") if path.is_file()]
    assert not any(b"sk-wrong-one" in content for content in written)


def _started(words: list[str]) -> "subprocess.Popen[str]":
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    whole = [sys.executable, "-m", "impromptu", *words]
    piped = subprocess.PIPE
    return subprocess.Popen(whole, env=environment, stdout=piped, stderr=piped, text=True)


@pytest.mark.parametrize("after", [1, 9])
def test_a_kill_loses_what_is_in_flight_and_nothing_else(
    samples: Path, command: Command, teacher: Teacher, after: int
) -> None:
    teacher.latency_s = 0.1
    replies = samples / "annotation/stand-in-teacher/answers.jsonl"
    with _started(command("--concurrency", "3")) as run:
        while not replies.exists() or replies.read_bytes().count(b"\n") < after:
            assert run.poll() is None, run.stderr.read() if run.stderr else ""
            time.sleep(0.002)
        run.send_signal(signal.SIGKILL)
        run.communicate()
    time.sleep(0.3)  # those in flight are answered, to nobody
    stored = [json.loads(line)["id"] for line in replies.read_text().splitlines()]
    asked = dict(teacher.asked)
    assert after <= len(stored) < TOTAL
    assert len(asked) - len(stored) <= 3
    teacher.latency_s = 0.0
    assert cli.main(command()) == 0
    again = {name for name, count in teacher.asked.items() if count > asked.get(name, 0)}
    assert again == set(teacher.asked) - {f"{name}/0" for name in stored}
    assert len(again) == TOTAL - len(stored)


def test_two_runs_at_once_share_the_work(samples: Path, command: Command, teacher: Teacher) -> None:
    teacher.latency_s = 0.05
    runs = [_started(command("--concurrency", "2")) for _ in range(2)]
    told = [run.communicate() for run in runs]
    assert {run.returncode for run in runs} <= {0, 1}, told
    assert "Traceback" not in told[0][1] + told[1][1]
    assert set(teacher.asked.values()) == {1}, "nothing is asked twice"
    assert len(teacher.asked) == TOTAL
    assert len(answers_of(samples / "kitti/q5_train.json")) == CLIPS
    assert tallies(samples)["q4"] == (12, 12, {})
