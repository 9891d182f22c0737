"""Figures side by side: nothing is invented for a run that was not asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from impromptu.evaluation import Evaluation
from impromptu.report import Run
from impromptu.report.runs import sample_files
from impromptu.report.tables import Cell, Row, Table, table


def _result(file: str, **changed: Any) -> Mapping[str, Any]:
    metric = {
        "convention": "c",
        "higher_is_better": True,
        "figures": {"f1": None, "true_count": 7.0},
        "headline": "f1",
        "intervals": {},
        "units": {"f1": "share", "true_count": "count"},
    }
    return {
        "task": "q4",
        "question": "traffic_light",
        "gt": file,
        "joined_by": "id",
        "preset": "",
        "asked": 9,
        "answered": 8,
        "missing": 1,
        "read": 7,
        "unreadable": 1,
        "unreadable_reasons": {},
        "unreadable_examples": [],
        "extra": 0,
        "repeated": 0,
        "masks": {},
        "remarks": [],
        "policies": {},
        "breakdown": {},
        "bootstrap": {"level": 0.95, "clusters": 12, "resamples": 1000, "seed": 0},
        "metrics": {"light": metric},
        "note": "",
    } | changed


@dataclass
class Told:
    """Stands for an evaluation."""

    json: Mapping[str, Any]

    def to_json(self) -> Mapping[str, Any]:
        return self.json


def _run(name: str, *results: Mapping[str, Any]) -> Run:
    return Run(name, "", cast(Sequence[Evaluation], [Told(one) for one in results]))


def tables(runs: Sequence[Run]) -> list[Table]:
    return [table(file) for file in sample_files(runs)]


def _row(label: str, *values: str) -> Row:
    return Row(label, [Cell(value) for value in values])


def test_files_are_named_from_their_common_folder() -> None:
    found = tables([_run("a", _result("/x/y/kitti/q4_val.json"), _result("/x/y/planning.json"))])
    assert [one.file for one in found] == ["kitti/q4_val.json", "planning.json"]
    assert tables([_run("a", _result("/x/y/q4_val.json"))])[0].file == "q4_val.json"
    assert tables([]) == []


def test_what_most_runs_were_asked_comes_first_and_others_have_no_column() -> None:
    found = tables([_run("a", _result("/x/1"), _result("/x/2")), _run("b", _result("/x/2"))])
    assert [(one.file, one.runs) for one in found] == [
        ("2", [(0, "a"), (1, "b")]),
        ("1", [(0, "a")]),
    ]


def test_rows_have_unit_direction_and_words_for_what_is_undefined() -> None:
    (found,) = tables([_run("a", _result("/x/1"))])
    assert found.counts == [
        _row("asked", "9"),
        _row("answered", "8"),
        _row("missing", "1"),
        _row("read", "7"),
        _row("unreadable", "1"),
    ]
    assert found.groups[0].rows == [
        _row("f1 (share) ↑", "none (0 / 0)"),
        _row("true_count (count)", "7"),
    ]


def test_a_run_without_figures_has_a_dash_and_its_reason() -> None:
    mute = _result("/x/1", metrics={}, note="no figure: nothing could be read")
    (found,) = tables([_run("mute", mute), _run("b", _result("/x/1"))])
    assert found.groups[0].rows[1] == _row("true_count (count)", "–", "7")
    assert found.remarks == ["mute: no figure: nothing could be read"]


def test_remarks_tell_preset_joining_and_the_first_unreadable() -> None:
    odd = _result(
        "/x/1",
        preset="released",
        joined_by="order",
        unreadable_examples=[{"id": "7", "why": "no tag"}, {"id": "8", "why": "no tag"}],
    )
    (found,) = tables([_run("a", odd)])
    assert found.remarks == [
        "a: prompts and true answers of the released preset",
        "a: answers joined to samples by order, not by id",
        "a: first unreadable, 7: no tag",
    ]


def test_intervals_stand_beside_their_figures_and_are_explained() -> None:
    metric = _result("/x/1")["metrics"]["light"] | {
        "figures": {"f1": 0.5, "true_count": 7.0},
        "intervals": {"f1": [0.25, 0.75]},
    }
    (found,) = tables([_run("a", _result("/x/1", metrics={"light": metric}))])
    assert found.groups[0].rows[0].cells == [Cell("0.500", "0.250 to 0.750")]
    assert "95% bootstrap intervals; of 12 logs whole logs are drawn" in found.bootstrap
    (without,) = tables([_run("a", _result("/x/1"))])
    assert without.bootstrap == ""


def test_a_metric_of_many_figures_is_folded_but_for_the_one_that_stands_for_all() -> None:
    names = [f"class{k}" for k in range(12)] + ["f1"]
    metric = _result("/x/1")["metrics"]["light"] | {
        "figures": dict.fromkeys(names, 0.5),
        "units": dict.fromkeys(names, "share"),
    }
    (found,) = tables([_run("a", _result("/x/1", metrics={"light": metric}))])
    (group,) = found.groups
    assert (group.folded, group.rows[0].label, len(group.rows)) == (True, "f1 (share) ↑", 13)


def test_what_is_true_of_every_run_is_said_once() -> None:
    same = _result("/x/1", preset="strict", remarks=["no groups"])
    (found,) = tables([_run("a", same), _run("b", {**same, "extra": 2})])
    assert found.remarks == [
        "prompts and true answers of the strict preset",
        "no groups",
        "b: 2 predictions nobody asked for",
    ]
