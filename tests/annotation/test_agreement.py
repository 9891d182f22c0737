"""Agreement, worked out by hand and against other implementations."""

from collections import Counter

import numpy as np
import pytest

from impromptu.annotation.agreement import Pairs, cohens_kappa, most_agreed, token_f1


@pytest.mark.parametrize(
    ("one", "other", "f1"),
    [
        ("The light is red.", "the LIGHT, is red", 1.0),
        ("the light is red", "a truck has stopped", 0.0),
        ("the light is red", "the light is green", 0.75),  # 3 of 4 and 3 of 4
        ("red", "the light is red", 0.4),  # 1 of 1 and 1 of 4
        ("red red red", "red", 0.5),  # 1 of 3 and 1 of 1: a word counts as often as both have it
        ("", "", 1.0),
        ("", "red", 0.0),
    ],
)
def test_token_f1_by_hand(one: str, other: str, f1: float) -> None:
    assert token_f1(one, other) == token_f1(other, one) == pytest.approx(f1)


def test_kappa_by_hand() -> None:
    """Cohen's own kind of table: of 50, 20 + 15 equal; chance 0.5 * 0.6 + 0.5 * 0.4 = 0.5."""
    said = Counter({("yes", "yes"): 20, ("yes", "no"): 5, ("no", "yes"): 10, ("no", "no"): 15})
    assert cohens_kappa(said) == pytest.approx((0.7 - 0.5) / (1 - 0.5))


@pytest.mark.parametrize("seed", range(5))
def test_kappa_is_that_of_scikit_learn(seed: int) -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="needs scikit-learn")
    rng = np.random.default_rng(seed)
    first = rng.choice(["Red", "Green", "None"], 200, p=[0.2, 0.3, 0.5])
    second = np.where(rng.random(200) < 0.6, first, rng.choice(["Red", "Yellow"], 200))
    said = Counter(zip(first.tolist(), second.tolist(), strict=True))
    assert cohens_kappa(said) == pytest.approx(metrics.cohen_kappa_score(first, second), abs=1e-12)


def test_kappa_needs_more_than_one_word() -> None:
    assert cohens_kappa(Counter({("None", "None"): 9})) is None
    assert cohens_kappa(Counter({("None", "None"): 9, ("None", "Red"): 1})) == 0.0


def test_words_are_decided_by_the_majority_and_texts_by_their_middle() -> None:
    assert most_agreed("q4", ["Red", "Green", "Green"]) == "Green"
    assert most_agreed("q4", ["Red", "Green"]) == "Red"
    middle = "the light is red"
    assert most_agreed("q3", ["the light is", middle, "light is red now and bright"]) == middle


def test_figures_have_names_and_none_where_there_is_nothing() -> None:
    lights, texts = Pairs("q4"), Pairs("q3")
    assert texts.figures() == {"pairs": 0, "token_f1": None}
    lights.add_all(["Red", "Red", "Green"])
    assert lights.figures() == {
        "pairs": 3,
        "equal_rate": pytest.approx(1 / 3),
        "cohens_kappa": pytest.approx(0.0),
    }
    texts.add("the light is red", "the light is green")
    assert texts.figures() == {"pairs": 1, "token_f1": 0.75}
