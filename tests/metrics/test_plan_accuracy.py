"""plan_accuracy, against counts made by hand."""

import pytest

from impromptu.clip import MetaAction
from impromptu.metrics import plan_accuracy

KEEP, STOP = MetaAction("KEEP", "STRAIGHT"), MetaAction("STOP", "STRAIGHT")
TURN = MetaAction("KEEP", "LEFT_TURN")


def test_speed_path_and_both_are_counted_apart() -> None:
    true = [KEEP, KEEP, STOP, TURN]
    predicted = [KEEP, STOP, STOP, KEEP]
    got = plan_accuracy.compare(predicted, true)
    # Speed: 3 of 4; KEEP 2*2/(3+2), STOP 2*1/(1+2). Path: STRAIGHT 2*3/(3+4), LEFT_TURN 0/1.
    # Both: KEEP 2*1/(2+2), STOP 2*1/(1+2), TURN 0/1; two of four are right.
    want = {"speed": 0.75, "path": 0.75, "both": 0.5}
    want |= {"speed_macro_f1": (4 / 5 + 2 / 3) / 2, "path_macro_f1": (6 / 7) / 2}
    assert got == pytest.approx(want | {"both_macro_f1": (1 / 2 + 2 / 3) / 3})


def test_the_truth_repeated_scores_one() -> None:
    true = [KEEP, STOP, TURN]
    assert set(plan_accuracy.compare(true, true).values()) == {1.0}
