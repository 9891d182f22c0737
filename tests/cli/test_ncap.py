"""``impromptu ncap``: the commands of the guide, the table they give, and what goes wrong."""

import csv
import io
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from impromptu.cli import main

GUIDE = Path(__file__).parents[2] / "neuroncap_evaluation" / "evaluation.md"
BLOCKS = re.findall(r"```bash\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
LINES = [line for block in BLOCKS for line in block.splitlines()]
COMMANDS = [
    line
    for line in LINES
    if line.startswith(("impromptu ncap sim", "impromptu ncap score")) and "--server" not in line
]


@pytest.fixture(scope="module")
def guide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the guide's commands that need no server were run."""
    folder = tmp_path_factory.mktemp("guide")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for command in COMMANDS:
            assert main(shlex.split(command)[1:]) == 0, command
    return folder


def test_the_guide_ends_with_a_table(guide: Path) -> None:
    text = (guide / "build/ncap/table.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    ours = {row["method"]: float(row["score_mean"]) for row in rows if not row["edition"]}
    assert ours["constant_velocity"] < ours["echo_route"] < ours["stop"]
    assert [row["runs"] for row in rows if not row["edition"]] == ["100"] * 3
    text = (guide / "build/ncap/table.md").read_text(encoding="utf-8")
    assert "compare them with each other, not with the published rows" in text
    assert "withdrawn by its authors" in text
    for name, mean in ours.items():
        line = next(line for line in text.splitlines() if line.startswith(f"| {name} "))
        assert f" {mean:.2f} (" in line
        assert "| 100 of 100 | 0.0 % of " in line


def test_published_rows_stand_in_their_edition(guide: Path) -> None:
    table = json.loads((guide / "build/ncap/table.json").read_text(encoding="utf-8"))
    rows = {(row["edition"], row["method"]): row for row in table["published"]}
    assert rows["restated", "Base+nuScenes"]["score_mean"] == 0.75
    assert rows["restated", "Base+nuScenes"]["note"] == ""
    assert rows["first", "Base+nuScenes"]["note"].startswith("withdrawn by its authors")
    assert rows["first", "UniAD"]["collision_rate_side"] == pytest.approx(0.796)
    assert rows["first", "SparseDrive"]["score_side"] is None


def test_what_is_there_is_not_driven_again(
    guide: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(guide)
    assert main("ncap sim --driver stop --out build/ncap/stop".split()) == 0
    assert "100 runs asked: 0 driven, 100 were there, 0 failed" in capsys.readouterr().out
    assert main("ncap sim --driver echo_route --out build/ncap/stop".split()) == 2
    assert "name another folder" in capsys.readouterr().err


def test_an_incomplete_set_is_told(
    guide: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = tmp_path / "some"
    shutil.copytree(guide / "build/ncap/stop", runs)
    shutil.rmtree(runs / "side-0103" / "run_2")
    failed = runs / "frontal-0110" / "run_0"
    (failed / "metrics.json").unlink()
    (failed / "failure.json").write_text('{"error": "the model was down"}')
    out = tmp_path / "table.json"
    assert main(["ncap", "score", str(runs), "--out", str(out)]) == 1
    told = capsys.readouterr().out
    assert "**some is incomplete**: 2 of 100 runs are missing" in told
    assert "frontal-0110/run_0, side-0103/run_2); 1 of them failed" in told
    (model,) = json.loads(out.read_text(encoding="utf-8"))["models"]
    assert model["failed"] == [{"scenario": "frontal-0110", "run": 0, "why": "the model was down"}]
    for name in ("frontal-0103", "frontal-0106", "frontal-0110", "frontal-0346", "frontal-0923"):
        shutil.rmtree(runs / name)
    assert main(["ncap", "score", str(runs), "--expect", "5"]) == 1
    row = capsys.readouterr().out.splitlines()[2]
    assert row.count("| - ") == 3, "no frontal runs, so no mean of the three either"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("sim --driver stop --out x --runs 0", "--runs 0: expected at least 1"),
        ("sim --driver stop --out x --timeout_s nan", "--timeout_s nan: expected more than 0"),
        ("sim --driver stop --out x --render", "--render goes with --server"),
        ("sim --driver stop --out x --scenarios sides", "Did you mean 'side'"),
        ("sim --server http://127.0.0.1:1 --out x", "alive: no reply"),
        ("sim --server ftp://here --out x", "expected http://HOST:PORT"),
        ("sim --out x", "one of the arguments --server --driver is required"),
        ("score nowhere", "nowhere: no such folder of runs"),
        ("score .", "no run in it"),
        ("score . --out t.txt", "expected a name that ends in .md, .csv, .json"),
        ("score . --resamples -1", "--resamples: expected 0 or more"),
        ("scor", "Did you mean 'score'"),
        ("", "the following arguments are required: part"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    words: str,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        code = main(["ncap", *words.split()])
    except SystemExit as ended:
        code = int(ended.code or 0)
    assert code == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("engine", ["constant_velocity", "stop"])
def test_a_model_server_drives_as_the_same_planner_does_in_process(
    engine: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The real server, over HTTP, in parallel sessions, with pictures."""
    pytest.importorskip("fastapi", reason="needs the closed_loop extra: fastapi")
    pytest.importorskip("uvicorn", reason="needs the closed_loop extra: uvicorn")
    pytest.importorskip("openai", reason="needs the closed_loop extra: openai")
    words = [sys.executable, "-m", "impromptu", "ncap-server", "--engine", engine, "--port", "0"]
    words += ["--trace", str(tmp_path / "trace.jsonl")]
    some = ["--runs", "2", "--scenarios", "side", "frontal-0110", "stationary-0783"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as server:
        try:
            url = (server.stdout or io.StringIO()).readline().split()[0]
            drawn = ["--render", "--size", "800x450", "--out", str(tmp_path / "served")]
            assert main(["ncap", "sim", "--server", url, *some, *drawn]) == 0
        finally:
            server.terminate()
    assert main(["ncap", "sim", "--driver", engine, *some, "--out", str(tmp_path / "direct")]) == 0
    for path in (tmp_path / "direct").rglob("metrics.json"):
        there = json.loads(path.read_text())
        served = json.loads(
            (tmp_path / "served" / path.relative_to(tmp_path / "direct")).read_text()
        )
        assert served == pytest.approx(there, abs=1e-6)
    steps = [json.loads(line) for line in (tmp_path / "trace.jsonl").read_text().splitlines()]
    assert {step["status"] for step in steps} == {"rule"}
    assert len({step["session"] for step in steps}) == 14
