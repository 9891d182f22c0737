import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impromptu.conversation import Sample, registry_entry
from impromptu.engines import (
    Answerer,
    Completion,
    Decoding,
    Engine,
    Settings,
    in_batches,
    one_by_one,
)
from impromptu.inference import infer

SAMPLES = [Sample(f"log/{i}/q4", (), f"Question {i}?", f"truth {i}") for i in range(7)]


class Killed(BaseException):
    """What a kill looks like from inside."""


class Counting:
    """An engine that notes what it was asked, and may die or fail on the way."""

    def __init__(self, die_at: str = "", fail_at: str = "") -> None:
        self.die_at, self.fail_at = die_at, fail_at
        self.opened, self.batches = 0, list[list[str]]()
        self.engine = Engine(self.open, whole_batches=True)

    def open(self, settings: Settings) -> Answerer:
        self.opened += 1
        return in_batches(self.answer, settings.batch_size)

    def answer(self, samples: Sequence[Sample]) -> list[Completion]:
        self.batches.append([sample.id for sample in samples])
        if any(self.die_at == sample.id for sample in samples):
            raise Killed
        return [self.one(sample) for sample in samples]

    def one(self, sample: Sample) -> Completion:
        if sample.id == self.fail_at:
            return Completion("", "error", "no such image")
        return Completion(f"answer to {sample.prompt}", "stop")


def _infer(
    counting: Counting,
    out: Path,
    samples: Sequence[Sample] = SAMPLES,
    asked: Settings | None = None,
    batch: int = 2,
) -> dict[str, str]:
    asked = replace(asked or Settings(), batch_size=batch)
    return dict(infer(samples, "counting", counting.engine, asked, out).problems)


def _rows(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.read_text().splitlines()]


def test_lines_hold_id_prediction_label_and_reason(tmp_path: Path) -> None:
    out = tmp_path / "new" / "folder" / "p.jsonl"
    outcome = infer(SAMPLES[:1], "counting", Counting().engine, Settings(), out)
    assert _rows(out) == [
        {
            "id": "log/0/q4",
            "predict": "answer to Question 0?",
            "label": "truth 0",
            "finish_reason": "stop",
        }
    ]
    assert outcome.finish_reasons == {"stop": 1}


def test_batches_are_of_the_size_asked_for(tmp_path: Path) -> None:
    counting = Counting()
    _infer(counting, tmp_path / "p.jsonl", batch=3)
    assert [len(batch) for batch in counting.batches] == [3, 3, 1]


def test_the_folder_is_there_before_the_model_loads(tmp_path: Path) -> None:
    out = tmp_path / "new" / "p.jsonl"

    def load(settings: Settings) -> Answerer:
        assert out.parent.is_dir()
        raise OSError("no weights")

    with pytest.raises(OSError, match="no weights"):
        infer(SAMPLES, "broken", Engine(load), Settings(), out)


def test_a_run_that_got_no_answer_binds_nobody(tmp_path: Path) -> None:
    out = tmp_path / "p.jsonl"
    with pytest.raises(Killed):
        _infer(Counting(die_at="log/0/q4"), out, asked=Settings(model="wrong"))
    assert _infer(Counting(), out, asked=Settings(model="right")) == {}


def test_no_samples_make_an_empty_file(tmp_path: Path) -> None:
    assert _infer(Counting(), tmp_path / "p.jsonl", samples=[]) == {}
    assert (tmp_path / "p.jsonl").read_bytes() == b""


def test_an_answer_is_on_disk_before_the_next_batch_is_asked(tmp_path: Path) -> None:
    out, seen = tmp_path / "p.jsonl", list[int]()

    def answer(samples: Sequence[Sample]) -> list[Completion]:
        seen.append(len(out.read_bytes().splitlines()))
        return [Completion("x", "stop") for _ in samples]

    infer(SAMPLES, "watching", Engine(lambda _: in_batches(answer, 2)), Settings(), out)
    assert seen == [0, 2, 4, 6]


@given(
    killed=st.integers(0, 6), torn=st.integers(0, 200), batch=st.integers(1, 8), twice=st.booleans()
)
@settings(max_examples=40, deadline=None)
def test_a_killed_run_ends_with_the_bytes_of_an_unbroken_one(
    tmp_path_factory: pytest.TempPathFactory, killed: int, torn: int, batch: int, twice: bool
) -> None:
    folder = tmp_path_factory.mktemp("kill")
    whole, broken = folder / "whole.jsonl", folder / "broken.jsonl"
    unbroken = Counting()
    _infer(unbroken, whole, batch=batch)
    for _ in range(1 + twice):
        with pytest.raises(Killed):
            _infer(Counting(die_at=f"log/{killed}/q4"), broken, batch=batch)
        content = broken.read_bytes()
        broken.write_bytes(content[: max(0, len(content) - torn)])
    resumed = Counting()
    _infer(resumed, broken, batch=batch)
    assert broken.read_bytes() == whole.read_bytes()
    assert all(asked in unbroken.batches for asked in resumed.batches)


def test_what_is_answered_is_not_asked_again(tmp_path: Path) -> None:
    out = tmp_path / "p.jsonl"
    with pytest.raises(Killed):
        _infer(Counting(die_at="log/4/q4"), out)
    resumed = Counting()
    _infer(resumed, out)
    assert [name for batch in resumed.batches for name in batch] == [s.id for s in SAMPLES[4:]]


def test_a_finished_run_does_not_load_the_model(tmp_path: Path) -> None:
    out = tmp_path / "p.jsonl"
    _infer(Counting(), out)
    before = out.read_bytes()
    again = Counting()
    _infer(again, out)
    assert (again.opened, out.read_bytes()) == (0, before)


def test_a_failed_sample_is_told_kept_in_its_place_and_asked_again(tmp_path: Path) -> None:
    out = tmp_path / "p.jsonl"
    problems = _infer(Counting(fail_at="log/2/q4"), out)
    assert problems == {"log/2/q4": "no such image"}
    assert [row["finish_reason"] for row in _rows(out)] == ["stop"] * 2 + ["error"] + ["stop"] * 4
    mended = Counting()
    assert _infer(mended, out) == {}
    assert mended.batches == [["log/2/q4", "log/3/q4"]]
    assert [row["id"] for row in _rows(out)] == [sample.id for sample in SAMPLES]
    assert {row["finish_reason"] for row in _rows(out)} == {"stop"}


@pytest.mark.parametrize(
    ("samples", "asked", "told"),
    [
        (SAMPLES[:-1], Settings(), "samples was 7, is 6"),
        ([*SAMPLES[:-1], Sample("log/6/q4", (), "Other?", "")], Settings(), "samples_sha256 was"),
        (SAMPLES, Settings(model="other"), "model was '', is 'other'"),
        (SAMPLES, Settings(decoding=Decoding(temperature=1.0)), "temperature was 0.0, is 1.0"),
    ],
)
def test_answers_made_otherwise_are_not_added_to(
    tmp_path: Path, samples: list[Sample], asked: Settings, told: str
) -> None:
    out = tmp_path / "p.jsonl"
    _infer(Counting(), out)
    before = out.read_bytes()
    with pytest.raises(ValueError, match=told) as error:
        _infer(Counting(), out, samples, asked)
    assert "choose another --save_name or delete the file" in str(error.value)
    assert out.read_bytes() == before


def test_a_model_trained_anew_under_the_same_name_is_another_model(tmp_path: Path) -> None:
    model, out = tmp_path / "model", tmp_path / "p.jsonl"
    model.mkdir()
    (model / "model.safetensors").write_bytes(b"weights")
    _infer(Counting(), out, asked=Settings(model=str(model)))
    (model / "train_results.json").write_text('{"train_runtime": 61.3}')
    assert _infer(Counting(), out, asked=Settings(model=str(model))) == {}
    (model / "model.safetensors").write_bytes(b"heavier")
    with pytest.raises(ValueError, match="model_sha256 was"):
        _infer(Counting(), out, asked=Settings(model=str(model)))


def test_a_file_of_unknown_origin_is_not_touched(tmp_path: Path) -> None:
    out = tmp_path / "p.jsonl"
    out.write_text('{"predict": "published"}\n')
    with pytest.raises(ValueError, match="already holds answers made otherwise"):
        _infer(Counting(), out)
    assert out.read_text() == '{"predict": "published"}\n'


def test_settings_do_not_matter_where_there_is_no_model(tmp_path: Path) -> None:
    out, stand_in = tmp_path / "p.jsonl", Engine(Counting().open, runs_model=False)
    infer(SAMPLES, "stand_in", stand_in, Settings(), out)
    infer(SAMPLES, "stand_in", stand_in, Settings(cutoff_len=1), out)


def test_too_few_answers_from_an_engine_are_noticed(tmp_path: Path) -> None:
    lossy = Engine(lambda _: in_batches(lambda samples: [Completion("x", "stop")], 2))
    with pytest.raises(ValueError, match="zip"):
        infer(SAMPLES, "lossy", lossy, Settings(), tmp_path / "p.jsonl")


def test_a_sample_that_an_engine_loses_is_noticed(tmp_path: Path) -> None:
    def forgetful(samples: Iterable[Sample]) -> Iterator[tuple[Sample, Completion]]:
        return ((one, Completion("x", "stop")) for one in samples if one.id != "log/3/q4")

    silent = Engine(lambda _: forgetful)
    with pytest.raises(ValueError, match="no answer to 1 samples: log/3/q4"):
        infer(SAMPLES, "silent", silent, Settings(), tmp_path / "q.jsonl")


def test_an_engine_that_takes_samples_as_they_come_is_asked_no_finished_one_again(
    tmp_path: Path,
) -> None:
    """Though the batches of one that does not are asked whole."""
    out, asked = tmp_path / "p.jsonl", list[str]()

    def backwards(samples: Iterable[Sample]) -> Iterator[tuple[Sample, Completion]]:
        for sample in reversed(list(samples)):
            asked.append(sample.id)
            if len(asked) == 4:
                raise OSError("dead")
            yield sample, Completion(f"answer to {sample.prompt}", "stop")

    streaming = Engine(lambda _: backwards)
    with pytest.raises(OSError, match="dead") as error:
        infer(SAMPLES, "streaming", streaming, Settings(batch_size=4), out)
    assert error.value.__notes__ == [
        f"{out} keeps 3 new answers; run the same command again to go on"
    ]
    told = list[str]()
    infer(SAMPLES, "streaming", streaming, Settings(batch_size=4), out, say=told.append)
    assert told == ["3 of 7 answered already"]
    assert sorted(asked[4:]) == [f"log/{k}/q4" for k in range(4)]
    assert [row["id"] for row in _rows(out)] == [sample.id for sample in SAMPLES]


def test_samples_are_read_as_the_engine_takes_them(tmp_path: Path) -> None:
    class Counted:
        ahead = most_ahead = 0

        def __iter__(self) -> Iterator[Sample]:
            self.ahead = self.most_ahead = 0
            for place in range(500):
                self.ahead += 1
                self.most_ahead = max(self.most_ahead, self.ahead)
                yield Sample(f"log/{place}/q4", (), f"{place}?", "")

    counted = Counted()

    def answer(sample: Sample) -> Completion:
        counted.ahead -= 1
        return Completion("x", "stop")

    engine = Engine(lambda _: one_by_one(answer))
    infer(counted, "counted", engine, Settings(), tmp_path / "p.jsonl")
    assert counted.most_ahead == 1


def test_several_answers_to_a_sample_are_one_line(tmp_path: Path) -> None:
    drawn = Completion("a", "stop", more=(Completion("b", "length"), Completion("c", "stop")))
    engine, out = Engine(lambda _: one_by_one(lambda sample: drawn)), tmp_path / "p.jsonl"
    infer(SAMPLES[:1], "drawing", engine, Settings(decoding=Decoding(temperature=1.0, n=3)), out)
    (row,) = _rows(out)
    assert (row["predict"], row["finish_reason"]) == ("a", "stop")
    assert row["predicts"] == ["a", "b", "c"]
    assert row["finish_reasons"] == ["stop", "length", "stop"]


def test_several_greedy_answers_are_refused() -> None:
    with pytest.raises(ValueError, match="greedy answers would all be the same"):
        Decoding(n=2)


def test_where_a_server_listens_may_change(tmp_path: Path) -> None:
    out, engine = (
        tmp_path / "p.jsonl",
        Engine(lambda _: one_by_one(lambda _: Completion("x", "stop"))),
    )
    for port in (1, 2):
        asked = Settings("m", base_url=f"http://h:{port}/v1", concurrency=port, batch_size=port)
        infer(SAMPLES, "served", engine, asked, out)


SLOW = """
import sys, time
from pathlib import Path
from impromptu.conversation import Sample, registry_entry
from impromptu.engines import Completion, Engine, Settings, one_by_one
from impromptu.inference import infer

out, log, pause_s = Path(sys.argv[1]), open(sys.argv[2], "a", buffering=1), float(sys.argv[3])

def answer(sample):
    time.sleep(pause_s)
    log.write(sample.id + "\\n")
    return Completion("an answer of some length " * 40, "stop")

samples = [Sample(f"log/{k}/q4", (), f"{k}?", "") for k in range(200)]
infer(samples, "slow", Engine(lambda _: one_by_one(answer)), Settings(), out)
"""


def test_a_run_that_is_killed_asks_no_finished_sample_again(tmp_path: Path) -> None:
    out, log = tmp_path / "p.jsonl", tmp_path / "asked"
    process = subprocess.Popen([sys.executable, "-c", SLOW, str(out), str(log), "0.01"])
    while not out.exists() or out.read_bytes().count(b"\n") < 20:
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    finished = {row["id"] for row in _rows(out)}
    assert 20 <= len(finished) < 200
    log.unlink()
    subprocess.run([sys.executable, "-c", SLOW, str(out), str(log), "0"], check=True)
    assert not finished & set(log.read_text().split())
    assert [row["id"] for row in _rows(out)] == [f"log/{k}/q4" for k in range(200)]


def test_a_full_disk_keeps_the_lines_that_fit_and_is_told(tmp_path: Path) -> None:
    """The largest size of a file stands in for the disk's: the next byte is an OSError too."""

    def full() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))

    out, log = tmp_path / "p.jsonl", tmp_path / "asked"
    words = [sys.executable, "-c", SLOW, str(out), str(log), "0"]
    done = subprocess.run(words, preexec_fn=full, capture_output=True, text=True)
    assert done.returncode != 0
    assert str(out) in done.stderr.splitlines()[-2]
    assert "keeps 9 new answers; run the same command again" in done.stderr.splitlines()[-1]
    content = out.read_bytes()
    assert (content.count(b"\n"), len(content)) == (9, 10_000)
    subprocess.run(words, check=True)
    assert [row["id"] for row in _rows(out)] == [f"log/{k}/q4" for k in range(200)]


@pytest.mark.slow
@pytest.mark.skipif(not find_spec("ray"), reason="needs the ray extra: ray")
def test_engines_on_a_cluster_write_the_same_bytes(tmp_path: Path) -> None:
    """Also where a run without a cluster began, or one with it was killed."""
    rows = [Sample(f"log/{k}/q4", (), f"{k}?", f"truth {k} ½").to_sharegpt() for k in range(11)]
    (tmp_path / "q4_val.json").write_text(json.dumps(rows))
    (tmp_path / "dataset_info.json").write_text(json.dumps({"q4": registry_entry("q4_val.json")}))
    here, there = tmp_path / "here.jsonl", tmp_path / "there.jsonl"
    words = [sys.executable, "-m", "impromptu", "infer", "--engine", "echo", "--dataset", "q4"]
    words += ["--dataset_dir", str(tmp_path), "--save_name"]
    environment = {key: value for key, value in os.environ.items() if key != "RAY_ADDRESS"}
    subprocess.run([*words, str(here)], check=True, env=environment)
    lines = here.read_bytes().splitlines(keepends=True)
    there.write_bytes(b"".join([lines[4], lines[2]]))
    parts = tmp_path / "there.jsonl.parts"
    parts.mkdir()
    (parts / "000000006.jsonl").write_bytes(b"".join([lines[6], lines[7][:9]]))
    (tmp_path / "there.jsonl.settings").write_bytes((tmp_path / "here.jsonl.settings").read_bytes())
    cluster = [*words, str(there), "--backend", "ray", "--workers", "2"]
    done = subprocess.run(cluster, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "3 of 11 answered already" in done.stderr
    assert there.read_bytes() == here.read_bytes()
    assert not parts.exists()
