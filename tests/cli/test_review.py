import json
import socket
from pathlib import Path

import pytest
from PIL import Image

from impromptu.cli import main
from impromptu.review.decisions import decide, open_ledger
from impromptu.review.draw import open_draw
from impromptu.taxonomy import NAMES


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Labels of six clips of two logs, all of rules."""
    found = tmp_path / "labels"
    found.mkdir()
    Image.new("RGB", (8, 8)).save(found / "a.jpg")
    rows = [
        {"id": f"d/{n % 2}/{n}", "images": ["a.jpg"], "categories": [NAMES[1]]} for n in range(6)
    ]
    (found / "x.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return found


def decided(folder: Path, name: str, *edited: int) -> None:
    """Accept all but those by number, which are standard scenes."""
    ledger = open_ledger(folder / "review/decisions.jsonl")
    for item in open_draw(folder, folder / "review", None, None).items:
        value = [] if int(item.id[-1]) in edited else item.label
        ledger.append(decide(item, name, "accept", value, False))


def test_figures_are_told_and_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    decided(folder, "Ada", 0)
    decided(folder, "Bo", 0, 1, 2)
    with (folder / "review/decisions.jsonl").open("a") as file:
        file.write("damaged\n")
    (folder / "y.jsonl").write_text(json.dumps({"id": "z", "images": [], "categories": ["?"]}))
    assert main(["review", "--dir", str(folder), "--figures"]) == 0
    told = capsys.readouterr()
    assert "1 damaged decisions are passed over, such as " in told.err and "line 13" in told.err
    assert "1 not reviewed: unknown_category" in told.err
    assert "Ada: 5 accepted, 1 edited" in told.out and "what all people agree on, 6" in told.out
    (rules,) = [line.split() for line in told.out.splitlines() if NAMES[1] in line][:1]
    assert rules[4:7] == ["0.83", "1.00", "0.91"] and rules[-1] == "0.90"
    (roads,) = [line.split() for line in told.out.splitlines() if NAMES[0] in line][:1]
    assert roads[-1] == "-" and "none is published for roads" in told.out
    # They agree on 4 of 6; by chance on 5/6 x 3/6 + 1/6 x 3/6 = 1/2: (4/6 - 1/2) / (1/2).
    assert "Cohen's kappa of Ada and Bo, 6 items" in told.out and " 0.33 " in told.out
    result = json.loads((folder / "review/figures.json").read_text())
    assert result["damaged_lines"] == 1 and result["not_reviewable"] == {"unknown_category": 1}
    kappa = result["kinds"]["categories"]["between_people"]["Ada and Bo"]["figures"]
    assert kappa[f"{NAMES[1]}_kappa"] == pytest.approx(1 / 3) and kappa[f"{NAMES[0]}_kappa"] is None


def test_what_was_accepted_is_written(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    decided(folder, "Ada", 0)
    decided(folder, "Bo", 0, 1, 2)
    line = ["review", "--dir", str(folder), "--write"]
    assert main([*line, str(tmp_path / "both")]) == 0
    assert "6 in, 4 out, dropped: 2 reviewers_disagree" in capsys.readouterr().out
    assert main([*line, str(tmp_path / "bo"), "--reviewer", "Bo"]) == 0
    assert "6 in, 6 out, dropped: none" in capsys.readouterr().out
    assert main([*line, str(tmp_path / "x"), "--reviewer", "Cy"]) == 2
    assert "Cy has decided nothing; Ada, Bo has" in capsys.readouterr().err
    assert main([*line, str(tmp_path / "both")]) == 2
    assert "name a new folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ([], "say who reviews: --reviewer NAME"),
        (["--reviewer", "a/b"], "a reviewer's name is of letters"),
        (["--reviewer", "a" * 10_000], "a reviewer's name has 1 to 64 signs"),
        (["--reviewer", "Ada", "--draw", "0"], "--draw 0: expected at least 1"),
        (["--reviewer", "Ada", "--data_raw", "nope"], "nope: no such folder"),
        (["--figures"], "nobody has decided anything yet"),
        (["--reviewer", "Ada", "--port", "99999"], "--port 99999"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(
    folder: Path, flags: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["review", "--dir", str(folder), *flags]) == 2
    error = capsys.readouterr().err
    assert told in error and len(error) < 500


def test_a_port_that_is_taken_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert main(["review", "--dir", str(folder), "--reviewer", "Ada", "--port", port]) == 2
    assert "address already in use; without --port a free one" in capsys.readouterr().err


def test_a_folder_of_nothing_is_told_and_nothing_is_left_in_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("empty", "none"):
        assert main(["review", "--dir", str(tmp_path / name), "--reviewer", "Ada"]) == 2
        assert name in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
    assert not [*tmp_path.rglob("*.jsonl")], "another command would take it for data"
