"""light_accuracy, against counts made by hand."""

import pytest

from impromptu.metrics import light_accuracy


def test_accuracy_and_f1_by_state() -> None:
    true = ["Red", "Red", "Green", "None"]
    predicted = ["Red", "Green", "Green", "Yellow"]
    got = light_accuracy.METRIC.compare(predicted, true)
    # Two were called Green, one of them rightly; nobody was called Red but once, rightly.
    want = {"accuracy": 0.5, "macro_f1": 1 / 3}
    want |= {"Red_precision": 1.0, "Red_recall": 0.5, "Red_f1": 2 / 3, "Red_true_count": 2}
    want |= {"Green_precision": 0.5, "Green_recall": 1.0, "Green_f1": 2 / 3, "Green_true_count": 1}
    # None was never said, Yellow never true: 0 / 0 is no figure.
    assert (got.pop("None_precision"), got.pop("Yellow_recall")) == (None, None)
    want |= {"None_recall": 0.0, "None_f1": 0.0, "None_true_count": 1}
    want |= {"Yellow_precision": 0.0, "Yellow_f1": 0.0, "Yellow_true_count": 0}
    assert got == pytest.approx(want)
    assert light_accuracy.METRIC.unit_of("Red_true_count") == "count"


def test_always_the_commonest_state_is_seen_through() -> None:
    true = ["None"] * 9 + ["Red"]
    got = light_accuracy.METRIC.compare(["None"] * 10, true)
    assert got["accuracy"] == 0.9
    assert got["macro_f1"] == pytest.approx((18 / 19) / 2)


def test_the_truth_repeated_scores_one() -> None:
    got = light_accuracy.METRIC.compare(["Red", "None"], ["Red", "None"])
    scores = {name: value for name, value in got.items() if not name.endswith("_count")}
    assert set(scores.values()) == {1.0}
    assert {"Red_f1", "None_f1"} < set(scores)
