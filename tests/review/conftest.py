import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from impromptu.conversation import Sample
from impromptu.files import write_json_list
from impromptu.review.decisions import Ledger, open_ledger
from impromptu.review.draw import Draw, open_draw
from impromptu.review.server import Site
from impromptu.taxonomy import NAMES

TOKEN = "key"  # noqa: S105
HOSTILE = "<script>document.title = 'owned'</script> & \"<img src=x onerror=alert(1)>\""
ROADS, RULES, OBSTACLES, CONDITIONS = NAMES
CLIPS = 10


def write_lines(path: Path, rows: Sequence[Mapping[str, object]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def label(number: int, *categories: str) -> dict[str, Any]:
    images = [f"../raw/{number}.jpg"]
    name = f"kitti/{number % 2:04d}/{number:06d}"
    return {"id": name, "images": images, "categories": list(categories), "model": "teacher"}


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    folder.mkdir()
    for number in range(CLIPS):
        Image.new("RGB", (64, 36), (20 * number, 90, 120)).save(folder / f"{number}.jpg")
    return folder


@pytest.fixture
def labels(tmp_path: Path, raw: Path) -> Path:
    """Labels of ten clips of two logs: four of rules, three of obstacles, three of none."""
    told = [RULES] * 4 + [OBSTACLES] * 3 + [""] * 3
    rows = [label(number, *filter(None, [one])) for number, one in enumerate(told)]
    return write_lines(tmp_path / "labels/labels.jsonl", rows).parent


@pytest.fixture
def answers(tmp_path: Path, raw: Path) -> Path:
    """Answers of clips 0 and 1 to q3 (hostile), q4 and q5."""
    folder = tmp_path / "answers"
    said = {"q3": HOSTILE, "q4": "Red", "q5": "A street.\nIt is dry."}
    for task, text in said.items():
        rows = [
            Sample(f"kitti/0001/{n:06d}/{task}", (f"../raw/{n}.jpg",), f"<image>\n{HOSTILE}", text)
            for n in (0, 1)
        ]
        write_json_list(folder / f"kitti/{task}_val.json", [one.to_sharegpt() for one in rows])
    return folder


def drawn(folder: Path, count: int = 200) -> Draw:
    return open_draw(folder, folder / "review", count, None)


def ledger_of(folder: Path) -> Ledger:
    return open_ledger(folder / "review/decisions.jsonl")


def site(folder: Path, reviewer: str = "Ada", blind: bool = False) -> Site:
    items = drawn(folder).items
    return Site("set", items, ledger_of(folder), reviewer, blind, TOKEN, "127.0.0.1", None)
