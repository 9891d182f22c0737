import json
from pathlib import Path
from typing import Any

import pytest
from tests.review.conftest import OBSTACLES, RULES, drawn, label, ledger_of, write_lines

from impromptu.registry import load_samples
from impromptu.review.decisions import decide
from impromptu.review.items import Item
from impromptu.review.writing import write


def say(folder: Path, name: str, item: Item, verdict: Any, *value: str) -> None:
    ledger_of(folder).append(decide(item, name, verdict, value, False))


def test_accepted_and_edited_answers_are_samples_again(answers: Path, tmp_path: Path) -> None:
    out = tmp_path / "elsewhere/deep/out"
    q3, other_q3, q4, *_ = items = drawn(answers).items
    say(answers, "Ada", q3, "accept", "It brakes.")
    say(answers, "Ada", other_q3, "reject")
    say(answers, "Ada", q4, "accept", "Red")
    say(answers, "Ada", items[4], "skip")
    counts = write(drawn(answers), ledger_of(answers), None, answers, out)
    assert (counts["in"], counts["out"]) == (6, 2)
    assert counts["dropped"] == {"rejected": 1, "skipped": 1, "undecided": 2}
    assert json.loads((out / "review.json").read_text()) == counts
    (one,) = load_samples(out, ["kitti_q3_val"])
    assert (one.id, one.answer) == (q3.id, "It brakes.")
    assert (out / one.images[0]).read_bytes() == q3.places[0].read_bytes()
    (light,) = load_samples(out, ["kitti_q4_val"])
    assert light.answer == "Red"
    with pytest.raises(FileExistsError):
        write(drawn(answers), ledger_of(answers), None, answers, out)


def test_what_people_disagree_on_is_dropped_and_labels_keep_their_fields(
    labels: Path, tmp_path: Path
) -> None:
    broken = write_lines(labels / "more.jsonl", [label(11, "nonsense")])
    items = drawn(labels, 4).items
    for item in items:
        say(labels, "Ada", item, "accept", RULES, OBSTACLES)
    say(labels, "Bo", items[0], "accept", RULES)
    say(labels, "Bo", items[1], "accept", OBSTACLES, RULES)
    say(labels, "Bo", items[2], "reject")
    say(labels, "Bo", items[3], "skip")
    counts = write(drawn(labels, 4), ledger_of(labels), None, labels, tmp_path / "both")
    assert (counts["in"], counts["out"]) == (11, 2)
    dropped = {"not_drawn": 6, "rejected": 1, "reviewers_disagree": 1, "unknown_category": 1}
    assert counts["dropped"] == dropped and broken.exists()
    counts = write(drawn(labels, 4), ledger_of(labels), "Ada", labels, tmp_path / "one")
    assert counts["out"] == 4
    rows = [json.loads(line) for line in (tmp_path / "one/labels.jsonl").read_text().splitlines()]
    assert all(row["categories"] == [RULES, OBSTACLES] for row in rows)
    assert all(row["model"] == "teacher" for row in rows)
    assert (tmp_path / "one" / rows[0]["images"][0]).is_file()


def test_a_label_that_changed_is_not_written(labels: Path, tmp_path: Path) -> None:
    for item in drawn(labels).items:
        say(labels, "Ada", item, "accept", *item.label)
    write_lines(labels / "labels.jsonl", [label(n, OBSTACLES) for n in range(10)])
    counts = write(drawn(labels), ledger_of(labels), None, labels, tmp_path / "out")
    assert counts["out"] == 3 and counts["dropped"] == {"changed_since_decided": 7}
