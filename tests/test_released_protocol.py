"""The published arithmetic: every expected value follows by hand from its stated rules."""

from pathlib import Path

import pytest

from impromptu import released_protocol
from impromptu.answer_files import Answer, Joined
from impromptu.answer_pairs import Pair
from impromptu.released_protocol import intentions, plan, road_users, traffic_light, waypoints

ONE = "Yes, I see a PEDESTRIAN located 16 meters ahead of me and 2 meters to the left."
TWO = (
    "Yes, I see a PEDESTRIAN located 5 meters ahead of me and 3 meters to the right, "
    "and an ELDERLY CYCLIST located 9 meters ahead of me and 4 meters to the left."
)
AHEAD = "Yes, I see a PEDESTRIAN located 5 meters ahead of me."
NOBODY = "No, I don't see any of them."


def points(xs: list[float], ys: list[float]) -> str:
    return ", ".join(f"[{x:.2f}, {y:.2f}]" for x, y in zip(xs, ys, strict=True))


def joined(task: str, *answers: tuple[str, str | None], names: str = "{}_val.json") -> Joined:
    pair = Pair(task, Path("gt", names.format(task)), Path("pred", names.format(task)))
    rows = tuple(Answer(f"s{k}", *answer) for k, answer in enumerate(answers))
    return Joined(pair, "id", "", rows)


@pytest.mark.parametrize(
    ("true", "predicted", "score"),
    [
        (TWO, TWO, 1.0),
        (ONE, ONE.replace("16", "3"), 1.0),  # 13 m off
        (ONE, ONE.replace("left", "right"), 1.0),
        (TWO, ONE, 2 * 1.0 * 0.5 / 1.5),
        (ONE, TWO, 2 * 0.5 * 1.0 / 1.5),
        (ONE, ONE.replace("PEDESTRIAN", "DOG"), 0.0),
        (f"{ONE} {ONE}", f"{ONE} {ONE}", 1.0),
        (f"{ONE} {ONE}", ONE, 2 * 1.0 * 0.5 / 1.5),
        (ONE, NOBODY, 0.0),
        (NOBODY, ONE, 0.0),
        (NOBODY, NOBODY, 1.0),
        (NOBODY, "qwerty", 1.0),  # no object can be read from gibberish
        (ONE, ONE + " North of it is a shop.", 0.0),  # the letters "No"
        (AHEAD, NOBODY, 1.0),  # no lateral clause: invisible
        (AHEAD, AHEAD, 1.0),
        (ONE, AHEAD, 0.0),
    ],
)
def test_road_users(true: str, predicted: str, score: float) -> None:
    assert road_users(true, predicted) == (score,)


def test_intentions_are_overlaps_over_true_objects() -> None:
    true = "Object 1: KEEP, STRAIGHT\nObject 2: KEEP, LEFT_TURN\nObject 3: STOP, STRAIGHT"
    predicted = "Object 1: KEEP, LEFT_TURN\nObject 2: STOP, STRAIGHT"
    assert intentions(true, predicted) == (2 / 3, 2 / 3, 2 / 3)
    assert intentions(true, "") == (0.0, 0.0, 0.0)


def test_listing_all_twenty_pairs_scores_one() -> None:
    speeds = ("KEEP", "ACCELERATE", "DECELERATE", "STOP")
    paths = ("STRAIGHT", "RIGHT_CHANGE", "LEFT_CHANGE", "RIGHT_TURN", "LEFT_TURN")
    pairs = [(speed, path) for speed in speeds for path in paths]
    every = "\n".join(f"Object {k}: {s}, {p}" for k, (s, p) in enumerate(pairs, 1))
    true = "Object 1: STOP, LEFT_TURN\nObject 2: KEEP, STRAIGHT"
    assert intentions(true, every) == (1.0, 1.0, 1.0)


def test_intentions_without_true_objects_score_one_whatever_is_said() -> None:
    assert intentions("", "Object 1: KEEP, STRAIGHT") == (1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("true", "predicted", "score"),
    [
        ("Green", "Green", 1.0),
        ("Green", "The light is Green.", 1.0),
        ("Green", "None of the lights is Red, it is Green", 0.0),
        ("None", "None of the lights is Red, it is Green", 1.0),
        ("Red", "Not Red, it is Green", 1.0),
        ("Green", "green", 0.0),
    ],
)
def test_traffic_light(true: str, predicted: str, score: float) -> None:
    assert traffic_light(true, predicted) == (score,)


@pytest.mark.parametrize(
    ("predicted", "score"),
    [
        ("<SPEED PATH PLAN>KEEP,LEFT_TURN</SPEED PATH PLAN>", (1.0, 1.0, 1.0)),
        ("so: <SPEED PATH PLAN> KEEP , STRAIGHT\n</SPEED PATH PLAN>.", (1.0, 0.0, 0.0)),
        ("KEEP,LEFT_TURN", (0.0, 0.0, 0.0)),
        ('{"Velocity Plan": "KEEP", "Path Plan": "LEFT_TURN"}', (1.0, 1.0, 1.0)),
        ('{"Velocity Plan": "KEEP"}', (0.0, 0.0, 0.0)),
    ],
)
def test_plan(predicted: str, score: tuple[float, ...]) -> None:
    assert plan("<SPEED PATH PLAN>KEEP,LEFT_TURN</SPEED PATH PLAN>", predicted) == score


def test_untagged_true_plan_stops_with_words() -> None:
    got = released_protocol.evaluate(joined("q6", ("KEEP,STRAIGHT", "KEEP,STRAIGHT")))
    assert (got["speed"], got["path"], got["both"]) == (None, None, None)
    assert "s0: the true answer 'KEEP,STRAIGHT' has no <SPEED PATH PLAN> tags" in got["note"]


X = [float(k) for k in range(1, 11)]
Y = [0.5 * k for k in range(1, 11)]


@pytest.mark.parametrize(("across", "along"), [(1, 1), (1, -1), (-1, 1), (-1, -1)])
def test_any_mirror_image_scores_zero(across: int, along: int) -> None:
    predicted = points([along * x for x in X], [across * y for y in Y])
    assert waypoints(points(X, Y), predicted) == (0.0,) * 5
    assert waypoints(predicted, points(X, Y)) == (0.0,) * 5


def test_waypoint_errors_are_prefix_means() -> None:
    predicted = points([x + 3 * k for k, x in enumerate(X)], [y + 4 * k for k, y in enumerate(Y)])
    # Errors 0, 5, 10 ... 45 m: the mean of the first 2n is 5 (2n - 1) / 2.
    assert waypoints(points(X, Y), predicted) == pytest.approx((2.5, 7.5, 12.5, 17.5, 22.5))


def test_nine_points_repeat_the_last_and_eleven_lose_it() -> None:
    true = points(X, [0.0] * 10)
    # The tenth is then 1 m short: nothing up to 4 s, a tenth of a metre up to 5 s.
    assert waypoints(true, points(X[:9], [0.0] * 9)) == pytest.approx((0, 0, 0, 0, 0.1))
    assert waypoints(true, points([*X, 99.0], [0.0] * 11)) == (0.0,) * 5


@pytest.mark.parametrize("predicted", ["", "[1, 2]", points(X[:8], X[:8])])
def test_fewer_points_stand_still(predicted: str) -> None:
    got = waypoints(points(X, [0.0] * 10), predicted)
    assert got == pytest.approx((1.5, 2.5, 3.5, 4.5, 5.5))


def test_points_without_decimals_are_dropped_unseen() -> None:
    predicted = ", ".join(f"[{k}, 0]" for k in range(1, 11))
    assert waypoints(points(X, [0.0] * 10), predicted)[4] == pytest.approx(5.5)


def test_blanks_inside_predicted_points_are_read() -> None:
    predicted = points(X, Y).replace("[", "[ ").replace(",", " ,").replace("] ,", "],")
    assert waypoints(points(X, Y), predicted) == (0.0,) * 5


def test_short_truth_stops_with_words() -> None:
    got = released_protocol.evaluate(joined("q7", (points(X[:6], Y[:6]), points(X, Y))))
    assert got["loss_1"] is None
    assert (
        "has 6 points with decimals, not 10; the published script has no result here" in got["note"]
    )


def test_a_distance_that_overflows_has_no_figure() -> None:
    far = f"[{'9' * 200}.0, 0.0]"
    predicted = points(X[:9], Y[:9]) + far
    got = released_protocol.evaluate(joined("q7", (points(X, Y), predicted)))
    assert got["loss_1"] is None
    assert "too far away" in got["note"]


def test_result_has_the_published_keys_and_says_what_it_is() -> None:
    got = released_protocol.evaluate(joined("q4", ("Red", "Red"), ("Red", "Green"), ("Red", None)))
    assert (got["q"], got["accuray"], got["cnt"], got["asked"]) == ("q4", 0.5, 2, 3)
    assert got["filepath"] == "pred/q4_val.json"
    assert got["protocol"] == "released"
    assert "faults included" in got["forgives"]
    assert [line.split(",")[0] for line in got["differs"][1:3]] == [
        "it passes over q4_val.json"
    ] * 2
    assert "1 samples have no answer" in got["differs"][-1]
    assert not got["note"]


def test_names_it_reads_are_not_said_to_be_passed_over() -> None:
    got = released_protocol.evaluate(joined("q4", ("Red", "Red"), names="{}_val"))
    assert got["differs"] == [
        "it pairs the files of two folders by sorted position, not by name",
        "it joins by line; these answers were joined by id",
    ]


def test_waypoint_result_has_a_loss_for_each_second() -> None:
    got = released_protocol.evaluate(joined("q7", (points(X, Y), points(X, Y))))
    assert [got[f"loss_{s}"] for s in range(1, 6)] == [0.0] * 5
    assert got["pred_path"] == "pred/q7_val.json"


def test_means_add_from_left_to_right() -> None:
    # Correctly rounded, 0.1 ten times is 1; added one after the other it is a last bit less.
    assert released_protocol._mean([0.1] * 10) == 0.09999999999999999


def test_no_prediction_has_no_figure() -> None:
    got = released_protocol.evaluate(joined("q4", ("Red", None)))
    assert (got["accuray"], got["cnt"], got["note"]) == (None, 0, "no prediction to score")


def test_other_tasks_are_refused() -> None:
    with pytest.raises(LookupError, match="q1, q2, q4, q6, q7, not planning"):
        released_protocol.evaluate(joined("planning", ("", "")))
