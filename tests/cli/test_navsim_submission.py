"""``impromptu navsim-submission``: the guide's commands, exit codes, and what goes wrong."""

import json
import re
import shlex
from pathlib import Path

import pytest

from impromptu import miniature
from impromptu.cli import main
from impromptu.generation import generate
from impromptu.part import Recipe

GUIDE = Path(__file__).parents[2] / "neuroncap_evaluation/other_judges.md"
PART = GUIDE.read_text(encoding="utf-8").partition("## AlpaSim")[0]
COMMANDS = "".join(re.findall(r"```bash\n(.*?)```", PART, re.DOTALL)).splitlines()
MADE = "build/navsim/submission.pkl"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with navsim's samples, in which the guide's first command was run."""
    miniature.write(tmp_path / "raw", logs=2, images=False, datasets=["navsim"])
    recipe = Recipe(("trajectory",), missing_images="keep")
    generate(tmp_path / "raw", tmp_path / "data_qa_results", ["navsim"], ["test"], recipe, 1)
    monkeypatch.chdir(tmp_path)
    assert main(shlex.split(COMMANDS[0])[1:]) == 0
    return tmp_path


def test_the_guides_commands_run(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in COMMANDS[1:]:
        assert main(shlex.split(command)[1:]) == 0, command
    out, _ = capsys.readouterr()
    counts = json.loads((world / "build/navsim/submission.json").read_text())
    assert counts["asked"] == counts["read"] > 10
    assert f"{MADE}: {counts['read']} of {counts['asked']} asked" in out
    first = (world / MADE).read_bytes()
    assert main(shlex.split(COMMANDS[1])[1:]) == 0
    assert (world / MADE).read_bytes() == first
    assert (world / "build/navsim/scores.json").is_file()


def test_a_missing_token_is_named_and_the_code_is_1(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (world / "tokens.txt").write_text("gone\nlost\n")
    assert main([*shlex.split(COMMANDS[1])[1:], "--tokens", "tokens.txt"]) == 1
    out, told = capsys.readouterr()
    assert "no sample: 2 tokens, first gone, lost" in told
    assert re.search(r"not wanted: \d+ samples of other frames", told)
    assert f"{MADE}: 0 of 0 asked" in out


def test_a_missing_answer_is_filled_only_when_told(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = world / "build/navsim/q7_test.jsonl"
    path.write_text("\n".join(path.read_text().splitlines()[1:]))
    command = shlex.split(COMMANDS[1])[1:]
    assert main(command) == 2
    assert "answers cannot be used (missing 1)" in capsys.readouterr().err
    assert not (world / MADE).exists()
    assert main([*command, "--on_unreadable", "zeros"]) == 0
    assert "filled: 1 (missing)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--gt", "gone.json"], "gone.json"),
        (["--out", "a.json"], "that name is the counts'"),
        (["--out", "p"], "p is read from"),
        (["--gt", "o.json"], "o.json is read from"),
        (["--on_unreadable", "hold"], "invalid choice"),
        (["--tokens", "gone.yaml"], "gone.yaml"),
    ],
)
def test_a_wrong_flag_is_one_line(
    flags: list[str], told: str, capsys: pytest.CaptureFixture[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    try:
        code = main(["navsim-submission", "--gt", "g", "--pred", "p", "--out", "o.pkl", *flags])
    except SystemExit as end:
        code = int(str(end.code))
    assert code == 2
    error = capsys.readouterr().err
    assert told in error
    assert "Traceback" not in error
