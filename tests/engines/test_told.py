"""Numbers in prompts: ours under every wording, and the published variants."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from impromptu.clip import EgoStatus, Observation, Trajectory
from impromptu.engines._told import read_history, read_speed, told_commands
from impromptu.questions import Question
from impromptu.questions.nuscenes_planning import QUESTION as PLANNING
from impromptu.questions.trajectory import QUESTION as Q7
from impromptu.wording import Wording, default_templates

NUMBER = st.floats(-99, 99).map(lambda x: round(x, 2) + 0.0)
NAN = np.nan


@pytest.mark.parametrize("preset", ["strict", "released"])
@pytest.mark.parametrize("question", [Q7, PLANNING], ids=["q7", "planning"])
@given(rows=st.lists(st.tuples(*[NUMBER] * 7), min_size=1, max_size=7))
def test_all_that_a_prompt_of_ours_tells_is_read_back(
    question: Question, preset: str, rows: list[tuple[float, ...]]
) -> None:
    table = np.array(rows)
    table[-1, :2] = 0
    t_s = 0.5 * np.arange(1 - len(rows), 1)
    statuses = tuple(EgoStatus(row[2:4], row[4:6], row[6]) for row in table)
    observation = Observation((), Trajectory(t_s, table[:, :2]), statuses)
    told = read_history(question.prompt(observation, Wording(default_templates(preset))))
    assert told is not None
    np.testing.assert_array_equal(told.t_s, t_s)
    np.testing.assert_array_equal(told.xy_m, table[:, :2])
    np.testing.assert_array_equal(told.velocity_mps, table[:, 2:4])
    np.testing.assert_array_equal(told.acceleration_mps2, table[:, 4:6])
    steering = table[:, 6] if question is PLANNING else np.full(len(rows), NAN)
    np.testing.assert_array_equal(told.steering_rad, steering)


def test_other_sentences_around_the_history_change_nothing() -> None:
    templates = default_templates("strict") | {
        "q7.prompt": "{views}Seit 1.5 s, mit 3 m/s^2, Velocity: 99 (t-9): {history} In 5 s? [7, 7]",
        "q7.velocity": "velocities [m/s] {x}, {y}",
        "q7.acceleration": "ACCELERATED BY {x}, {y} m/s^2",
    }
    past = Trajectory(np.array([-0.5, 0]), np.array([[-2.0, 0.25], [0, 0]]))
    statuses = EgoStatus(np.array([4, -0.5])), EgoStatus(np.array([5, 0.0]), np.array([-1, 2.5]))
    told = read_history(Q7.prompt(Observation((), past, statuses), Wording(templates)))
    assert told is not None
    assert told.xy_m.tolist() == [[-2, 0.25], [0, 0]]
    assert told.velocity_mps.tolist() == [[4, -0.5], [5, 0]]
    np.testing.assert_array_equal(told.acceleration_mps2, [[NAN, NAN], [-1, 2.5]])


PUBLISHED = {
    "Acceleration: X 0.1, Y -0.2 m/s^2, Velocity: X 4.2, Steering angle: -0.3 (positive: left "
    "turn, negative: right turn)": ([4.2, NAN], [0.1, -0.2], -0.3),
    "Velocity: 4.2 m/s, Steering angle: 0.3 (positive: left turn, negative: right turn)": (
        [4.2, NAN],
        [NAN, NAN],
        0.3,
    ),
    "Acceleration: X 0.1, Y 0.2 m/s^2, Velocity: 4.2 m/s": ([4.2, NAN], [0.1, 0.2], NAN),
    "Acceleration: X 0.10, Y -1.20 m/s^2, Velocity: X 4.20, Y 0.00 m/s": (
        [4.2, 0],
        [0.1, -1.2],
        NAN,
    ),
    "": ([NAN, NAN], [NAN, NAN], NAN),
}


@pytest.mark.parametrize("status", PUBLISHED)
@pytest.mark.parametrize("start", ["format [x, y]:", "format [x, y]:. ", "[x, y]:\n"])
def test_published_statuses_are_read(status: str, start: str) -> None:
    velocity_mps, acceleration_mps2, steering_rad = PUBLISHED[status]
    after = f", {status}" if status else ""
    prompt = f"images.Provided are the last 0.5 seconds in the {start}"
    prompt += f"(t-0.5s) [-2.1, 0.01]{after}, (t-0.0s) [0.0, 0.0]{after}\nNow 6 points, 3 seconds?"
    told = read_history(prompt)
    assert told is not None
    assert told.xy_m.tolist() == [[-2.1, 0.01], [0, 0]]
    np.testing.assert_array_equal(told.velocity_mps, [velocity_mps] * 2)
    np.testing.assert_array_equal(told.acceleration_mps2, [acceleration_mps2] * 2)
    np.testing.assert_array_equal(told.steering_rad, [steering_rad] * 2)


@pytest.mark.parametrize(
    "prompt",
    [
        "",
        "Where will it be? [1, 2]",
        "(t-0.5s) [1, 2]",
        "(t-0.0s) [0, 0], (t-0.5s) [1, 2]",
        "(t-0.5s) [1, 2], (t-0.0s) [0, 0] or (t-0.5s) [1, 2], (t-0.0s) [0, 0]",
        "(t-0.0s) [0, nan]",
        "(t-0.5s) [1e9, 0], (t-0.0s) [0, 0]",
        "(t-0.0s) [0, 0], Velocity: X 1e300, Y 0 m/s",
    ],
)
def test_what_is_no_history_is_not_read(prompt: str) -> None:
    assert read_history(prompt) is None


def test_a_velocity_that_is_not_told_is_that_of_the_last_step() -> None:
    told = read_history("(t-1.0s) [-9, 0], (t-0.5s) [-2, 1], (t-0.0s) [0, 0]")
    alone = read_history("(t-0.0s) [0.0, 0.0]")
    assert told is not None and alone is not None
    assert (now_mps := told.now_mps()) is not None and now_mps.tolist() == [4, -2]
    assert alone.now_mps() is None


@pytest.mark.parametrize(
    ("prompt", "speed_mps"),
    [
        ("It drives at 9 m/s. What should it do in the next 3 seconds?", 9),
        ("speed: 0.5m/s, 2 m/s^2", 0.5),
        ("at 9 m/s behind one at 8 m/s", None),
        ("What should it do in 3 s?", None),
        ("at 9999999 m/s", None),
    ],
)
def test_the_only_speed_of_a_prompt_is_read(prompt: str, speed_mps: float | None) -> None:
    told = read_speed(prompt)
    assert (told and told.velocity_mps.tolist()) == ([[speed_mps, 0]] if speed_mps else None)


def test_commands_are_read_by_their_words() -> None:
    assert told_commands("The command is: go straight and turn left.").tolist() == [1, 1, 0]
    assert told_commands("RIGHT_TURN or LEFT_TURN").tolist() == [0, 0, 0]
