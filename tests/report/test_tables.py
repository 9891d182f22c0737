"""Figures side by side: nothing is invented for a run that was not asked."""

from collections.abc import Mapping
from typing import Any

from impromptu.report import Run
from impromptu.report.tables import Row, tables


def _result(file: str, **changed: Any) -> Mapping[str, Any]:
    metric = {
        "convention": "c",
        "higher_is_better": True,
        "figures": {"f1": None, "true_count": 7.0},
        "units": {"f1": "share", "true_count": "count"},
    }
    return {
        "question": "traffic_light",
        "gt": file,
        "joined_by": "id",
        "preset": "",
        "asked": 9,
        "answered": 8,
        "missing": 1,
        "read": 7,
        "unreadable": 1,
        "unreadable_examples": [],
        "metrics": {"light": metric},
        "note": "",
    } | changed


def _run(name: str, *results: Mapping[str, Any]) -> Run:
    return Run(name, "", results, {})


def test_files_are_named_from_their_common_folder() -> None:
    found = tables([_run("a", _result("/x/y/kitti/q4_val.json"), _result("/x/y/planning.json"))])
    assert [table.file for table in found] == ["kitti/q4_val.json", "planning.json"]
    assert tables([_run("a", _result("/x/y/q4_val.json"))])[0].file == "q4_val.json"
    assert tables([]) == []


def test_what_most_runs_were_asked_comes_first_and_others_have_no_column() -> None:
    found = tables([_run("a", _result("/x/1"), _result("/x/2")), _run("b", _result("/x/2"))])
    assert [(table.file, table.runs) for table in found] == [
        ("2", [(0, "a"), (1, "b")]),
        ("1", [(0, "a")]),
    ]


def test_rows_have_unit_direction_and_words_for_what_is_undefined() -> None:
    (table,) = tables([_run("a", _result("/x/1"))])
    assert table.counts == [
        Row("asked", ["9"]),
        Row("answered", ["8"]),
        Row("missing", ["1"]),
        Row("read", ["7"]),
        Row("unreadable", ["1"]),
    ]
    assert table.groups[0].rows == [
        Row("f1 (share) ↑", ["none (0 / 0)"]),
        Row("true_count (count)", ["7"]),
    ]


def test_a_run_without_figures_has_a_dash_and_its_reason() -> None:
    mute = _result("/x/1", metrics={}, note="no figure: nothing could be read")
    (table,) = tables([_run("mute", mute), _run("b", _result("/x/1"))])
    assert table.groups[0].rows[1] == Row("true_count (count)", ["–", "7"])
    assert table.remarks == ["mute: no figure: nothing could be read"]


def test_remarks_tell_preset_joining_and_the_first_unreadable() -> None:
    odd = _result(
        "/x/1",
        preset="released",
        joined_by="order",
        unreadable_examples=[{"id": "7", "why": "no tag"}, {"id": "8", "why": "no tag"}],
    )
    (table,) = tables([_run("a", odd)])
    assert table.remarks == [
        "a: prompts and true answers of the released preset",
        "a: answers joined to samples by order, not by id",
        "a: first unreadable, 7: no tag",
    ]
