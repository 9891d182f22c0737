"""plan_accuracy, against counts made by hand."""

import pytest

from impromptu.clip import MetaAction
from impromptu.metrics import plan_accuracy

KEEP, STOP = MetaAction("KEEP", "STRAIGHT"), MetaAction("STOP", "STRAIGHT")
TURN = MetaAction("KEEP", "LEFT_TURN")


def test_speed_path_and_both_are_counted_apart() -> None:
    true = [KEEP, KEEP, STOP, TURN]
    predicted = [KEEP, STOP, STOP, KEEP]
    got = plan_accuracy.METRIC.compare(predicted, true)
    # Speed: 3 of 4; KEEP 2*2/(3+2), STOP 2*1/(1+2). Path: STRAIGHT 2*3/(3+4), LEFT_TURN 0/1.
    # Both: KEEP 2*1/(2+2), STOP 2*1/(1+2), TURN 0/1; two of four are right.
    want = {"speed": 0.75, "path": 0.75, "both": 0.5}
    want |= {"speed_macro_f1": (4 / 5 + 2 / 3) / 2, "path_macro_f1": (6 / 7) / 2}
    want |= {"both_macro_f1": (1 / 2 + 2 / 3) / 3}
    want |= {"STOP_precision": 0.5, "STOP_recall": 1.0, "STOP_true_count": 1}
    want |= {"STRAIGHT_precision": 0.75, "STRAIGHT_recall": 1.0, "LEFT_TURN_recall": 0.0}
    assert {name: got[name] for name in want} == pytest.approx(want)


def test_the_truth_repeated_scores_one() -> None:
    true = [KEEP, STOP, TURN]
    got = plan_accuracy.METRIC.compare(true, true)
    assert {v for name, v in got.items() if not name.endswith("_count")} == {1.0}


def test_the_sums_are_a_confusion_matrix_and_shards_of_it_add_up() -> None:
    true, predicted = [KEEP, KEEP, STOP, TURN], [KEEP, STOP, STOP, KEEP]
    sums = plan_accuracy.METRIC.sums(predicted, true)
    totals = {name: column.sum() for name, column in sums.items() if name.startswith("speed:")}
    assert totals == {"speed:KEEP>KEEP": 2, "speed:KEEP>STOP": 1, "speed:STOP>STOP": 1}
    # Two shards, one a row of an array.
    halves = {name: column.reshape(2, 2).sum(axis=1) for name, column in sums.items()}
    figures = plan_accuracy.METRIC.figures(halves)
    for row, part in enumerate((slice(0, 2), slice(2, 4))):
        alone = plan_accuracy.METRIC.compare(predicted[part], true[part])
        for name in ("speed", "path", "both", "speed_macro_f1", "STOP_f1"):
            assert figures[name][row] == pytest.approx(alone[name])
