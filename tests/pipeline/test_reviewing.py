"""The teacher measured by the miniature's truth, by hand counts; people's decisions stay."""

import json
from pathlib import Path

import pytest
from tests.pipeline.conftest import Made

from impromptu.curation.to_review import PLACE
from impromptu.files import read_json_lines
from impromptu.miniature import truth
from impromptu.miniature.unusual import plant
from impromptu.pipeline import reviewing
from impromptu.pipeline.reviewing import review
from impromptu.taxonomy import NAMES


@pytest.fixture
def curated(made: Made, tmp_path: Path) -> Path:
    """Labels of all clips in which something is planted; of one the category is left out."""
    planted = {clip: names for clip, names in plant(truth.truths(made.samples)).items() if names}
    first, *_ = planted
    rows = [
        {"id": clip, "images": ["a.png"], "categories": [] if clip == first else list(names)}
        for clip, names in planted.items()
    ]
    (tmp_path / PLACE).parent.mkdir()
    (tmp_path / PLACE).with_name("a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / PLACE).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def test_a_category_left_out_costs_recall_alone(made: Made, curated: Path) -> None:
    labels = [row for _, row in read_json_lines(curated / PLACE)]
    (name,) = plant(truth.truths(made.samples))[labels[0]["id"]]
    named = sum(name in row["categories"] for row in labels)
    rows = {row[0]: row[1:] for row in review(made.samples, curated, lambda _: None).rows}
    items, precision, recall, f1 = rows[name]
    assert items == len(labels)
    assert (precision, recall) == (1.0, named / (named + 1))
    assert f1 == pytest.approx(2 * named / (2 * named + 1))
    others = [rows[one] for one in NAMES if one != name and rows[one][3] is not None]
    assert all(row[1:] == (1.0, 1.0, 1.0) for row in others)


def test_lights_are_measured_by_what_they_showed(made: Made, curated: Path) -> None:
    known = truth.truths(made.samples)
    rows = {row[0]: row[1:] for row in review(made.samples, curated, lambda _: None).rows}
    q4 = sorted((made.samples / "kitti").glob("q4_*.json"))
    told = [row for path in q4 for row in json.loads(path.read_text())]
    pairs = [
        (row["messages"][1]["content"], known[row["id"].removesuffix("/q4")].light) for row in told
    ]
    assert rows["traffic light: Red"][0] == len(pairs) <= 200
    said = [true for answer, true in pairs if "Red" in answer]
    assert rows["traffic light: Red"][1] == pytest.approx(said.count("Red") / len(said))


def test_what_is_decided_is_not_decided_again(made: Made, curated: Path) -> None:
    review(made.samples, curated, lambda _: None)
    before = ((curated / PLACE).parent / "review/decisions.jsonl").read_text()
    assert f'"{reviewing.REVIEWER}"' in before
    review(made.samples, curated, lambda _: None)
    assert ((curated / PLACE).parent / "review/decisions.jsonl").read_text() == before


def test_without_a_teacher_there_is_nothing_to_review(tmp_path: Path) -> None:
    told = list[str]()
    account = review(tmp_path, tmp_path / "none", told.append)
    assert told == list(account.remarks) and "left out" in told[0] and not account.rows
