"""``impromptu report``, as typed: on files and folders, good and bad."""

import csv
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from impromptu.cli import main
from impromptu.conversation import Sample, registry_entry
from impromptu.files import read_json, write_json, write_json_list
from impromptu.report.text import latex, markdown_cell

HOSTILE = "</script><img src=x onerror=\"document.title='owned'\"> | `a` \\input{b} $c$"
NOW = "Velocity: X 4.00, Y 0.00"
STATUS = f"(t-0.5s) [-2.00, 0.00], {NOW}, (t-0.0s) [0.0, 0.0], {NOW}"


def path_answer(step_m: float, aside_m: float = 0.0) -> str:
    points = ", ".join(f"[{step_m * k:.2f}, {aside_m * k:.2f}]" for k in range(1, 7))
    return f"<PLANNING>{points}</PLANNING>"


def planning(number: int) -> Sample:
    """A clip of log ``number`` // 3 that speeds up a little."""
    name = f"nuscenes/log{number // 3}/{number:03d}/planning"
    return Sample(name, ("raw/a.jpg",), f"<image>\n{STATUS}", path_answer(2.1))


def plan(number: int) -> Sample:
    words = ("KEEP,STRAIGHT", "STOP,STRAIGHT")[number % 2]
    name = f"nuscenes/log{number // 3}/{number:03d}/q6"
    answer = f"<SPEED PATH PLAN>{words}</SPEED PATH PLAN>"
    return Sample(name, ("raw/a.jpg",), "<image>\nIts speed is 4.0 m/s. What should it do?", answer)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Thirty planning samples of ten logs and as many of q6, a registry, and an image."""
    out = tmp_path / "data"
    for name, make in (("planning", planning), ("q6", plan)):
        rows = [make(number).to_sharegpt() for number in range(30)]
        write_json_list(out / f"nuscenes_{name}_val.json", rows)
        write_json_list(out / f"nuscenes_{name}_train.json", rows[:9])
    names = [
        f"nuscenes_{task}_{split}" for task in ("planning", "q6") for split in ("val", "train")
    ]
    write_json(out / "dataset_info.json", {name: registry_entry(f"{name}.json") for name in names})
    (out / "raw").mkdir()
    Image.new("RGB", (2000, 500), "grey").save(out / "raw/a.jpg")
    return out


def write_run(path: Path, predictions: Mapping[str, str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [json.dumps({"id": key, "predict": text}) for key, text in predictions.items()]
    path.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A folder of a run: 0.05 m a step short, once mute, once hostile; q6 always KEEP, STRAIGHT."""
    told = {planning(n).id: path_answer(2.05) for n in range(30)}
    told[planning(4).id] = HOSTILE
    del told[planning(5).id]
    write_run(tmp_path / "mine/nuscenes_planning_val.jsonl", told)
    write_run(
        tmp_path / "mine/nuscenes_q6_val.jsonl", {plan(n).id: plan(0).answer for n in range(30)}
    )
    return tmp_path / "mine"


def report(tmp_path: Path, *words: object) -> str:
    out = tmp_path / "out/report.html"
    flags = ["--out", out, "--tables", tmp_path / "tables", "--scenes", 1, "--resamples", 200]
    assert main(["report", *map(str, words), *map(str, flags)]) == 0
    return out.read_text(encoding="utf-8")


def of_run(tmp_path: Path, name: str, file: str = "nuscenes_planning_val.json") -> Any:
    files = read_json(tmp_path / "tables/tables.json")["files"]
    (found,) = [one for one in files if one["file"] == file]
    return next(one for one in found["runs"] if one["run"] == name)


def test_a_folder_is_scored_afresh_with_baselines_beside_it(
    data: Path, run: Path, tmp_path: Path
) -> None:
    page = report(tmp_path, run, "--gt", data)
    mine = of_run(tmp_path, "mine")
    assert [mine[name] for name in ("asked", "answered", "missing", "read", "unreadable")] == [
        30,
        29,
        1,
        28,
        1,
    ]
    # 0.05 m a step: at the six steps 0.05 ... 0.3, up to 1, 2, 3 s 0.075, 0.125, 0.175 on average.
    figures = mine["metrics"]["l2_stp3"]["figures"]
    assert [figures[name] for name in ("1s", "2s", "3s", "avg")] == pytest.approx(
        [0.075, 0.125, 0.175, 0.125]
    )
    still = of_run(tmp_path, "stationary")["metrics"]["l2_stp3"]["figures"]["1s"]
    assert still == pytest.approx(2.1 * 1.5)
    straight = of_run(tmp_path, "constant velocity")["metrics"]["l2_stp3"]["figures"]["1s"]
    assert straight == pytest.approx(0.15)
    assert of_run(tmp_path, "majority", "nuscenes_q6_val.json")["read"] == 30
    assert of_run(tmp_path, "nearest neighbour")["metrics"]["l2_stp3"]["figures"]["avg"] == 0
    # The training samples hold the very answers, so nothing beats who remembers them.
    assert re.search("mine does not beat [a-z -]+, which sees no image", page)
    assert str(tmp_path) not in page
    assert page.count("<img ") == page.count('src="data:image/')


def test_rules_alone_and_none(data: Path, run: Path, tmp_path: Path) -> None:
    truth = data / "nuscenes_planning_val.json"
    page = report(tmp_path, run, "--gt", truth, "--baselines", "rules")
    assert "mine left 2 of 30 samples without a readable answer, so it beats nothing" in page
    assert "nearest neighbour" not in page
    page = report(tmp_path, run, "--gt", truth, "--baselines", "none")
    assert "stationary" not in page
    assert "No baseline has a figure for l2_stp3 avg, so nothing tells what mine adds" in page


def test_a_baseline_s_own_run_of_one_file_is_made_whole_for_the_others(
    data: Path, run: Path, tmp_path: Path
) -> None:
    own = write_run(
        tmp_path / "still/nuscenes_q6_val.jsonl", {plan(n).id: "nonsense" for n in range(30)}
    )
    own.with_name(own.name + ".settings").write_text(json.dumps({"engine": "stationary"}))
    report(tmp_path, run, own.parent, "--gt", data)
    assert of_run(tmp_path, "still", "nuscenes_q6_val.json")["read"] == 0  # its own, as it is
    assert of_run(tmp_path, "still")["read"] == 30
    tables = (tmp_path / "tables/tables.md").read_text(encoding="utf-8")
    assert "No published rows beside" in tables


def test_one_file_goes_with_one_file_or_finds_its_own_in_a_folder(
    data: Path, run: Path, tmp_path: Path
) -> None:
    file = run / "nuscenes_planning_val.jsonl"
    flags = "--baselines", "none", "--scenes", "0"
    pages = [
        report(tmp_path, f"a={file}", "--gt", truth, *flags)
        for truth in (data, data / "nuscenes_planning_val.json")
    ]
    assert pages[0] == pages[1]
    other = write_run(tmp_path / "odd.jsonl", {planning(0).id: path_answer(2)})
    truth = data / "nuscenes_planning_val.json"
    truth.rename(data / "odd.json")
    report(tmp_path, other, "--gt", data / "odd.json", "--task", "planning", *flags)
    assert of_run(tmp_path, "odd", "odd.json")["missing"] == 29


def test_a_run_of_a_baseline_is_known_by_its_settings(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "still/nuscenes_planning_val.jsonl"
    flags = ["--dataset", "nuscenes_planning_val", "--dataset_dir", str(data)]
    out.parent.mkdir()
    assert main(["infer", "--engine", "stationary", *flags, "--save_name", str(out)]) == 0
    report(tmp_path, out.parent, "--gt", data)
    runs = read_json(tmp_path / "tables/tables.json")["files"][0]["runs"]
    assert [one["role"] for one in runs if one["run"] == "still"] == ["baseline"]
    assert not [one for one in runs if one["run"] == "stationary"], "it is not run again"


def test_a_model_called_like_a_baseline_is_told(data: Path, run: Path, tmp_path: Path) -> None:
    page = report(tmp_path, f"stationary={run}", "--gt", data, "--baselines", "rules")
    assert "the baseline stationary is left out: a run has its name" in page


def test_of_each_question_every_baseline_that_can_answer_it_stands_there(
    data: Path, run: Path, tmp_path: Path
) -> None:
    report(tmp_path, run, "--gt", data)
    files = read_json(tmp_path / "tables/tables.json")["files"]
    (plans,) = [one for one in files if one["file"] == "nuscenes_q6_val.json"]
    assert {one["run"] for one in plans["runs"] if one["role"] == "baseline"} == {
        "constant velocity",
        "constant turn rate and acceleration",
        "stationary",
        "nearest neighbour",
        "prompt leak",
        "majority",
    }


def test_images_without_raw_logs_are_shown_small_and_as_they_are(
    data: Path, run: Path, tmp_path: Path
) -> None:
    page = report(tmp_path, run, "--gt", data / "nuscenes_planning_val.json")
    assert "No paths on the image: there is no --data_raw." in page
    assert "image/jpeg" in page
    (data / "raw/a.jpg").unlink()
    page = report(tmp_path, run, "--gt", data / "nuscenes_planning_val.json")
    assert "The image raw/a.jpg is not there or cannot be read." in page
    assert "image/jpeg" not in page and "image/png" in page, "from above it can still be seen"


def test_hostile_names_and_answers_stay_text_in_every_form(
    data: Path, run: Path, tmp_path: Path
) -> None:
    file = run / "nuscenes_planning_val.jsonl"
    name = f"=cmd|'/c'!{HOSTILE}"
    page = report(tmp_path, f"{name}={file}", "--gt", data, "--baselines", "none")
    assert page.count("<script") == 1 and "<img src=x" not in page
    folder = tmp_path / "tables"
    markdown = (folder / "tables.md").read_text(encoding="utf-8")
    assert markdown_cell(name) in markdown and "<img" not in markdown and "</script" not in markdown
    tex = (folder / "tables.tex").read_text(encoding="utf-8")
    assert latex(name) in tex and r"\input{b}" not in tex
    rows = list(csv.DictReader((folder / "tables.csv").read_text(encoding="utf-8").splitlines()))
    assert {row["run"] for row in rows} == {f"'{name}"}


def test_latex_tables_are_whole(data: Path, run: Path, tmp_path: Path) -> None:
    report(tmp_path, run, "--gt", data)
    tex = (tmp_path / "tables/tables.tex").read_text(encoding="utf-8")
    bare = re.sub(r"\\[{}&%#$_]", "", tex)
    depth = 0
    for sign in bare:
        depth += (sign == "{") - (sign == "}")
        assert depth >= 0
    assert depth == 0
    tables = re.findall(r"\\begin{tabular}{l(r+)}(.*?)\\end{tabular}", bare, re.DOTALL)
    assert len(tables) == tex.count(r"\begin{table}") > 5
    for columns, body in tables:
        for row in re.findall(r"^ +([^\\\n].*) \\\\$", body, re.MULTILINE):
            assert row.count("&") == len(columns), row
    assert tex.isascii()
    assert "% nuscenes\\_planning\\_val.json: mine does not beat " in tex


def test_the_csv_has_a_row_for_each_figure_and_run(data: Path, run: Path, tmp_path: Path) -> None:
    report(tmp_path, run, "--gt", data)
    rows = list(csv.DictReader((tmp_path / "tables/tables.csv").read_text().splitlines()))
    (row,) = [
        one
        for one in rows
        if (one["run"], one["metric"], one["figure"]) == ("mine", "l2_stp3", "avg")
    ]
    assert float(row["value"]) == pytest.approx(0.125)
    assert float(row["low"]) <= 0.125 + 1e-9 and float(row["high"]) >= 0.125 - 1e-9
    assert (row["asked"], row["read"], row["unit"], row["higher_is_better"]) == (
        "30",
        "28",
        "m",
        "false",
    )


def test_four_models_are_in_the_tables_and_three_in_the_pictures(
    data: Path, run: Path, tmp_path: Path
) -> None:
    file = run / "nuscenes_planning_val.jsonl"
    words: Sequence[object] = [f"m{k}={file}" for k in range(4)]
    page = report(tmp_path, *words, "--gt", data, "--baselines", "none", "--scenes", 0)
    assert "m3 is in the tables and in no picture: there are four colours" in page


def test_free_text_is_shown_and_not_scored(tmp_path: Path) -> None:
    rows = [
        Sample(f"kitti/1/{n}/q5/front", (), "What is there?", f"A road {n}.").to_sharegpt()
        for n in range(3)
    ]
    write_json_list(tmp_path / "q5_val.json", rows)
    told = write_run(
        tmp_path / "q5_val.jsonl", {f"kitti/1/{n}/q5/front": HOSTILE for n in range(3)}
    )
    page = report(tmp_path, f"words={told}", "--gt", tmp_path / "q5_val.json")
    assert "free text is not compared unless told to" in page
    assert "A road 0." in page


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["none.jsonl", "--gt", "data"], "none.jsonl: no such file or folder"),
        (["mine", "--gt", "none"], "none: no such file or folder"),
        (["a=none", "--gt", "data"], "none: no such file or folder"),
        (["mine", "a/mine", "--gt", "data"], "two runs are called 'mine'"),
        (["=mine", "--gt", "data"], "expected a path or NAME=PATH"),
        (["other.jsonl", "--gt", "data/nuscenes_planning_val.json"], "made for other samples"),
        (["mine", "--gt", "data", "--scenes", "-1"], "--scenes -1: expected 0 or more"),
        (["mine", "--gt", "data", "--data_raw", "nowhere"], "nowhere: no such folder"),
        (["empty", "--gt", "data"], "expected files named after a task"),
    ],
)
def test_what_cannot_be_is_one_clear_line(
    data: Path,
    run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    said: str,
) -> None:
    write_run(tmp_path / "a/mine/nuscenes_q6_val.jsonl", {plan(0).id: plan(0).answer})
    write_run(tmp_path / "other.jsonl", {"kitti/1/1/planning": path_answer(1)})
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    assert main(["report", *words, "--out", "r.html"]) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and said in errors[0]
    assert not (tmp_path / "r.html").exists()


@pytest.mark.parametrize("content", ["", json.dumps({"id": planning(0).id, "predict": "?"})])
def test_nothing_readable_is_told_and_no_success(data: Path, tmp_path: Path, content: str) -> None:
    mute = tmp_path / "mute/nuscenes_planning_val.jsonl"
    mute.parent.mkdir()
    mute.write_text(content)
    out = tmp_path / "r.html"
    assert main(["report", str(mute.parent), "--gt", str(data), "--out", str(out)]) == 1
    page = out.read_text()
    assert "no answer could be read" in page
    assert "mute has no figure for l2_stp3 avg, so it beats nothing." in page
    assert "nuscenes_q6_val.json" in page, "it is said that nobody predicted it"


def test_a_place_that_cannot_be_written_is_told_before_the_work(
    data: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("mine")
    words = ["report", str(run), "--gt", str(data)]
    assert main([*words, "--out", str(tmp_path)]) == 2
    assert "expected a file to write" in (told := capsys.readouterr().err)
    assert "scoring" not in told
    assert (
        main([*words, "--out", str(tmp_path / "a.html"), "--tables", str(tmp_path / "file")]) == 2
    )
    assert "cannot be written to" in (told := capsys.readouterr().err)
    assert "scoring" not in told


def test_the_closed_loop_stands_beside_the_runs(
    data: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs, scores = tmp_path / "stop", tmp_path / "table.json"
    drive = ["ncap", "sim", "--driver", "stop", "--runs", "1", "--out", str(runs)]
    assert main(drive) == 0
    assert main(["ncap", "score", str(runs), "--out", str(scores)]) == 0
    out = tmp_path / "report.html"
    command = ["report", str(run), "--gt", str(data), "--baselines", "none", "--out", str(out)]
    assert main([*command, "--ncap", str(scores)]) == 0
    page = " ".join(re.sub("<[^>]+>", " ", out.read_text(encoding="utf-8")).split())
    loop = page.partition("Closed loop Score from")[2].partition("Samples Chosen by rule")[0]
    assert "stop 20 of 20 runs 0.0 % of" in loop
    rows, _, printed = loop.partition("They must not be compared with the rows above")
    assert "UniAD first 0.73 hit 88.6 %" in printed and "UniAD" not in rows
    scores.write_text("[]")
    capsys.readouterr()
    assert main([*command, "--ncap", str(scores)]) == 2
    assert "expected the JSON of `impromptu ncap score" in capsys.readouterr().err
