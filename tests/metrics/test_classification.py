"""Accuracy, precision, recall and F1 from sums, against scikit-learn."""

import warnings

import numpy as np
import pytest

from impromptu.clip import MetaAction
from impromptu.meta_actions import PATH_WORDS, SPEED_WORDS
from impromptu.metrics import intention_f1, light_accuracy, plan_accuracy

LIGHTS = ("Red", "Green", "Yellow", "None")


@pytest.mark.parametrize("seed", range(5))
def test_scores_agree_with_scikit_learn(seed: int) -> None:
    sklearn = pytest.importorskip("sklearn.metrics", reason="needs the oracles extra: scikit-learn")
    rng = np.random.default_rng(seed)
    true, told = ([LIGHTS[k] for k in rng.integers(0, 4, 30)] for _ in range(2))
    got = light_accuracy.METRIC.compare(told, true)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes that do not occur
        scores = sklearn.precision_recall_fscore_support(true, told, labels=LIGHTS)
        macro = sklearn.f1_score(true, told, average="macro")
    assert got["accuracy"] == pytest.approx(sklearn.accuracy_score(true, told))
    assert got["macro_f1"] == pytest.approx(macro)
    for light, *want in zip(LIGHTS, *scores, strict=True):
        names = (f"{light}_{name}" for name in ("precision", "recall", "f1", "true_count"))
        assert [got.get(name) or 0 for name in names] == pytest.approx(want)


def test_macro_f1_of_both_words_agrees_with_scikit_learn() -> None:
    sklearn = pytest.importorskip("sklearn.metrics", reason="needs the oracles extra: scikit-learn")
    rng = np.random.default_rng(0)

    def actions() -> list[MetaAction]:
        words = zip(rng.integers(0, 4, 60), rng.integers(0, 5, 60), strict=True)
        return [MetaAction(SPEED_WORDS[s], PATH_WORDS[p]) for s, p in words]

    true, told = actions(), actions()
    got = plan_accuracy.METRIC.compare(told, true)
    both = [[f"{action.speed},{action.path}" for action in side] for side in (true, told)]
    assert got["both_macro_f1"] == pytest.approx(sklearn.f1_score(*both, average="macro"))
    assert got["both"] == pytest.approx(sklearn.accuracy_score(*both))
    # One object a sample, always told: intentions score as plans do.
    objects = intention_f1.METRIC.compare(
        [{1: action} for action in told], [{1: action} for action in true]
    )
    assert objects["speed_macro_f1"] == pytest.approx(got["speed_macro_f1"])
    assert objects["both_f1"] == pytest.approx(got["both"])
    assert objects["LEFT_TURN_f1"] == pytest.approx(got["LEFT_TURN_f1"])
