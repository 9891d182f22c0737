"""The strict evaluation and its command: what it counts, what it punishes, what it writes."""

import json
import runpy
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from impromptu import clip_table, evaluation
from impromptu.answer_files import Answer, Joined
from impromptu.answer_pairs import Pair
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
    metrics = evaluation.evaluate(joined(task, (TRUE[task], TRUE[task]))).to_json()["metrics"]
    metrics.pop("l2_openemma", None)  # by its off-by-one the truth is not perfect
    assert metrics
    for figures in metrics.values():
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


BAD = {
    "": "empty",
    " \n": "empty",
    waypoints(LEFT[:4]): "number_of_waypoints",
    waypoints([(1.0, 2.0)] * 60): "number_of_waypoints",
    "x" * 100_000: "number_of_waypoints",
    waypoints(LEFT[:6]).replace("2.00", "9" * 99_999): "number_too_large",
    "汽车将直行": "number_of_waypoints",
    waypoints(LEFT[:6]).replace("2.00", "nan", 1): "not_two_numbers",
    waypoints(LEFT[:6]).replace("2.00", "inf", 1): "not_two_numbers",
    waypoints(LEFT[:6]).replace("2.00", "1e999", 1): "number_too_large",
    waypoints(LEFT[:6]).replace("[", "(").replace("]", "["): "number_of_waypoints",
    waypoints(LEFT[:6]).replace("[2.00", "]2.00").replace("0.10]", "0.10["): "number_of_waypoints",
    waypoints(LEFT[:6]).replace("</PLANNING>", ""): "tags",
}


def test_every_bad_answer_is_counted_under_a_reason_and_averaged_nowhere() -> None:
    true = TRUE["planning"]
    got = evaluation.evaluate(joined("planning", (true, true), *((true, text) for text in BAD)))
    result = got.to_json()
    assert result["unreadable_reasons"] == dict(sorted(Counter(BAD.values()).items()))
    assert (result["asked"], result["read"], result["unreadable"]) == (len(BAD) + 1, 1, len(BAD))
    assert got.figures["l2_stp3"]["avg"] == 0
    assert json.dumps(result, allow_nan=False)


def test_exponents_and_spaces_are_numbers_like_others() -> None:
    text = waypoints(LEFT[:6]).replace("[2.00, 0.10]", "[ 0.2e1 ,1.0E-1 ]")
    assert scores("planning", (TRUE["planning"], text))["l2_stp3.avg"] == 0


def test_extra_repeated_and_contradictory_predictions_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, pred = write(tmp_path, "q4", {k: ("Red", "Red") for k in "abc"})
    more = [("a", "Red"), ("b", "Green"), ("z", "Red")]
    with pred.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps({"id": k, "predict": said}) + "\n" for k, said in more)
    code, got = score_folders(tmp_path)
    (result,) = got["results"]
    assert (code, result["extra"], result["repeated"]) == (0, 1, 1)
    assert result["unreadable_reasons"] == {"predicted_twice": 1}
    assert result["metrics"]["light_accuracy"]["figures"]["accuracy"] == 1
    shown = capsys.readouterr().out
    assert "1 predictions nobody asked for" in shown
    assert "unreadable: 1 predicted_twice" in shown


def test_unnamed_logs_and_single_ones_have_no_intervals() -> None:
    nameless = evaluation.evaluate(joined("q4", ("Red", "Red"), ("Red", "Green"))).to_json()
    assert nameless["metrics"]["light_accuracy"]["intervals"] == {}
    assert "no intervals: sample ids do not name the logs they are from" in nameless["remarks"]
    rows = tuple(Answer(f"n/one/{k}/q4", "Red", "Red") for k in range(3))
    one = Joined(Pair("q4", Path("g"), Path("p")), "id", "", rows)
    got = evaluation.evaluate(one).to_json()
    assert got["bootstrap"]["clusters"] == 1
    assert "no intervals: all samples are from one log" in got["remarks"]


def test_sums_give_the_figures_again() -> None:
    result = evaluation.evaluate(
        joined("q6", (TRUE["q6"], TRUE["q6"]), (TRUE["q6"], plan("STOP,LEFT_TURN")))
    ).to_json()["metrics"]["plan_accuracy"]
    assert result["sums"]["speed:KEEP>STOP"] == 1
    assert result["figures"]["speed"] == result["sums"]["speed:KEEP>KEEP"] / 2


@pytest.fixture
def split(
    tmp_path: Path,
    clip_row: Callable[..., dict[str, Any]],
    write_clips: Callable[[Path, Sequence[Mapping[str, Any]]], Path],
) -> tuple[Path, Path]:
    """Two logs of twelve keyframes, 5 m apart; in log b a car stands 10 m ahead in the last.

    The prediction of the clip six steps before it stops there, the others are right.
    """
    steps = [(5.0 * k, 0.0) for k in range(1, 7)]
    rows, answers = [], dict[str, tuple[str, str | None]]()
    for log in "ab":
        for k in range(12):
            name = f"nuscenes/{log}/{k}"
            boxes = [("vehicle", 10.0, 0.0, 0.0)] if (log, k) == ("b", 11) else []
            tags = {"location": f"town {log}"}
            rows.append(clip_row(name, k / 2, (5.0 * k, 0.0, 0.0), boxes, tags=tags))
            # Seen from keyframe 5 the car is at 40 m, where nobody drives but this one.
            said = [*steps[:5], (39.06, 0.0)] if (log, k) == ("b", 5) else steps
            answers[f"{name}/planning"] = (waypoints(steps), waypoints(said))
    write_clips(tmp_path / "clips" / "nuscenes_val.parquet", rows)
    gt, pred = write(tmp_path, "planning", answers)
    return gt.rename(tmp_path / "nuscenes_planning_val.json"), pred


def test_with_a_clip_table_there_are_collisions_groups_and_masks(
    split: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gt, pred = split
    out = tmp_path / "s.json"
    assert main(["evaluate", "--gt", str(gt), "--pred", str(pred), "--out", str(out)]) == 0
    (result,) = json.loads(out.read_text())["results"]
    assert result["clips"] == str(tmp_path / "clips" / "nuscenes_val.parquet")
    assert result["masks"] == {
        "keyframes": 24,
        "future_1s": 20,
        "future_2s": 16,
        "future_3s": 12,
    }
    figures = {name: metric["figures"] for name, metric in result["metrics"].items()}
    # Of twelve clips with a known 3 s one hits, at the last step.
    assert figures["collision_uniad"]["3s"] == pytest.approx(1 / 12)
    for name in ("collision_vad", "collision_sparsedrive"):
        assert figures[name]["3s"] == pytest.approx(1 / 12 / 6)
        assert figures[name]["known_count"] == 12
    towns = result["breakdown"]["location"]
    assert {town: one["samples"] for town, one in towns.items()} == {"town a": 12, "town b": 12}
    assert towns["town a"]["figures"]["collision_uniad"]["3s"] == 0
    assert towns["town b"]["figures"]["collision_uniad"]["3s"] == pytest.approx(1 / 6)
    assert result["bootstrap"]["clusters"] == 2
    low, high = result["metrics"]["l2_uniad"]["intervals"]["3s"]
    assert low == 0 < high
    shown = capsys.readouterr().out
    for part in ("24 keyframes", "by location", "town b", "over 2 logs", "collision_sparsedrive"):
        assert part in shown


def test_policies_are_shown_where_an_answer_was_lost(
    split: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gt, pred = split
    lines = pred.read_text().splitlines()
    lines[0] = json.dumps(json.loads(lines[0]) | {"predict": "no idea"})
    pred.write_text("\n".join(lines))
    main(["evaluate", "--gt", str(gt), "--pred", str(pred), "--out", str(tmp_path / "s.json")])
    shown = capsys.readouterr().out
    assert "answers that could not be read, by policy" in shown
    assert "zeros: an answer that could not be read counts as a car that stands still" in shown
    (result,) = json.loads((tmp_path / "s.json").read_text())["results"]
    zeros = result["policies"]["zeros"]["figures"]
    assert zeros["collision_vad"]["known_count"] == 12  # the lost one is among them again
    assert result["metrics"]["collision_vad"]["figures"]["known_count"] == 11


def test_clips_the_table_lacks_are_told_and_unknown(split: tuple[Path, Path]) -> None:
    gt, pred = split
    clips = clip_table.read(gt.parent / "clips" / "nuscenes_val.parquet")
    rows = tuple(
        Answer(f"nuscenes/c/{k}/planning", TRUE["planning"], TRUE["planning"]) for k in range(2)
    )
    other = Joined(Pair("planning", gt, pred), "id", "", rows)
    result = evaluation.evaluate(other, evaluation.Options(clips)).to_json()
    assert "2 of 2 samples are about clips that the clip table lacks" in result["remarks"]
    assert result["metrics"]["collision_vad"]["figures"]["avg"] is None
    assert list(result["breakdown"]) == []


def test_without_a_clip_table_it_says_what_is_not_there() -> None:
    result = evaluation.evaluate(joined("planning", (TRUE["planning"], TRUE["planning"]))).to_json()
    assert not [name for name in result["metrics"] if name.startswith("collision")]
    assert any(
        "collision_uniad, collision_vad, collision_sparsedrive" in remark
        and "--clips FILE" in remark
        for remark in result["remarks"]
    )


def test_text_is_compared_only_when_asked_for(tmp_path: Path) -> None:
    pytest.importorskip("sacrebleu", reason="needs the text extra: sacrebleu")
    pytest.importorskip("rouge_score", reason="needs the text extra: rouge-score")
    write(tmp_path, "q4", {"a": ("Red", "Red")})
    write(tmp_path, "q5", {"a": ("It is dark on the road.", "It is dark on the road.")})
    assert score_folders(tmp_path)[1]["not_scored"] == ["q5_val.jsonl"]
    got = score_folders(tmp_path, "--text_metrics")[1]
    figures = {r["task"]: r["metrics"] for r in got["results"]}["q5"]
    assert figures["bleu"]["figures"]["bleu"] == pytest.approx(1)
    assert figures["rouge_l"]["figures"]["f"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            ["--gt", "gt/q4_val.json", "--pred", "pred/q4_val.jsonl", "--clips", "no.parquet"],
            "no.parquet",
        ),
        (["--gt", "gt", "--pred", "pred", "--resamples", "-1"], "--resamples -1: expected 0"),
        (["--gt", "gt", "--pred", "nowhere"], "nowhere: no such file or folder"),
        (["--gt", "gt", "--pred", "pred/q4_val.jsonl"], "expected two folders or two files"),
        (["--gt", "gt", "--pred", "pred", "--task", "q4"], "--task goes with two files"),
        (["--gt", "gt", "--pred", "pred", "--per_sample", "x"], "--per_sample goes with two files"),
        (
            ["--gt", "gt/q4_val.json", "--pred", "pred/q4_val.jsonl", "--task", "q5"],
            "the strict protocol has no rule for q5; q3 and q5 are scored with --text_metrics",
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
