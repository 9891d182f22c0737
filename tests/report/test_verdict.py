"""Better, worse, tied, or nothing to compare with: each in words."""

from collections.abc import Mapping
from typing import Any

import pytest

from impromptu.report import Role, Run
from impromptu.report.verdict import Score, verdict, verdicts

MODEL = Score("model", 0.5, 9, 9)


def _say(*values: float | None, better: bool = False, model: Score = MODEL) -> str:
    baselines = [Score(f"b{row}", value, 9, 9) for row, value in enumerate(values)]
    return verdict(model, baselines, "ade", "m", better)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (
            _say(0.9, 0.7),
            "model beats every baseline, the best of which is b1: ade 0.500 m against 0.700 m.",
        ),
        (
            _say(0.9, 0.3),
            "model does not beat b1, which sees no image: ade 0.500 m against 0.300 m.",
        ),
        (_say(0.5), "model does not beat b0, which sees no image: ade 0.500 m against 0.500 m."),
        (
            _say(0.4, 0.3, 0.9),
            "model does not beat b1, which sees no image, nor 1 other baseline: "
            "ade 0.500 m against 0.300 m.",
        ),
        (
            _say(0.4, 0.3, 0.2, better=True),
            "model beats every baseline, the best of which is b0: ade 0.500 m against 0.400 m.",
        ),
        (
            _say(0.6, 0.7, 0.8, better=True),
            "model does not beat b2, which sees no image, nor 2 other baselines: "
            "ade 0.500 m against 0.800 m.",
        ),
        (
            _say(0.9, None, model=Score("model", 0.5, 5, 9)),
            "model beats every baseline, the best of which is b0: "
            "ade 0.500 m over 5 of 9 samples against 0.900 m.",
        ),
        (
            _say(0.9, model=Score("model", None, 0, 9)),
            "model has no figure for ade, so it beats nothing.",
        ),
        (
            _say(None),
            "No baseline has a figure for ade, so nothing tells what model adds to the numbers in "
            "the prompt.",
        ),
    ],
)
def test_a_model_is_judged_by_the_best_baseline(said: str, expected: str) -> None:
    assert said == expected


def _result(name: str, figure: str, value: float | None) -> Mapping[str, Any]:
    metric = {"higher_is_better": False, "figures": {figure: value}, "units": {figure: "m"}}
    return {"metrics": {name: metric} if value is not None else {}, "read": 9, "asked": 9}


def _run(name: str, role: Role) -> Run:
    return Run(name, "", [], role)


def test_only_models_are_judged_and_only_by_baselines() -> None:
    runs = [_run("m", "model"), _run("echo", "truth"), _run("cv", "baseline"), _run("n", "model")]
    results = [_result("l2_stp3", "avg", value) for value in (0.5, 0.0, 0.6, None)]
    assert verdicts(runs, results) == [
        "m beats every baseline, the best of which is cv: l2_stp3 avg 0.500 m against 0.600 m.",
        "n has no figure for l2_stp3 avg, so it beats nothing.",
    ]
    assert verdicts(runs[1:3], results[1:3]) == []


def test_a_question_without_a_headline_has_no_verdict() -> None:
    assert verdicts([_run("m", "model")], [_result("cider", "score", 0.5)]) == []
    assert verdicts([_run("m", "model")], [_result("l2_stp3", "avg", None)]) == []
