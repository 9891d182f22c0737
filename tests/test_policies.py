"""What each policy makes of answers that cannot be read."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from impromptu.answer_files import Answer, Joined
from impromptu.answer_pairs import Pair
from impromptu.evaluation import Options, evaluate
from impromptu.policies import CONVENTIONS, fill
from impromptu.questions.nuscenes_planning import QUESTION as PLANNING
from impromptu.questions.trajectory import QUESTION as Q7

PROMPT = "<image>(t-0.5s) [-3.0, 0.0], (t-0.0s) [0.0, 0.0], Velocity: X 6.0, Y 1.0 m/s"
TRUE = "[3.0, 0.0], [6.0, 0.0], [9.0, 0.0], [12.0, 0.0], [15.0, 0.0], [18.0, 0.0]"
STANDING = ", ".join(["[0.0, 0.0]"] * 6)


def filled(policy: str, text: str | None, prompt: str = PROMPT) -> list[list[float]] | None:
    (path,) = fill(policy, [Answer("n/s/k/planning", TRUE, text, prompt)], PLANNING)
    return None if path is None else path.xy_m.tolist()


def policies(*answers: tuple[str, str | None], prompt: str = PROMPT) -> dict[str, Any]:
    rows = tuple(Answer(f"n/s/{k}/planning", *pair, prompt) for k, pair in enumerate(answers))
    joined = Joined(Pair("planning", Path("g"), Path("p")), "id", "", rows)
    return dict(evaluate(joined, Options(resamples=0)).to_json()["policies"])


def test_excluded_answers_stay_out() -> None:
    assert filled("exclude", "[1, 2]") is None


def test_zeros_stand_still() -> None:
    assert filled("zeros", "[1, 2], [3, 4]") == [[0, 0]] * 6


@pytest.mark.parametrize(
    ("text", "points"),
    [
        ("[1, 2], [3, 4]", [[1, 2], *[[3, 4]] * 5]),
        ("<PLANNING>[1, 2] and then I stop", [[1, 2]] * 6),
        (f"{TRUE}, [99, 99]", [[3.0 * k, 0] for k in range(1, 7)]),
        ("no idea", [[0, 0]] * 6),
        ("", [[0, 0]] * 6),
        (None, [[0, 0]] * 6),
        ("[nan, 0], [inf, 1], [1e999, 1], [2, 1]", [[2, 1]] * 6),
        ("]1, 2[, (3, 4)", [[0, 0]] * 6),
    ],
)
def test_the_last_point_is_repeated(text: str | None, points: list[list[float]]) -> None:
    assert filled("last_point", text) == points


def test_constant_velocity_goes_on_as_the_prompt_tells() -> None:
    want = [[3.0 * k, 0.5 * k] for k in range(1, 7)]
    assert filled("constant_velocity", "no idea") == want
    assert filled("constant_velocity", "no idea", prompt="<image>Where to?") is None


def test_all_are_shown_side_by_side_with_their_counts() -> None:
    off = TRUE.replace("0.0]", "1.0]")  # 1 m off at every step
    got = policies((TRUE, off), (TRUE, "no idea"), (TRUE, None))
    assert list(got) == list(CONVENTIONS)
    ade = {name: one["figures"]["ade_fde"]["ade"] for name, one in got.items()}
    # Standing still is 3 ... 18 m off, 10.5 on average; 1 m/s to the left 0.5 ... 3 m, 1.75.
    assert ade == pytest.approx(
        {
            "exclude": 1.0,
            "zeros": (1 + 2 * 10.5) / 3,
            "last_point": (1 + 2 * 10.5) / 3,
            "constant_velocity": (1 + 2 * 1.75) / 3,
        }
    )
    counts = {name: (one["samples"], one["filled"]) for name, one in got.items()}
    assert counts == {"exclude": (1, 0)} | dict.fromkeys(list(CONVENTIONS)[1:], (3, 2))


def test_a_filled_answer_is_compared_with_its_own_truth() -> None:
    got = policies((TRUE, TRUE), (STANDING, "no idea"))
    assert got["zeros"]["figures"]["ade_fde"]["ade"] == 0


def test_without_any_readable_answer_the_others_still_have_figures() -> None:
    got = policies((TRUE, "no idea"), prompt="?")
    assert got["exclude"]["figures"] == got["constant_velocity"]["figures"] == {}
    assert got["zeros"]["figures"]["ade_fde"]["ade"] == pytest.approx(10.5)


def test_tasks_whose_answers_are_no_paths_have_no_policies() -> None:
    joined = Joined(
        Pair("q4", Path("g"), Path("p")), "id", "", (Answer("n/s/0/q4", "Red", "mauve"),)
    )
    assert evaluate(joined).to_json()["policies"] == {}


number = st.floats(-1e6, 1e6).map(lambda x: f"{x:.2f}")
scraps = st.sampled_from(
    [
        "[",
        "]",
        ",",
        " ",
        "[1",
        "2]",
        "[nan, 1]",
        "[inf, 0]",
        "[1e999, 2]",
        "][",
        "一二",
        "[x, y]",
        "0",
    ]
    + ["<PLANNING>", "</PLANNING>", "[1, 2, 3]", "(1, 2)", "\n", "１", "[٣, ٣]", "-", "[,]"]
)
garbage = st.one_of(st.text(max_size=60), st.lists(scraps, max_size=30).map("".join))
paths = st.lists(st.tuples(number, number), min_size=6, max_size=6).map(
    lambda points: ", ".join(f"[{x}, {y}]" for x, y in points)
)


@given(true=paths, said=garbage)
def test_no_garbage_beats_standing_still(true: str, said: str) -> None:
    """Text without any finite waypoint is standing still, or counts not at all."""
    finite = PLANNING.read_padded
    assert finite is not None
    if finite(said).xy_m.any():
        return
    got, still = policies((true, said), prompt=""), policies((true, STANDING), prompt="")
    floor = still["exclude"]["figures"]
    assert got["exclude"]["figures"] == got["constant_velocity"]["figures"] == {}
    assert got["zeros"]["figures"] == got["last_point"]["figures"] == floor


@given(true=paths, said=garbage)
def test_no_garbage_beats_what_stands_in_for_it(true: str, said: str) -> None:
    """Only ``last_point`` looks into an unreadable text; under the others any is like none."""
    got, empty = policies((true, said)), policies((true, ""))
    if got["exclude"]["samples"]:
        return
    for policy in ("exclude", "zeros", "constant_velocity"):
        assert got[policy] == empty[policy]


def test_a_text_of_a_hundred_kilobytes_is_read_in_no_time() -> None:
    for text in (
        "[" * 100_000,
        "[" + "1" * 100_000,
        "[1," * 33_000,
        "[ 1" + " " * 100_000,
        "一" * 99_999,
    ):
        path = filled("last_point", text)
        assert path is not None
        assert not np.any(path)


def test_ten_waypoints_are_filled_for_q7() -> None:
    (path,) = fill("last_point", [Answer("n/s/k/q7", "", "[1, 2]")], Q7)
    assert path is not None
    assert path.xy_m.tolist() == [[1, 2]] * 10
    assert path.t_s.tolist() == [k / 2 for k in range(1, 11)]
