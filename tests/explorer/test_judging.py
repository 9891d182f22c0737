import math

import pytest

from impromptu.explorer.judging import judge, read_path

TRUE = "[1, 0], [2, 0], [3, 0], [4, 0], [5, 0], [6, 0]"


def test_waypoints_have_the_mean_distance_to_the_true_ones() -> None:
    assert judge("planning", TRUE, TRUE) == ("path", 0.0)
    off = "[1, 3], [2, 3], [3, 3], [4, 0], [5, 0], [6, 0]"
    assert judge("planning", TRUE, off) == ("path", 1.5)


@pytest.mark.parametrize(
    ("task", "true", "predicted", "state"),
    [
        ("q6", "KEEP,STRAIGHT", "<SPEED PATH PLAN>keep, straight</SPEED PATH PLAN>", "right"),
        ("q6", "KEEP,STRAIGHT", "STOP,STRAIGHT", "wrong"),
        ("q6", "KEEP,STRAIGHT", "", "unreadable"),
        ("planning", TRUE, "[1, 0]", "unreadable"),
        ("planning", "", TRUE, "unjudged"),
        ("q5", "A street.", "A road.", "unjudged"),
        ("", "anything", "else", "unjudged"),
    ],
)
def test_verdicts(task: str, true: str, predicted: str, state: str) -> None:
    assert judge(task, true, predicted) == (state, None)


def test_an_error_beyond_all_numbers_is_infinite() -> None:
    wild = TRUE.replace("[1, 0]", "[9e307, -9e307]").replace("[2, 0]", "[9e307, 9e307]")
    state, error_m = judge("planning", TRUE, wild)
    assert state == "path"
    assert error_m is not None and math.isinf(error_m)


def test_only_paths_are_read_as_paths() -> None:
    path = read_path("planning", TRUE)
    assert path is not None and path.xy_m[:, 0].tolist() == [1, 2, 3, 4, 5, 6]
    assert (
        read_path("planning", "left")
        is read_path("q6", "KEEP,STRAIGHT")
        is read_path("", TRUE)
        is None
    )
