"""Scores of the closed loop as a table: printed to two decimals, and what is incomplete is told."""

import copy
from pathlib import Path
from typing import Any

import pytest

from impromptu.files import write_json
from impromptu.report import driven
from impromptu.report.driven import Cell


def figures(row: str, score: float, rate: float, interval: Any = None) -> list[dict[str, Any]]:
    values = {"score": (score, interval), "collision_rate": (rate, None)}
    return [
        {"quantity": name, "row": row, "value": value, "interval": ends, "runs": 2}
        for name, (value, ends) in values.items()
    ]


def model(name: str, rows: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    plain = {"runs": 4, "expected": 4, "missing": [], "failed": [], "simulated": False}
    told = {"name": name, "figures": rows, "parse_failure_rate": None, "plans_asked": 0}
    return plain | told | more


TOLD: dict[str, Any] = {
    "v_ref": "fixed",
    "v_ref_is": "as it should be",
    "interval": {"level": 0.95, "resamples": 10, "seed": 0, "drawn": "runs"},
    "models": [
        model(
            "one_model",
            [*figures("side-0103", 1.5, 0.75), *figures("side", 1.5, 0.75, [1.0, 2.004])],
            parse_failure_rate=0.125,
            plans_asked=2000,
            missing=[{}, {}],
            failed=[{}],
            runs=2,
        ),
        model("two", [*figures("frontal-0110", 5, 0), *figures("side-0103", 0, 1)]),
    ],
    "published": [
        {"edition": "first", "method": "M", "note": "odd", "score_mean": 0.7}
        | {"collision_rate_mean": 0.886, "score_side": None}
    ],
}


def test_cells_are_scores_intervals_and_collisions() -> None:
    made = driven.driven(TOLD)
    one, two = made.lines
    assert (one.name, one.note, one.unreadable) == ("one model", "2 of 4 runs", "12.5 % of 2,000")
    assert two.unreadable == "–"
    *none, side = one.cells
    assert side == Cell("1.50", "1.00 to 2.00", "75.0 %")
    assert none == [Cell("–")] * 4
    assert made.scenarios == [
        ("frontal-0110", [Cell("–"), Cell("5.00", "", "0.0 %")]),
        ("side-0103", [Cell("1.50", "", "75.0 %"), Cell("0.00", "", "100.0 %")]),
    ]
    (printed,) = made.printed
    assert (printed.name, printed.note, printed.remark) == ("M", "first", "odd")
    assert printed.cells[0] == Cell("0.70", "", "88.6 %") and printed.cells[4] == Cell("–")


def test_what_is_incomplete_is_told() -> None:
    remarks = driven.driven(TOLD).remarks
    assert "one model is incomplete: 2 runs are missing, 1 of them failed." in remarks
    (fewer,) = (one for one in remarks if "scenarios:" in one)
    assert fewer.startswith("one model drove 1 of the 2 scenarios")
    assert not driven.driven(TOLD).simulated
    simulated = copy.deepcopy(TOLD)
    simulated["models"][1]["simulated"] = True
    assert driven.driven(simulated).simulated


@pytest.mark.parametrize("told", [[], {}, {"models": 3}, TOLD | {"models": [{}]}])
def test_a_file_of_something_else_is_named(told: Any, tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    write_json(path, told)
    with pytest.raises(
        ValueError, match=r"table\.json: expected the JSON of `impromptu ncap score"
    ):
        driven.read(path)
