"""Scores and averages by hand."""

import pytest

from impromptu.closed_loop import scores
from impromptu.closed_loop.scores import Outcome


def outcome(
    scenario: str, run: int, score: float, asked: int = 10, unreadable: int | None = 0
) -> Outcome:
    return Outcome(scenario, run, score, score < 5, asked, unreadable, "trace")


@pytest.mark.parametrize(
    ("impact", "reference", "score"),
    [(None, 8.0, 5.0), (2.0, 8.0, 3.0), (8.0, 8.0, 0.0), (9.0, 8.0, 0.0), (3.0, 0.0, 0.0)],
)
def test_a_score(impact: float | None, reference: float, score: float) -> None:
    assert scores.score(impact, reference) == score


RUNS = [
    *(outcome("stationary-0099", k, value) for k, value in enumerate([5.0, 5.0, 2.0, 0.0])),
    outcome("stationary-0101", 0, 1.0),
    outcome("frontal-0103", 0, 2.0),
    outcome("side-0103", 0, 4.0),
    outcome("side-0103", 1, 5.0),
]


def test_means_are_of_runs_then_scenarios_then_categories() -> None:
    figures = scores.summarise(RUNS, 0, 0).figures
    assert figures["score", "stationary-0099"].value == 3.0
    assert figures["score", "stationary"].value == 2.0
    assert figures["score", "mean"].value == pytest.approx((2 + 2 + 4.5) / 3)
    assert figures["score", "mean_10_5_5"].value == pytest.approx((2 * 2 + 2 + 4.5) / 4)
    assert figures["collision_rate", "stationary"].value == pytest.approx((0.5 + 1) / 2)
    assert figures["score", "mean"].runs == len(RUNS)
    assert figures["score", "mean"].interval is None


def test_a_mean_of_categories_needs_all_three() -> None:
    rows = {row for _, row in scores.summarise(RUNS[:6], 10, 0).figures}
    assert rows == {"stationary-0099", "stationary-0101", "frontal-0103", "stationary", "frontal"}


def test_an_interval_is_over_runs_of_each_scenario() -> None:
    even = [outcome("side-0103", k, 5.0 * (k % 2)) for k in range(100)]
    figure = scores.summarise(even, 2000, 1).figures["score", "side"]
    assert figure.interval is not None
    # a binomial of 100 draws: 2.5 +- 1.96 * 0.25
    assert figure.interval == pytest.approx((2.0, 3.0), abs=0.1)
    alike = scores.summarise(RUNS[4:6] * 2, 100, 0).figures["score", "stationary"]
    assert alike.interval == (1.0, 1.0)


def test_one_run_of_a_scenario_tells_nothing_of_other_seeds() -> None:
    figures = scores.summarise(RUNS, 100, 0).figures
    assert figures["score", "stationary-0099"].interval is not None
    assert figures["score", "stationary-0101"].interval is None
    assert figures["score", "stationary"].interval is None
    assert figures["score", "mean"].interval is None
    assert figures["score", "side"].interval is not None


def test_unreadable_plans_are_counted_over_those_told() -> None:
    told = [outcome("side-0103", 0, 5.0, 8, 2), outcome("side-0103", 1, 5.0, 0, None)]
    assert scores.summarise(told, 0, 0).parse_failure_rate == 0.25
    assert scores.summarise(told[1:], 0, 0).parse_failure_rate is None


def test_what_is_missing() -> None:
    assert scores.missing(RUNS, ["frontal-0103", "side-0103"], 2) == [("frontal-0103", 1)]
