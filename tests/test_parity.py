"""Two engines' answers side by side: by hand."""

import json
from pathlib import Path
from typing import Any

import pytest

from impromptu.cli import main
from impromptu.conversation import Sample, registry_entry
from impromptu.parity import END, compare, read_texts


def path(*offsets_m: float) -> str:
    """Six waypoints, each so far to the left of straight ahead at 2 m/s."""
    points = ", ".join(f"[{k + 1:.2f}, {off:.2f}]" for k, off in enumerate(offsets_m))
    return f"<PLANNING>{points}</PLANNING>"


STRAIGHT, BENT = path(0, 0, 0, 0, 0, 0), path(0, 0, 0, 0, 0.3, 0.9)


def test_the_first_token_that_differs_is_told() -> None:
    a = {"s/1/q4": "Red", "s/2/q5": "a wet road", "s/3/q5": "a road", "s/4/q5": "a"}
    b = {"s/1/q4": "Red", "s/2/q5": "a dry road", "s/3/q5": "a road ahead", "s/4/q5": "b"}
    parity = compare(a, b, str.split)
    told = [(one.id, one.token, one.token_a, one.token_b) for one in parity.differences]
    assert told == [
        ("s/2/q5", 1, "wet", "dry"),
        ("s/3/q5", 2, END, "ahead"),
        ("s/4/q5", 0, "a", "b"),
    ]
    assert (parity.samples, parity.same) == (4, 1)
    assert parity.first_tokens() == (0, 1)


def test_waypoints_are_compared_where_both_can_be_read() -> None:
    a = {"s/1/planning": STRAIGHT, "s/2/planning": STRAIGHT, "s/3/planning": "nothing"}
    b = {"s/1/planning": STRAIGHT, "s/2/planning": BENT, "s/3/planning": STRAIGHT}
    parity = compare(a, b)
    assert (parity.paths, parity.max_m) == (2, 0.9)
    assert parity.mean_m == pytest.approx((0 + (0.3 + 0.9) / 6) / 2)
    assert [one.id for one in parity.beyond(0.0)] == ["s/2/planning", "s/3/planning"]
    assert [one.id for one in parity.beyond(0.9)] == ["s/3/planning"]
    assert parity.differences[0].token is None


def test_an_answer_that_only_one_has_is_a_difference() -> None:
    parity = compare({"s/1/q4": "Red", "s/2/q4": None}, {"s/2/q4": None, "s/3/q4": "Red"})
    assert [(one.id, one.a, one.b) for one in parity.differences] == [
        ("s/1/q4", "Red", None),
        ("s/2/q4", None, None),
        ("s/3/q4", None, "Red"),
    ]
    assert len(parity.beyond(1e9)) == 3


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (['{"id": "a", "predict": "x"}'] * 2, "p.jsonl:2: 'a' comes twice"),
        (['{"id": "a"}'], "p.jsonl:1: expected 'id' and 'predict'"),
        (["[]"], "p.jsonl:1: expected 'id' and 'predict'"),
        ([], "p.jsonl: no predictions in it"),
    ],
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, lines: list[str], told: str) -> None:
    (tmp_path / "p.jsonl").write_text("\n".join(lines))
    with pytest.raises(ValueError, match=told):
        read_texts(tmp_path / "p.jsonl")
    (tmp_path / "p.jsonl").write_bytes(b'{"id": "a"}\n\xff')
    with pytest.raises(ValueError, match=r"p\.jsonl"):
        read_texts(tmp_path / "p.jsonl")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [Sample(f"s/{k}/planning", (), "Where to?", STRAIGHT).to_sharegpt() for k in range(3)]
    (tmp_path / "val.json").write_text(json.dumps(rows))
    (tmp_path / "dataset_info.json").write_text(json.dumps({"val": registry_entry("val.json")}))
    said: list[dict[str, Any]] = [{"id": row["id"], "predict": STRAIGHT} for row in rows]
    said[1]["predict"] = BENT
    (tmp_path / "said.jsonl").write_text("".join(json.dumps(row) + "\n" for row in said))
    return tmp_path


def _parity(folder: Path, *flags: str) -> int:
    where = ["--dataset_dir", str(folder), "--out", str(folder / "out")]
    return main(["parity", *where, *flags])


def test_an_engine_and_a_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--a", "echo", "--b", str(folder / "said.jsonl"), "--dataset", "val"]
    assert _parity(folder, *flags) == 1
    told = capsys.readouterr().out
    assert "3 samples, 2 with the same text (66.7%)" in told
    assert "3 with waypoints in both: 0.0667 m apart on average, 0.9000 m at most" in told
    assert "1 differ beyond 0 m" in told
    report = json.loads((folder / "out" / "parity.json").read_text())
    assert (report["a"], report["same"], report["beyond_tolerance"]) == ("echo", 2, 1)
    assert [one["id"] for one in report["differences"]] == ["s/1/planning"]
    assert _parity(folder, *flags, "--tolerance_m", "0.9") == 0


def test_an_engine_and_itself(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _parity(folder, "--a", "echo", "--b", "echo", "--dataset", "val") == 0
    assert "3 with the same text (100.0%)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--a", "ecko", "--b", "echo", "--dataset", "val"], "Did you mean 'echo'?"),
        (["--a", "echo", "--b", "echo"], "--a echo is an engine: expected --dataset"),
        (["--a", "x/gone.jsonl", "--b", "echo"], "--a x/gone.jsonl: no such file of predictions"),
        (["--a", "echo", "--b", "echo", "--dataset", "vall"], "Did you mean 'val'?"),
    ],
)
def test_a_wrong_call_is_one_line(
    folder: Path, flags: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _parity(folder, *flags) == 2
    error = capsys.readouterr().err
    assert told in error
    assert len(error.splitlines()) == 1


@pytest.mark.train
def test_tokens_are_the_models(
    folder: Path, tiny_checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--a", "echo", "--b", str(folder / "said.jsonl"), "--dataset", "val"]
    assert _parity(folder, *flags, "--model", str(tiny_checkpoint)) == 1
    told = capsys.readouterr().out
    # Digits are tokens of their own: the fifth waypoint's 0.00 became 0.30.
    assert "'0', '3'" in told
