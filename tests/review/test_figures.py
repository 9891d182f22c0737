from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.review.conftest import (
    CONDITIONS,
    OBSTACLES,
    ROADS,
    RULES,
    drawn,
    label,
    ledger_of,
    write_lines,
)

from impromptu.review.decisions import decide
from impromptu.review.figures import figures


def decided(folder: Path, reviewer: str, said: dict[str, list[str] | None]) -> None:
    """Decide items by their number; None skips."""
    ledger = ledger_of(folder)
    for item in drawn(folder).items:
        number = str(int(item.id[-6:]))
        if number in said:
            value = said[number]
            verdict: Any = "skip" if value is None else "accept"
            ledger.append(decide(item, reviewer, verdict, value or (), False))


def found(folder: Path, kind: str = "categories") -> Any:
    return figures(drawn(folder), ledger_of(folder), resamples=200)["kinds"][kind]


def test_a_teacher_against_one_person_by_hand(labels: Path) -> None:
    """Told: rules of 0 to 3, obstacles of 4 to 6, nothing of 7 to 9. The person skips 3, adds
    rules to 4, and finds nothing at 5.
    """
    said: dict[str, list[str] | None] = {str(n): [RULES] for n in range(3)}
    said |= {"3": None, "4": [OBSTACLES, RULES], "5": [], "6": [OBSTACLES], "7": []}
    decided(labels, "Ada", said)
    result = found(labels)
    assert result["reviewers"]["Ada"] == {
        "accepted": 5,
        "edited": 2,
        "rejected": 0,
        "skipped": 1,
        "changed_since": 0,
        "undecided": 2,
        "of_them_blind": 0,
    }
    scores = result["teacher"]["Ada"]
    assert scores["items"] == 7
    got = scores["figures"]
    assert (got[f"{RULES}_precision"], got[f"{RULES}_recall"]) == (1, 3 / 4)
    assert got[f"{RULES}_f1"] == pytest.approx(6 / 7)
    assert (got[f"{OBSTACLES}_precision"], got[f"{OBSTACLES}_recall"]) == (2 / 3, 1)
    assert got[f"{OBSTACLES}_true_count"] == 2
    assert got[f"{ROADS}_f1"] is None, "neither told nor true: 0 / 0"
    low, high = scores["intervals"][f"{RULES}_f1"]
    assert low <= 6 / 7 <= high
    assert not result["between_people"]


def test_figures_of_all_weigh_each_stratum_by_what_it_stands_for(raw: Path, tmp_path: Path) -> None:
    """Two of 20 of rules are drawn, one wrong, and both of two standard scenes, one of rules:
    of all, 10 are right, 10 wrong, 1 missed.
    """
    told = [[RULES]] * 20 + [[]] * 2
    rows = [label(n, *one) | {"images": [f"../raw/{n % 10}.jpg"]} for n, one in enumerate(told)]
    folder = write_lines(tmp_path / "l/x.jsonl", rows).parent
    draw, ledger = drawn(folder, 4), ledger_of(folder)
    rules = [item for item in draw.items if item.label]
    none = [item for item in draw.items if not item.label]
    for item, right in zip([*rules, *none], [[RULES], [], [RULES], []], strict=True):
        ledger.append(decide(item, "Ada", "accept", right, False))
    scores = figures(draw, ledger, 0)["kinds"]["categories"]["teacher"]["Ada"]
    assert scores["figures"][f"{RULES}_recall"] == 1 / 2
    assert scores["of_all"][f"{RULES}_recall"] == 10 / 11
    assert scores["of_all"][f"{RULES}_precision"] == 1 / 2
    assert scores["intervals"] == {}


def test_rejected_and_changed_labels_tell_nothing(labels: Path) -> None:
    ledger = ledger_of(labels)
    items = {int(item.id[-6:]): item for item in drawn(labels).items}
    ledger.append(decide(items[0], "Ada", "reject", (), False))
    ledger.append(decide(items[1], "Ada", "accept", [RULES], False))
    ledger.append(decide(items[2], "Ada", "accept", [RULES], True))
    rows = [label(n, CONDITIONS) for n in range(10)]
    write_lines(labels / "labels.jsonl", rows)
    result = found(labels)
    assert result["reviewers"]["Ada"]["rejected"] == 1 - 1, "its label has changed too"
    assert result["reviewers"]["Ada"]["changed_since"] == 2
    assert result["teacher"]["Ada"]["items"] == 1, "what was said blind holds for a new teacher"
    assert result["teacher"]["Ada"]["figures"][f"{CONDITIONS}_precision"] == 0


def test_figures_agree_with_scikit_learn(raw: Path, tmp_path: Path) -> None:
    sklearn = pytest.importorskip("sklearn.metrics", reason="needs the oracles extra: scikit-learn")
    rng = np.random.default_rng(3)
    names = np.array([ROADS, RULES, OBSTACLES, CONDITIONS])
    told = rng.random((60, 4)) < 0.3
    ada, bo = told ^ (rng.random((2, 60, 4)) < 0.2)
    rows = [
        label(n, *names[one]) | {"images": [f"../raw/{n % 10}.jpg"]} for n, one in enumerate(told)
    ]
    folder = write_lines(tmp_path / "l/x.jsonl", rows).parent
    for name, said in (("Ada", ada), ("Bo", bo)):
        decided(folder, name, {str(n): list(names[one]) for n, one in enumerate(said)})
    result = found(folder)
    precision, recall, f1, count = sklearn.precision_recall_fscore_support(ada, told)
    for k, name in enumerate(names):
        got = result["teacher"]["Ada"]["figures"]
        assert got[f"{name}_precision"] == pytest.approx(precision[k])
        assert got[f"{name}_recall"] == pytest.approx(recall[k])
        assert got[f"{name}_f1"] == pytest.approx(f1[k])
        assert got[f"{name}_true_count"] == count[k]
        kappa = result["between_people"]["Ada and Bo"]["figures"][f"{name}_kappa"]
        assert kappa == pytest.approx(sklearn.cohen_kappa_score(ada[:, k], bo[:, k]))
        same = ada[:, k] == bo[:, k]
        agreed = sklearn.f1_score(ada[same, k], told[same, k])
        assert result["teacher"]["all agree"]["figures"][f"{name}_f1"] == pytest.approx(agreed)


def test_lights_and_texts(answers: Path) -> None:
    ledger, draw = ledger_of(answers), drawn(answers)
    by_kind: dict[str, list[Any]] = {}
    for item in draw.items:
        by_kind.setdefault(item.kind, []).append(item)
    for name, lights in (("Ada", ["Red", "Green"]), ("Bo", ["Red", "Red"])):
        for item, light in zip(by_kind["q4"], lights, strict=True):
            ledger.append(decide(item, name, "accept", [light], False))
        for item in by_kind["q5"]:
            ledger.append(decide(item, name, "reject", (), False))
    kinds = figures(draw, ledger, 0)["kinds"]
    assert kinds["q4"]["teacher"]["Ada"]["figures"]["Red_precision"] == 1 / 2
    assert kinds["q4"]["teacher"]["all agree"]["figures"]["Red_precision"] == 1
    # They agree on one of two; by chance Ada's one Red meets Bo's two in half the cases.
    assert kinds["q4"]["between_people"]["Ada and Bo"]["figures"]["light_kappa"] == 0
    both = kinds["q5"]["between_people"]["Ada and Bo"]
    assert both["items"] == 2 and both["figures"]["verdict_kappa"] is None, "both say one thing"
    assert "teacher" not in kinds["q5"] and kinds["q3"]["reviewers"]["Ada"]["undecided"] == 2
