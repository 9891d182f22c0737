"""The strict evaluation and its command: what it counts, what it punishes, what it writes."""

import json
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from impromptu import evaluation
from impromptu.answer_files import Answer, Joined, Pair
from impromptu.cli import main

ROOT = Path(__file__).parents[1]


def waypoints(xy_m: Sequence[tuple[float, float]]) -> str:
    body = ", ".join(f"[{x:.2f}, {y:.2f}]" for x, y in xy_m)
    return f"<PLANNING>The output is formatted as [x, y]: {body}</PLANNING>"


def plan(words: str) -> str:
    return f"<SPEED PATH PLAN>{words}</SPEED PATH PLAN>"


def objects(*lines: str) -> str:
    return "<DYNAMIC OBJECTS>" + "\n".join(lines) + "</DYNAMIC OBJECTS>"


LEFT = [(2.0 * k, 0.1 * k * k) for k in range(1, 11)]
TRUE = {
    "q1": "Yes, I see a pedestrian located 16 meters ahead of me and 2 meters to the left.",
    "q2": objects("Object 1: STOP, STRAIGHT", "Object 2: KEEP, LEFT_TURN"),
    "q4": "Green",
    "q6": plan("KEEP,LEFT_TURN"),
    "q7": waypoints(LEFT),
    "planning": waypoints(LEFT[:6]),
}


def joined(task: str, *answers: tuple[str, str | None]) -> Joined:
    rows = tuple(Answer(f"s{k}", *answer) for k, answer in enumerate(answers))
    return Joined(Pair(task, Path("g.json"), Path("p.jsonl")), "id", "", rows)


def scores(task: str, *answers: tuple[str, str | None]) -> dict[str, float | None]:
    figures = evaluation.evaluate(joined(task, *answers)).figures
    return {f"{metric}.{name}": v for metric, part in figures.items() for name, v in part.items()}


def write(path: Path, task: str, answers: dict[str, tuple[str, str | None]]) -> tuple[Path, Path]:
    """Write ``<path>/gt/<task>_val.json`` and ``<path>/pred/<task>_val.jsonl``; return both."""
    gt, pred = path / "gt" / f"{task}_val.json", path / "pred" / f"{task}_val.jsonl"
    for file in (gt, pred):
        file.parent.mkdir(parents=True, exist_ok=True)
    samples = [
        {
            "id": name,
            "images": [],
            "messages": [
                {"role": "user", "content": "?"},
                {"role": "assistant", "content": true},
            ],
        }
        for name, (true, _) in answers.items()
    ]
    lines = [
        {"id": name, "predict": said} for name, (_, said) in answers.items() if said is not None
    ]
    gt.write_text(json.dumps(samples), encoding="utf-8")
    pred.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return gt, pred


def score_folders(path: Path, *flags: str) -> tuple[int, Any]:
    out = path / "deep" / "scores.json"
    folders = ["--gt_folder", str(path / "gt"), "--pred_folder", str(path / "pred")]
    code = main(["evaluate", *folders, "--save_path", str(out), *flags])
    return code, json.loads(out.read_text(encoding="utf-8")) if out.exists() else None


@pytest.mark.parametrize("task", TRUE)
def test_the_truth_repeated_is_perfect(task: str) -> None:
    for figures in (
        evaluation.evaluate(joined(task, (TRUE[task], TRUE[task]))).to_json()["metrics"].values()
    ):
        perfect = 1.0 if figures["higher_is_better"] else 0.0
        for name, value in figures["figures"].items():
            if figures["units"][name] != "count":
                assert value == perfect, name


def test_the_wrong_way_is_far_off() -> None:
    right = waypoints([(x, -y) for x, y in LEFT])
    backwards = waypoints([(-x, -y) for x, y in LEFT])
    # The tenth point is at (20, 10).
    assert scores("q7", (TRUE["q7"], right))["l2.at_5s"] == pytest.approx(20)
    assert scores("q7", (TRUE["q7"], backwards))["l2.at_5s"] == pytest.approx(2 * np.hypot(20, 10))


def test_listing_every_intention_costs_precision() -> None:
    speeds = ("KEEP", "ACCELERATE", "DECELERATE", "STOP")
    paths = ("STRAIGHT", "RIGHT_CHANGE", "LEFT_CHANGE", "RIGHT_TURN", "LEFT_TURN")
    pairs = [f"{speed}, {path}" for speed in speeds for path in paths]
    every = objects(*(f"Object {k}: {pair}" for k, pair in enumerate(pairs, 1)))
    got = scores("q2", (TRUE["q2"], every))
    # Objects 1 and 2 are told as keeping straight and keeping, changing to the right.
    assert got["intention_f1.both_f1"] == 0
    assert got["intention_f1.speed_precision"] == 1 / 20


def test_a_road_user_elsewhere_is_not_found() -> None:
    near = TRUE["q1"].replace("16", "3")
    assert scores("q1", (TRUE["q1"], near))["vru_f1.f1"] == 0


def test_a_road_user_straight_ahead_is_seen() -> None:
    ahead = "Yes, I see a pedestrian located 5 meters ahead of me."
    nobody = "No, I don't see any vulnerable road users."
    assert scores("q1", (ahead, ahead))["vru_f1.f1"] == 1
    assert scores("q1", (ahead, nobody))["vru_f1.presence_accuracy"] == 0


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ("q1", "North of me there is a shop. Note the sign."),
        ("q4", "None of the lights is Red, it is Green"),
        ("q4", "Not Red, it is Green"),
        ("q6", "HOVER,STRAIGHT"),
        ("q7", waypoints(LEFT[:9])),
        ("planning", waypoints(LEFT)),
        ("planning", ""),
    ],
)
def test_text_that_does_not_answer_is_counted_and_never_averaged(task: str, said: str) -> None:
    true = TRUE[task]
    got = evaluation.evaluate(joined(task, (true, true), (true, said)))
    assert got.figures == evaluation.evaluate(joined(task, (true, true))).figures
    result = got.to_json()
    assert (result["asked"], result["answered"]) == (2, 2)
    assert (result["read"], result["unreadable"]) == (1, 1)
    assert [example["id"] for example in result["unreadable_examples"]] == ["s1"]
    assert result["unreadable_examples"][0]["why"]


def test_missing_answers_are_counted_and_never_averaged() -> None:
    true = TRUE["planning"]
    result = evaluation.evaluate(joined("planning", (true, None), (true, true))).to_json()
    assert (result["asked"], result["answered"], result["missing"]) == (2, 1, 1)
    assert result["missing_ids"] == ["s0"]
    assert result["metrics"]["l2_stp3"]["figures"]["avg"] == 0


def test_no_readable_answer_gives_words_instead_of_figures() -> None:
    result = evaluation.evaluate(joined("q4", ("Red", "mauve"), ("Red", None))).to_json()
    assert result["metrics"] == {}
    assert result["note"] == ("no figure: of 2 samples 1 were answered and no answer could be read")


def test_undefined_figures_are_null() -> None:
    nobody = "No, I don't see any vulnerable road users."
    figures = evaluation.evaluate(joined("q1", (nobody, nobody))).to_json()["metrics"]["vru_f1"]
    assert json.loads(json.dumps(figures, allow_nan=False))["figures"]["f1"] is None
    assert figures["figures"]["presence_accuracy"] == 1


def test_figures_beyond_a_float_are_null() -> None:
    far = waypoints(LEFT).replace("[2.00,", "[9e307,").replace("[4.00,", "[9e307,")
    got = scores("q7", (TRUE["q7"], far), (TRUE["q7"], far))
    assert (got["l2.up_to_1s"], got["l2.at_5s"]) == (None, 0.0)


def test_unreadable_truth_is_refused_with_its_place() -> None:
    with pytest.raises(ValueError, match=r"g\.json: s0: the true answer cannot be read: "):
        evaluation.evaluate(joined("q4", ("mauve", "Red")))


def test_folders_end_in_one_file_of_results(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for task in ("q4", "q6"):
        write(tmp_path, task, {"a": (TRUE[task], TRUE[task]), "b": (TRUE[task], "mauve")})
    (tmp_path / "gt" / "q7_val.json").write_text("[]")
    write(tmp_path, "q3", {"a": ("Because.", "Because.")})
    code, got = score_folders(tmp_path)
    assert (code, got["protocol"]) == (0, "strict")
    assert [(r["task"], r["asked"], r["read"]) for r in got["results"]] == [
        ("q4", 2, 1),
        ("q6", 2, 1),
    ]
    assert (got["not_predicted"], got["not_scored"]) == (["q7_val.json"], ["q3_val.jsonl"])
    shown = capsys.readouterr().out
    assert "2 asked, 2 answered, 0 missing, 1 read, 1 unreadable" in shown
    assert "no predictions for: q7_val.json" in shown
    assert "no score is defined for: q3_val.jsonl" in shown


def test_missing_answers_show_in_the_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, "q4", {"a": ("Red", "Red"), "b": ("Red", None)})
    assert score_folders(tmp_path)[0] == 1
    assert "missing, first: b" in capsys.readouterr().out


def test_released_protocol_forgives_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = waypoints([(-x, -y) for x, y in LEFT])
    write(tmp_path, "q7", {"a": (TRUE["q7"], wrong)})
    write(tmp_path, "q4", {"a": ("None", "None of the lights is Red, it is Green")})
    code, got = score_folders(tmp_path, "--protocol", "released")
    assert code == 0
    assert [(r["q"], r["cnt"], r["protocol"]) for r in got] == [
        ("q4", 1, "released"),
        ("q7", 1, "released"),
    ]
    assert (got[0]["accuray"], got[1]["loss_5"]) == (1.0, 0.0)
    assert "faults included" in capsys.readouterr().out


def test_open_loop_script_scores_two_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    true = TRUE["planning"]
    sideways = waypoints([(x, y + k) for k, (x, y) in enumerate(LEFT[:6], 1)])
    gt, pred = write(tmp_path, "planning", {"a": (true, sideways), "b": (true, "mauve")})
    gt, pred = gt.rename(tmp_path / "nuscenes_test.json"), pred.rename(tmp_path / "p.jsonl")
    out, each = tmp_path / "s.json", tmp_path / "each.json"
    flags = ["--gt", str(gt), "--pred", str(pred), "--out", str(out), "--per_sample", str(each)]
    script = ROOT / "scripts" / "evaluate_open_loop.py"
    monkeypatch.setattr(sys, "argv", [str(script), *flags])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(script), run_name="__main__")
    assert end.value.code == 0
    (result,) = json.loads(out.read_text(encoding="utf-8"))["results"]
    figures = {name: metric["figures"] for name, metric in result["metrics"].items()}
    # Errors are 1 ... 6 m.
    assert figures["l2_stp3"] == pytest.approx({"1s": 1.5, "2s": 2.5, "3s": 3.5, "avg": 2.5})
    assert figures["l2_uniad"] == pytest.approx({"1s": 2, "2s": 4, "3s": 6, "avg": 4})
    assert figures["ade_fde"] == pytest.approx({"ade": 3.5, "fde": 6, "miss_rate": 1})
    assert "ST-P3" in result["metrics"]["l2_stp3"]["convention"]
    first, second = json.loads(each.read_text(encoding="utf-8"))
    assert (first["id"], first["ade_fde"]["ade"]) == ("a", pytest.approx(3.5))
    assert second["id"] == "b"
    assert second["unreadable"]
    assert "l2_uniad" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--gt", "gt", "--pred", "nowhere"], "nowhere: no such file or folder"),
        (["--gt", "gt", "--pred", "pred/q4_val.jsonl"], "expected two folders or two files"),
        (["--gt", "gt", "--pred", "pred", "--task", "q4"], "--task goes with two files"),
        (["--gt", "gt", "--pred", "pred", "--per_sample", "x"], "--per_sample goes with two files"),
        (
            ["--gt", "gt/q4_val.json", "--pred", "pred/q4_val.jsonl", "--task", "q5"],
            "nothing to score: this protocol has no score for q5",
        ),
    ],
)
def test_bad_calls_end_in_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    flags: list[str],
    message: str,
) -> None:
    write(tmp_path, "q4", {"a": ("Red", "Red")})
    monkeypatch.chdir(tmp_path)
    assert main(["evaluate", *flags, "--out", "s.json"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert not (tmp_path / "s.json").exists()
