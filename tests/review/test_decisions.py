import json
import multiprocessing
import os
from pathlib import Path

import pytest
from tests.review.conftest import OBSTACLES, ROADS, RULES

from impromptu.review.decisions import (
    ChangedMeanwhileError,
    decide,
    open_ledger,
    reviewer_name,
)
from impromptu.review.items import Item


def item(number: int = 1, kind: str = "categories", *label: str) -> Item:
    return Item(kind, f"d/l/{number}", label, "", ("x.jpg",), (), Path("f"), {})


def test_a_value_that_is_the_teachers_is_accepted_another_an_edit() -> None:
    one = item(1, "categories", ROADS, RULES)
    assert decide(one, "Ada", "accept", [RULES, ROADS], False).verdict == "accept"
    edit = decide(one, "Ada", "accept", [OBSTACLES, RULES], False)
    assert (edit.verdict, edit.value) == ("edit", (RULES, OBSTACLES))
    assert decide(one, "Ada", "accept", [], False).value == ()
    assert decide(item(1, "q5", "Dry."), "Ada", "accept", [" Dry.\n"], False).verdict == "accept"


@pytest.mark.parametrize(
    ("kind", "value"),
    [("categories", ["Roads"]), ("q4", []), ("q4", ["Red", "Green"]), ("q5", [" "]), ("q3", [])]
    + [("q3", ["\ud800"])],
)
def test_a_value_of_another_kind_is_refused(kind: str, value: list[str]) -> None:
    with pytest.raises(ValueError):
        decide(item(1, kind, "Red"), "Ada", "accept", value, False)


def test_the_last_decision_counts_and_undo_takes_it_back(tmp_path: Path) -> None:
    path, one = tmp_path / "a/d.jsonl", item(1, "q4", "Red")
    ledger = open_ledger(path)
    ledger.append(decide(one, "Ada", "accept", ["Red"], False))
    ledger.append(decide(one, "Bo", "accept", ["Yellow"], False))
    ledger.append(decide(one, "Ada", "reject", (), False))
    for known in (ledger, open_ledger(path)):
        assert known.of("Ada")[one.key].verdict == "reject"
        assert known.of("Bo")[one.key].value == ("Yellow",)
    undone = ledger.undo("Ada")
    assert undone and undone.verdict == "reject"
    for known in (ledger, open_ledger(path)):
        assert known.of("Ada")[one.key].verdict == "accept"
    ledger.undo("Ada")
    assert ledger.undo("Ada") is None and not open_ledger(path).of("Ada")
    assert len(path.read_text().splitlines()) == 5, "history is kept"


def test_what_was_decided_elsewhere_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    one = item(1, "q4", "Red")
    tab, other = open_ledger(tmp_path / "d"), open_ledger(tmp_path / "d")
    seen = tab.version("Ada", one.key)
    other.append(decide(one, "Ada", "accept", ["Red"], False), seen)
    with pytest.raises(ChangedMeanwhileError):
        tab.append(decide(one, "Ada", "reject", (), False), seen)
    tab.append(decide(one, "Ada", "reject", (), False), tab.version("Ada", one.key))
    other.read()
    assert other.of("Ada")[one.key].verdict == "reject"


@pytest.mark.parametrize("keep", ["half", "all but its end"])
def test_a_torn_line_is_closed_and_costs_nothing_else(tmp_path: Path, keep: str) -> None:
    path = tmp_path / "d"
    ledger = open_ledger(path)
    for number in (1, 2):
        ledger.append(decide(item(number), "Ada", "skip", (), False))
    content = path.read_bytes()
    path.write_bytes(content[:-40] if keep == "half" else content[:-1])
    again = open_ledger(path)
    again.append(decide(item(3), "Ada", "skip", (), False))
    final = open_ledger(path)
    whole = keep != "half"
    assert [one.id for one in final.history["Ada"]] == ["d/l/1"] + ["d/l/2"] * whole + ["d/l/3"]
    assert [number for number, _ in final.damaged] == [2] * (not whole)
    assert path.read_bytes().startswith(content[:-40]), "nothing is removed"


def test_damage_in_the_middle_is_counted_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "d"
    ledger = open_ledger(path)
    for number in range(9):
        ledger.append(decide(item(number), "Ada", "skip", (), False))
    lines = path.read_bytes().splitlines()
    lines[2] = b"\xff\x00 no json"
    lines[3] = json.dumps([1]).encode()
    lines[4] = json.dumps(json.loads(lines[4]) | {"verdict": "maybe"}).encode()
    lines[5] = json.dumps(json.loads(lines[5]) | {"verdict": "edit", "value": ["?"]}).encode()
    lines[6] = b"[" * 100_000
    path.write_bytes(b"\n".join(lines) + b"\n")
    again = open_ledger(path)
    assert [one.id[-1] for one in again.history["Ada"]] == ["0", "1", "7", "8"]
    assert [number for number, _ in again.damaged] == [3, 4, 5, 6, 7]


def _append_many(path: Path, name: str, count: int) -> None:
    ledger = open_ledger(path)
    for number in range(count):
        text = f"{name} {number} " + "x" * 5000
        ledger.append(decide(item(number, "q5", "y"), name, "accept", [text], False))


def test_two_processes_append_at_once(tmp_path: Path) -> None:
    path, context = tmp_path / "d", multiprocessing.get_context("spawn")
    jobs = [context.Process(target=_append_many, args=(path, name, 60)) for name in ("A", "B")]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join(60)
    ledger = open_ledger(path)
    assert not ledger.damaged
    for name in ("A", "B"):
        assert [one.value[0].split(" x")[0] for one in ledger.history[name]] == [
            f"{name} {number}" for number in range(60)
        ]


def test_a_decision_is_on_the_disk_before_it_is_confirmed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced, real = list[int](), os.fsync
    ledger = open_ledger(tmp_path / "d")

    def fsync(descriptor: int) -> None:
        real(descriptor)
        synced.append(os.fstat(descriptor).st_size)

    monkeypatch.setattr(os, "fsync", fsync)
    ledger.append(decide(item(), "Ada", "skip", (), False))
    assert synced == [(tmp_path / "d").stat().st_size]


@pytest.mark.parametrize("name", ["", " ", "a/b", "..\\x", "a" * 10_000, "a\nb", "<b>", "\0", " a"])
def test_odd_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="a reviewer's name"):
        reviewer_name(name)


@pytest.mark.parametrize("name", ["Ada", "Zoë Müller", "李", "a.b-c_d@e", "O'Neil"])
def test_names_of_people_are_taken(name: str) -> None:
    assert reviewer_name(name) == name
