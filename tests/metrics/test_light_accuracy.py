"""light_accuracy, against counts made by hand."""

import pytest

from impromptu.metrics import light_accuracy


def test_accuracy_and_f1_by_state() -> None:
    true = ["Red", "Red", "Green", "None"]
    predicted = ["Red", "Green", "Green", "Yellow"]
    got = light_accuracy.compare(predicted, true)
    # Red 2*1/(2+1), Green 2*1/(1+2), None 0/(1+0), Yellow, never true, 0/(0+1).
    f1 = {"Red_f1": 2 / 3, "Green_f1": 2 / 3, "None_f1": 0.0, "Yellow_f1": 0.0}
    counts = {"Red": 2, "Green": 1, "None": 1, "Yellow": 0}
    want = {"accuracy": 0.5, "macro_f1": 1 / 3} | f1
    assert got == pytest.approx(want | {f"{s}_true_count": n for s, n in counts.items()})
    assert light_accuracy.METRIC.unit_of("Red_true_count") == "count"


def test_always_the_commonest_state_is_seen_through() -> None:
    true = ["None"] * 9 + ["Red"]
    got = light_accuracy.compare(["None"] * 10, true)
    assert got["accuracy"] == 0.9
    assert got["macro_f1"] == pytest.approx((18 / 19) / 2)


def test_the_truth_repeated_scores_one() -> None:
    got = light_accuracy.compare(["Red", "None"], ["Red", "None"])
    assert {name: v for name, v in got.items() if not name.endswith("_count")} == {
        "accuracy": 1.0,
        "macro_f1": 1.0,
        "Red_f1": 1.0,
        "None_f1": 1.0,
    }
