"""Better, worse, tied, or nothing to compare with: each in words."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from impromptu.answer_files import join
from impromptu.answer_pairs import Pair
from impromptu.evaluation import Options, evaluate
from impromptu.files import write_json_list
from impromptu.report import Role, Run, sample_files
from impromptu.report.verdict import Rival, Trial, verdict, verdicts


def _say(*values: float, better: bool = False, model: float = 0.5, read: int = 9) -> str:
    rivals = [Rival(f"b{row}", value, model, read) for row, value in enumerate(values)]
    return verdict(Trial("model", read, 9, rivals, "ade", "m", better))


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
            _say(0.9, read=5),
            "model left 4 of 9 samples without a readable answer, so it beats nothing as a whole; "
            "where it answered it is ahead of every baseline, the best of which is b0: "
            "ade 0.500 m against 0.900 m, "
            "on the 5 of 9 samples that both answered.",
        ),
        (
            _say(0.4, read=5),
            "model does not beat b0, which sees no image: ade 0.500 m against 0.400 m, "
            "on the 5 of 9 samples that both answered.",
        ),
        (
            _say(),
            "No baseline has a figure for ade, so nothing tells what model adds to the numbers in "
            "the prompt.",
        ),
    ],
)
def test_a_model_is_judged_by_the_best_baseline(said: str, expected: str) -> None:
    assert said == expected


FAR, NEAR = (", ".join(f"[{step * k}, 0]" for k in range(1, 7)) for step in (10, 0))


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Run]:
    """A run on two samples: of one the car goes 10 m a step, of the other it stands."""
    rows = [
        {
            "id": name,
            "images": [],
            "messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": true}],
        }
        for name, true in (("far", FAR), ("near", NEAR))
    ]
    write_json_list(tmp_path / "t.json", rows)

    def run(name: str, role: Role, far: str, near: str) -> Run:
        told = tmp_path / f"{name}.jsonl"
        lines = [{"id": "far", "predict": far}, {"id": "near", "predict": near}]
        told.write_text("\n".join(map(json.dumps, lines)))
        joined = join(Pair("planning", tmp_path / "t.json", told))
        return Run(name, "", [evaluate(joined, Options(resamples=0))], role)

    return run


def _verdicts(*runs: Run) -> list[str]:
    (file,) = sample_files(runs)
    return verdicts(file)


def test_only_models_are_judged_and_only_by_baselines(make: Callable[..., Run]) -> None:
    still = make("still", "baseline", NEAR, NEAR)
    runs = [
        make("m", "model", FAR, NEAR),
        make("echo", "truth", FAR, NEAR),
        still,
        make("n", "model", "?", "?"),
    ]
    # Standing still where the car goes 10 m a step is off by 15, 25, 35 m, by 25 on average.
    assert _verdicts(*runs) == [
        "m beats every baseline, the best of which is still: l2_stp3 avg 0.000 m against 12.500 m.",
        "n has no figure for l2_stp3 avg, so it beats nothing.",
    ]
    assert _verdicts(*runs[1:3]) == []


def test_answering_the_easy_samples_alone_beats_nothing(make: Callable[..., Run]) -> None:
    still = make("still", "baseline", NEAR, NEAR)
    assert _verdicts(make("m", "model", "garbage", NEAR), still) == [
        "m does not beat still, which sees no image: l2_stp3 avg 0.000 m against 0.000 m, "
        "on the 1 of 2 samples that both answered."
    ]
    (said,) = _verdicts(make("m", "model", FAR, "garbage"), still)
    assert said.startswith("m left 1 of 2 samples without a readable answer, so it beats nothing ")


def test_a_baseline_that_answers_less_is_met_on_what_it_answers(make: Callable[..., Run]) -> None:
    runs = make("m", "model", NEAR, NEAR), make("b", "baseline", "?", NEAR)
    assert _verdicts(*runs) == [
        "m does not beat b, which sees no image: l2_stp3 avg 0.000 m against 0.000 m, "
        "on the 1 of 2 samples that both answered."
    ]
    assert "No baseline has a figure" in _verdicts(runs[0], make("b", "baseline", "?", "?"))[0]


def test_a_question_without_a_headline_has_no_verdict(make: Callable[..., Run]) -> None:
    run = make("m", "model", FAR, NEAR)
    bare = replace(run.evaluations[0], sums={})
    assert _verdicts(replace(run, evaluations=[bare])) == []
