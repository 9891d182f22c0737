"""intention_f1, against counts made by hand."""

import itertools

import pytest

from impromptu.clip import MetaAction, PathWord, SpeedWord
from impromptu.metrics import intention_f1

SPEEDS: tuple[SpeedWord, ...] = ("KEEP", "ACCELERATE", "DECELERATE", "STOP")
PATHS: tuple[PathWord, ...] = (
    "STRAIGHT",
    "RIGHT_CHANGE",
    "LEFT_CHANGE",
    "RIGHT_TURN",
    "LEFT_TURN",
)
KEEP, STOP = MetaAction("KEEP", "STRAIGHT"), MetaAction("STOP", "STRAIGHT")
TURN = MetaAction("KEEP", "LEFT_TURN")


def test_misses_and_false_objects_count() -> None:
    true = [{1: KEEP, 2: STOP}, {1: TURN}]
    predicted = [{1: KEEP, 3: STOP}, {1: KEEP, 2: KEEP}]
    got = intention_f1.METRIC.compare(predicted, true)
    # Three true objects, four told. Speed: both objects 1 right; path and both: one of them.
    want = {"speed_precision": 2 / 4, "speed_recall": 2 / 3, "speed_f1": 4 / 7}
    for part in ("path", "both"):
        want |= {f"{part}_precision": 1 / 4, f"{part}_recall": 1 / 3, f"{part}_f1": 2 / 7}
    want |= {"predicted_count": 4, "true_count": 3}
    # KEEP: there twice, told three times, twice rightly; STOP: there once, told of another object.
    want |= {"KEEP_precision": 2 / 3, "KEEP_recall": 1.0, "KEEP_f1": 4 / 5, "STOP_f1": 0.0}
    want |= {"speed_macro_f1": (4 / 5 + 0) / 2, "LEFT_TURN_recall": 0.0}
    assert {name: got[name] for name in want} == pytest.approx(want)


def test_the_sums_are_confusion_matrices_with_misses_and_inventions() -> None:
    sums = intention_f1.METRIC.sums([{1: STOP, 3: STOP}], [{1: KEEP, 2: STOP}])
    speed = {name: column.tolist() for name, column in sums.items() if name.startswith("speed:")}
    assert speed == {"speed:>STOP": [1.0], "speed:KEEP>STOP": [1.0], "speed:STOP>": [1.0]}


def test_answers_are_aligned_by_number_not_by_order_or_content() -> None:
    got = intention_f1.METRIC.compare([{2: KEEP, 1: STOP}], [{1: KEEP, 2: STOP}])
    assert got["speed_f1"] == 0.0
    assert got["path_f1"] == 1.0


def test_listing_every_pair_costs_precision() -> None:
    every = {k: MetaAction(*pair) for k, pair in enumerate(itertools.product(SPEEDS, PATHS), 1)}
    got = intention_f1.METRIC.compare([every], [{1: STOP}])
    assert got["both_recall"] == 0.0  # object 1 is told as KEEP, STRAIGHT
    assert got["path_precision"] == 1 / 20
    assert got["path_f1"] == 2 / 21


def test_nothing_told_has_no_precision() -> None:
    got = intention_f1.METRIC.compare([{}], [{1: STOP}])
    assert got["both_precision"] is None
    assert got["both_recall"] == 0.0
    assert got["both_f1"] == 0.0
    assert intention_f1.METRIC.compare([{}], [{}])["both_f1"] is None


def test_the_truth_repeated_scores_one() -> None:
    true = [{1: KEEP, 2: STOP}, {1: TURN}]
    got = intention_f1.METRIC.compare(true, true)
    assert {v for name, v in got.items() if not name.endswith("_count")} == {1.0}
