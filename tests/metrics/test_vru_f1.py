"""vru_f1, against matchings found by hand or by trying them all."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impromptu.metrics import vru_f1
from impromptu.questions.vulnerable_road_users import Sighting

sightings = st.lists(
    st.builds(
        Sighting,
        category=st.sampled_from(["pedestrian", "cyclist"]),
        ahead_m=st.integers(0, 6).map(float),
        left_m=st.one_of(st.none(), st.integers(-4, 4).map(float)),
    ),
    max_size=4,
)


def at(ahead_m: float, left_m: float | None, category: str = "pedestrian") -> Sighting:
    return Sighting(category, ahead_m, left_m)


def test_right_class_far_off_is_no_match() -> None:
    got = vru_f1.METRIC.compare([[at(3, 2)]], [[at(16, 2)]])
    assert (got["precision"], got["recall"], got["f1"]) == (0.0, 0.0, 0.0)
    assert got["presence_accuracy"] == 1.0


def test_tolerance_is_two_metres_on_the_ground() -> None:
    assert len(vru_f1.matched([at(10, 3)], [at(12, 3)])) == 1
    assert len(vru_f1.matched([at(10, 3)], [at(11, 5)])) == 0  # sqrt(5) m


def test_left_is_not_right() -> None:
    assert len(vru_f1.matched([at(10, 3)], [at(10, -3)])) == 0


def test_one_straight_ahead_is_seen() -> None:
    assert len(vru_f1.matched([at(10, None)], [at(10, None)])) == 1
    assert len(vru_f1.matched([at(10, None)], [at(10, -2)])) == 1
    assert len(vru_f1.matched([at(10, None)], [at(10, 3)])) == 0
    got = vru_f1.METRIC.compare([[]], [[at(10, None)]])
    assert (got["recall"], got["presence_accuracy"]) == (0.0, 0.0)


def test_classes_match_but_for_capitals() -> None:
    assert len(vru_f1.matched([at(5, 0, "Cyclist")], [at(5, 0, "CYCLIST")])) == 1
    assert len(vru_f1.matched([at(5, 0, "cyclist")], [at(5, 0, "pedestrian")])) == 0


def test_nearest_first_would_lose_a_match() -> None:
    # True at 10 and 12. A prediction at 11.1 is nearer to 12, but one at 13 can only take 12.
    assert len(vru_f1.matched([at(11.1, 0), at(13, 0)], [at(10, 0), at(12, 0)])) == 2


def test_counts_are_summed_over_samples() -> None:
    predicted = [[at(5, 0), at(5, 0)], [at(8, 3)], []]
    true = [[at(5, 0)], [at(8, 3), at(9, -3)], []]
    got = vru_f1.METRIC.compare(predicted, true)
    # Two matches of three told and three there: a crowd of five at one spot cannot be one match.
    want = {"precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3, "presence_accuracy": 1.0}
    want |= {"matched_count": 2, "predicted_count": 3, "true_count": 3}
    assert {name: got[name] for name in want} == pytest.approx(want)


def test_classes_and_distance_bands_have_scores_of_their_own() -> None:
    predicted = [[at(5, 0), at(11, 3, "cyclist"), at(2, 0, "unicorn")]]
    true = [[at(4, 0), at(11, 3, "cyclist"), at(19, 0)]]
    got = vru_f1.METRIC.compare(predicted, true)
    # One of two pedestrians was found, all that were told are right; what is never there is other.
    assert (got["pedestrian_recall"], got["pedestrian_precision"]) == (0.5, 1.0)
    assert (got["cyclist_f1"], got["other_precision"]) == (1.0, 0.0)
    # The match of 5 m with 4 m joins two bands: found in one, rightly told in the other.
    assert (got["0_to_5m_recall"], got["0_to_5m_precision"]) == (1.0, 0.0)
    assert (got["5_to_10m_recall"], got["5_to_10m_precision"]) == (None, 1.0)
    assert (got["15_to_20m_recall"], got["10_to_15m_f1"]) == (0.0, 1.0)
    both = {vru_f1.METRIC.compare(predicted * 9, true * 9)[f"{g}_f1"] for g in ("cyclist", "other")}
    assert both == {1.0, 0.0}


def test_a_thousand_invented_classes_are_one() -> None:
    predicted = [[at(5, 0, "x" * k)] for k in range(1, 1000)]
    sums = vru_f1.METRIC.sums(predicted, [[at(5, 0)]] * 999)
    assert {name.partition(":")[0] for name in sums if ":" in name} == {
        "other",
        "pedestrian",
        "5_to_10m",
    }


def test_nobody_anywhere_leaves_f1_undefined() -> None:
    got = vru_f1.METRIC.compare([[], []], [[], []])
    assert (got["precision"], got["recall"], got["f1"]) == (None, None, None)
    assert got["presence_accuracy"] == 1.0


@given(sightings)
def test_the_truth_repeated_scores_one(true: list[Sighting]) -> None:
    assert len(vru_f1.matched(true, true)) == len(true)


@given(sightings, sightings)
def test_matches_are_as_many_as_any_assignment_gives(
    predicted: list[Sighting], true: list[Sighting]
) -> None:
    def fits(p: Sighting, t: Sighting) -> bool:
        ahead_m, left_m = p.ahead_m - t.ahead_m, (p.left_m or 0) - (t.left_m or 0)
        return p.category == t.category and ahead_m**2 + left_m**2 <= vru_f1.TOLERANCE_M**2

    few, many = sorted((predicted, true), key=len)
    best = max(
        sum(fits(p, t) for p, t in zip(few, order, strict=True))
        for order in itertools.permutations(many, len(few))
    )
    found = vru_f1.matched(predicted, true)
    assert len(found) == len(vru_f1.matched(true, predicted)) == best
    assert len({row for row, _ in found}) == len({column for _, column in found}) == best
    assert all(fits(predicted[row], true[column]) for row, column in found)
