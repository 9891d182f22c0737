import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from impromptu.clip import Clip, EgoStatus, Observation, Trajectory
from impromptu.preset import STRICT
from impromptu.questions import AnswerError, trajectory
from impromptu.wording import Wording, load_wording

WORDING = load_wording(None, STRICT)
BARE = Wording({**WORDING.templates, "q7.prompt": "{history}|{history_s}"})
T_S = 0.5 * np.arange(1, 11)
meters = st.floats(-1e5, 1e5)


def _observation(*statuses: EgoStatus | None) -> Observation:
    past = Trajectory(
        np.array([-1.0, -0.5, 0.0]), np.array([[-9.876, 0.125], [-4.996, -0.001], [0, 0]])
    )
    return Observation((), past, statuses)


def test_the_history_is_written_as_the_format_has_it() -> None:
    full = EgoStatus(np.array([9.5, -0.004]), np.array([0.104, -1.0]))
    text = trajectory.prompt(_observation(full, full, full), BARE)
    status = "Acceleration: X 0.10, Y -1.00 m/s^2, Velocity: X 9.50, Y 0.00 m/s"
    assert text == (
        f"(t-1.0s) [-9.88, 0.12], {status}, (t-0.5s) [-5.00, 0.00], {status}, "
        f"(t-0.0s) [0.0, 0.0], {status}|1.0"
    )


def test_what_is_not_known_is_left_out() -> None:
    fast, full = np.array([9.5, 0]), EgoStatus(np.array([9.5, 0]), np.array([0, 0]))
    text = trajectory.prompt(_observation(None, EgoStatus(fast), full), BARE)
    assert text == (
        "(t-1.0s) [-9.88, 0.12], (t-0.5s) [-5.00, 0.00], Velocity: X 9.50, Y 0.00 m/s, "
        "(t-0.0s) [0.0, 0.0], Acceleration: X 0.00, Y 0.00 m/s^2, Velocity: X 9.50, Y 0.00 m/s|1.0"
    )


def test_the_prompt_shows_four_points_and_each_camera(clip: Clip) -> None:
    observation = trajectory.narrow(clip, STRICT)
    text = trajectory.prompt(observation, WORDING)
    assert re.findall(r"\(t-(\S+)s\)", text) == ["1.5", "1.0", "0.5", "0.0"]
    assert text.count("<image>") == len(clip.observation.cameras)
    assert text.startswith("<FRONT VIEW>:\n<image>\n<FRONT RIGHT VIEW>:\n<image>\n")
    assert "last 1.5 seconds" in text


def test_truth_is_the_next_five_seconds(clip: Clip) -> None:
    assert trajectory.truth(clip, STRICT).t_s.tolist() == T_S.tolist()
    np.testing.assert_array_equal(trajectory.truth(clip, STRICT).xy_m, clip.future.xy_m)


def test_the_answer_has_two_decimals_tags_and_no_negative_zero() -> None:
    xy_m = np.array([[1.0, -0.001], [2.345, 12.3], *([[0, 0]] * 8)])
    text = trajectory.write(Trajectory(T_S, xy_m), WORDING)
    assert text.startswith("<PLANNING>") and text.endswith(
        "The output is formatted as [x, y]: [1.00, 0.00], [2.35, 12.30], "
        + ", ".join(["[0.00, 0.00]"] * 8)
        + "</PLANNING>"
    )


@given(st.lists(st.tuples(meters, meters), min_size=10, max_size=10))
def test_reading_what_was_written(points: list[tuple[float, float]]) -> None:
    text = trajectory.write(Trajectory(T_S, np.array(points)), WORDING)
    read = trajectory.read(text)
    np.testing.assert_allclose(read.xy_m, points, atol=0.005 + 1e-9)
    assert trajectory.write(read, WORDING) == text
    assert "-0.00," not in text and "-0.00]" not in text
    assert read.t_s.tolist() == T_S.tolist()


TEN = ", ".join(f"[{k}, 0]" for k in range(10))


@pytest.mark.parametrize(
    "text",
    [
        TEN,
        f"<PLANNING>{TEN}</PLANNING>",
        f"As [1, 1] first, then <PLANNING>as [x, y]: {TEN}</PLANNING> [7, 7]",
        TEN.replace("[3, 0]", "[ +3. ,\t0e5 ]").replace("[4, 0]", "[.4e1, -0]"),
        TEN.replace(", [", "\n["),
    ],
)
def test_other_spellings_are_read(text: str) -> None:
    assert trajectory.read(text).xy_m.tolist() == [[k, 0] for k in range(10)]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "expected 10 waypoints, found 0 in ''"),
        (TEN + ", [10, 0]", "expected 10 waypoints, found 11"),
        (TEN.removesuffix(", [9, 0]"), "found 9"),
        (TEN + ", [10 0]", "two numbers, got .10 0."),
        ("[a 1] " + TEN, "two numbers, got .a 1."),
        (TEN.replace("[3, 0]", "[true, 0]"), "two numbers|found 9"),
        (TEN.replace("[3, 0]", "[[3, 0]]") + ", [1]", "two numbers"),
        (TEN.replace("[3, 0]", "[3, 0, 0]"), "two numbers, got .3, 0, 0."),
        (TEN.replace("[3, 0]", "[3, 1e999]"), "two numbers"),
        (TEN.replace("[3, 0]", "[3, nan0]"), "two numbers"),
        (TEN.replace("[3, 0]", "[3, ٣]"), "two numbers"),
        (f"<PLANNING>{TEN}", "expected <PLANNING> and </PLANNING> once each"),
        (f"{TEN}</PLANNING>", "once each"),
        (f"<PLANNING>{TEN}</PLANNING><PLANNING>{TEN}</PLANNING>", "once each"),
        (f"</PLANNING>{TEN}<PLANNING>", "once each"),
    ],
)
def test_what_does_not_answer(text: str, complaint: str) -> None:
    with pytest.raises(AnswerError, match=complaint):
        trajectory.read(text)


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=10, max_size=10))
def test_lists_and_scattered_waypoints_are_read_to_the_same_bit(
    points: list[tuple[float, float]],
) -> None:
    listed = ", ".join(f"[{x!r}, {y!r}]" for x, y in points)
    for text in (listed, listed.replace(" ", ""), listed.replace("], [", "] and [")):
        assert trajectory.read(text).xy_m.tolist() == [list(point) for point in points]


fuzz = st.text(alphabet="[]<>/PLANING 0123456789.,-+exyinfa\n", max_size=200)


@given(st.one_of(st.text(), fuzz, fuzz.map(lambda text: f"{TEN}{text}")))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        assert len(trajectory.read(text)) == 10
    except AnswerError:
        pass


def test_a_short_log_has_a_short_history(clip: Clip) -> None:
    observation = clip.observation
    short = replace(observation, past=observation.past[-2:], statuses=observation.statuses[-2:])
    text = trajectory.prompt(trajectory.narrow(replace(clip, observation=short), STRICT), BARE)
    assert text.count("(t-") == 2 and text.endswith("|0.5")


TOKENS = "<|x+1.25|><|y-0.10|>" * 10


@pytest.mark.parametrize(
    "text",
    [
        TOKENS,
        f"<PLANNING>{TOKENS}</PLANNING>",
        TOKENS.replace("><", ">, <"),
        f"Object 1: at [7, 7], 3 meters\nand [1, 2]\n<PLANNING>\n{TOKENS}\n</PLANNING>",
    ],
)
def test_action_tokens_are_read(text: str) -> None:
    read = trajectory.read(text)
    np.testing.assert_allclose(read.xy_m[-1], [12.5, -1.0])
    np.testing.assert_array_equal(trajectory.read_padded(text).xy_m, read.xy_m)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (TOKENS[20:], "number_of_waypoints"),
        (TOKENS + "<|x+1.25|><|y-0.10|>", "number_of_waypoints"),
        (TOKENS + "<|act_7|>", "unknown_token"),
        (TOKENS.replace("1.25", "1.255", 1), "unknown_token"),
        (TOKENS.replace("+1.25", "1.25", 1), "unknown_token"),
        (TOKENS.replace("1.25", "１.25", 1), "unknown_token"),
        (TOKENS + "[1, 2]", "unknown_token"),
        ("Go: " + TOKENS, "unknown_token"),
        (TOKENS + "<|im_end|>", "unknown_token"),
        (TOKENS[10:] + TOKENS[:10], "tokens_out_of_turn"),
        (TOKENS + "<|x+1.25|>", "tokens_out_of_turn"),
        (f"<PLANNING>{TOKENS}", "tags"),
    ],
)
def test_tokens_that_do_not_answer(text: str, reason: str) -> None:
    with pytest.raises(AnswerError) as caught:
        trajectory.read(text)
    assert caught.value.reason == reason


@given(st.text(alphabet="<|>xy+-.0123456789, []/PLANING", max_size=200))
def test_any_text_beside_tokens_is_read_or_refused(text: str) -> None:
    for told in (TOKENS + text, text + TOKENS, f"{text}<PLANNING>{TOKENS}</PLANNING>"):
        assert len(trajectory.read_padded(told)) == 10
        try:
            assert len(trajectory.read(told)) == 10
        except AnswerError:
            pass


def test_padding_goes_on_from_the_waypoints_alone() -> None:
    cut = f"at [7, 7] and <|x+9.00|><|y+9.00|>\n<PLANNING>{TOKENS[:50]}"
    assert trajectory.read_padded(cut).xy_m.tolist() == [[1.25, -0.1]] + [[2.5, -0.2]] * 9
    assert trajectory.read_padded("at [7, 7]\n<PLANNING>[1, 2]").xy_m.tolist() == [[1, 2]] * 10
