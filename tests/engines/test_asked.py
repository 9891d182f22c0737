"""What a baseline is asked, told by id or by what only one published prompt tells."""

import numpy as np
import pytest

from impromptu.conversation import Sample
from impromptu.engines._asked import mirrored, read_asked, task_of

HISTORY = (
    "(t-0.5s) [-2, 0.1], Velocity: X 4, Y 0 m/s, "
    "(t-0.0s) [0.0, 0.0], Acceleration: X 1, Y 2 m/s^2, Velocity: X 5, Y -1 m/s"
)
LONG = HISTORY.replace("(t-0.5s)", "(t-1.5s) [-6, 0], (t-1.0s) [-4, 0], (t-0.5s)")


def _asked_task(prompt: str, name: str) -> str:
    asked = read_asked(Sample(name, (), prompt, ""))
    return asked.question.task if asked else ""


@pytest.mark.parametrize(
    ("prompt", "name", "task"),
    [
        (HISTORY, "nuscenes/log/frame/q7", "q7"),
        (HISTORY, "nuscenes/log/frame/planning", "planning"),
        ("It drives at 3 m/s.", "nuscenes/log/frame/q6", "q6"),
        (LONG, "0", "q7"),
        (LONG.replace("(t-1.5s)", "(t-2.0s) [-8, 0], (t-1.5s)"), "0", "planning"),
        (LONG + ", Steering angle: 0.1", "0", "planning"),
        (LONG.replace(", Y -1", ""), "0", "planning"),
        (HISTORY, "0", ""),
        ("(t-1.5s) [-6, 0], (t-0.0s) [0, 0]", "0", ""),
        (HISTORY, "nuscenes/log/frame/q3", ""),
        ("It drives at 3 m/s.", "nuscenes/log/frame/q7", ""),
    ],
)
def test_the_question_is_told(prompt: str, name: str, task: str) -> None:
    assert _asked_task(prompt, name) == task


def test_tasks_come_from_ids() -> None:
    names = {"a/b/q2/front_left": "q2", "a/q1/c/q6": "q6", "token": "", "a/q9": ""}
    assert {name: task_of(Sample(name, (), "", "")) for name in names} == names


def test_the_vector_of_numbers_by_hand() -> None:
    prompt = f"turn left. {HISTORY}, Steering angle: 0.25 rad"
    asked = read_asked(Sample("a/0/q7", (), prompt, ""))
    assert asked is not None
    # Velocity, acceleration, steering, commands; places at -0.5 s as told, then straight back.
    told = [5, -1, 1, 2, 0.25, 0, 1, 0, -2, 0.1, -5, 1, -7.5, 1.5]
    np.testing.assert_allclose(asked.numbers(), told, atol=1e-12)
    shown = [5, 1, 1, -2, -0.25, 0, 0, 1, -2, -0.1, -5, -1, -7.5, -1.5]
    np.testing.assert_allclose(mirrored(asked.numbers()[None])[0], shown, atol=1e-12)


@pytest.mark.parametrize(("task", "end_s"), [("q6", 3), ("q7", 5), ("planning", 3)])
def test_waypoints_are_half_a_second_apart(task: str, end_s: float) -> None:
    asked = read_asked(Sample(f"a/{task}", (), HISTORY, ""))
    assert asked is not None
    np.testing.assert_array_equal(asked.t_s, np.arange(0.5, end_s + 0.25, 0.5))
