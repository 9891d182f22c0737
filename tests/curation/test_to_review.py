"""What people are given to check: a draw of all that was judged, whatever the label."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.curation.conftest import drive

from impromptu.curation import to_review
from impromptu.curation.recipe import CurationRecipe
from impromptu.review.items import Dropped, read_items
from impromptu.taxonomy import NAMES

Write = Callable[..., Path]


def run(path: Path, **recipe: Any) -> list[dict[str, Any]]:
    out = path.parent / "to_review/labels.jsonl"
    count = to_review.write(out, [path], CurationRecipe(**recipe), path.parent)
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(rows) == count
    return rows


def test_labels_by_hand_and_the_review_reads_them(write_labels: Write, tmp_path: Path) -> None:
    rows = drive("d/a", [(3, 2, 1, 0), (0, 0, 0, 0), (1, 1, 1, 1)])
    rows += drive("d/b", [(), ()])  # conventional
    rows += drive("d/c", [(3, 0, 0, 0)], state="not_labelled", labels=1)
    rows += drive("d/e", [()], state="no_image", image=None)
    (tmp_path / "a.jpg").write_bytes(b"")
    found = run(write_labels(rows, group=2))
    assert {row["id"]: row["categories"] for row in found} == {
        "d/a/000": list(NAMES[:2]),  # 3 of 3 and 2 of 3; 1 of 3 is too few
        "d/a/001": [],
        "d/a/002": [],
        "d/b/000": [],
        "d/b/001": [],
    }
    assert {image for row in found for image in row["images"]} == {"../a.jpg"}
    dropped = Dropped()
    items = list(read_items(tmp_path / "to_review", tmp_path / "nowhere", dropped))
    assert [item.label for item in items] == [tuple(row["categories"]) for row in found]
    assert not dropped.counts


def test_of_many_each_is_as_likely_to_be_drawn(
    write_labels: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_labels([r for k in range(4) for r in drive(f"d/{k}", [(3, 0, 0, 0), ()] * 250)])
    assert len(run(path)) == 2000
    monkeypatch.setattr(to_review, "ABOUT", 400)
    found = run(path)
    assert found == run(path)
    assert found != run(path, seed=1)
    # 400 expected, each with a chance of 1 in 5: the standard deviation is 18.
    assert 320 < len(found) < 480
    logs, labels = (Counter(key(row) for row in found) for key in (_log, _labelled))
    assert all(60 < count < 140 for count in logs.values()), logs
    assert all(140 < count < 260 for count in labels.values()), labels


def _log(row: dict[str, Any]) -> str:
    return str(row["id"]).rpartition("/")[0]


def _labelled(row: dict[str, Any]) -> bool:
    return bool(row["categories"])
