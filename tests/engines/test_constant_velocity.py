import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from impromptu.clip import EgoStatus, Observation, Trajectory
from impromptu.conversation import Sample
from impromptu.engines import Completion, Settings
from impromptu.engines.constant_velocity import ENGINE
from impromptu.questions import Question
from impromptu.questions.nuscenes_planning import QUESTION as PLANNING
from impromptu.questions.trajectory import QUESTION as Q7
from impromptu.wording import Wording, default_templates

WORDING = Wording(default_templates("strict"))
SPEED = st.floats(-20, 30).map(lambda x: round(x, 1) + 0.0)


def _ask(prompt: str, name: str) -> Completion:
    sample = Sample(name, ("front.png",) * prompt.count("<image>"), prompt, "not to be read")
    ((_, completion),) = ENGINE.open(Settings())([sample])
    return completion


def _observation(velocity_mps: tuple[float, float], steps: int, told: bool) -> Observation:
    """A straight drive at constant velocity, whose status is told or not."""
    t_s = np.arange(1 - steps, 1) / 2
    status = EgoStatus(np.array(velocity_mps), np.array([9.0, 9.0]), 0.1) if told else None
    xy_m = t_s[:, None] * np.array(velocity_mps)
    return Observation((), Trajectory(t_s, xy_m), (status,) * steps)


@pytest.mark.parametrize(("question", "count"), [(Q7, 10), (PLANNING, 6)], ids=["q7", "planning"])
@given(velocity_mps=st.tuples(SPEED, SPEED), steps=st.integers(2, 7), told=st.booleans())
def test_a_straight_steady_drive_is_continued_exactly(
    question: Question, count: int, velocity_mps: tuple[float, float], steps: int, told: bool
) -> None:
    prompt = question.prompt(_observation(velocity_mps, steps, told), WORDING)
    answer = _ask(prompt, f"synthetic/a/0/{question.task}")
    assert answer.finish_reason == "stop"
    t_s = np.arange(1, count + 1) / 2
    expected_m = t_s[:, None] * np.array(velocity_mps)
    np.testing.assert_allclose(question.read(answer.text).xy_m, expected_m, atol=0.0051)


def test_the_told_velocity_counts_for_more_than_the_last_step() -> None:
    prompt = (
        "(t-0.5s) [-9, 0], Velocity: X 9, Y 0 m/s, (t-0.0s) [0.0, 0.0], Velocity: X 2, Y -1 m/s"
    )
    points_m = PLANNING.read(_ask(prompt, "a/0/planning").text).xy_m
    assert points_m[0].tolist() == [1.0, -0.5]
    assert points_m[-1].tolist() == [6.0, -3.0]


def test_the_published_status_is_read_though_its_ids_name_no_task() -> None:
    prompt = (
        "in the format [x, y]:. (t-0.5s) [-2.0, 0.01], Acceleration: X 0.1, Y 0.2 m/s^2, "
        "Velocity: 4.1 m/s, Steering angle: 0.3 (positive: left turn, negative: right turn), "
        "(t-0.0s) [0.0, 0.0], Acceleration: X 0.1, Y 0.2 m/s^2, Velocity: 4.2 m/s, "
        "Steering angle: 0.3 (positive: left turn, negative: right turn)\n"
    )
    points_m = PLANNING.read(_ask(prompt, "ca9a282c9e77460f8360f564131a8af5").text).xy_m
    assert points_m[-1].tolist() == [12.6, 0.0]


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("Which colour is the light?", "a/0/q4"),
        ("(t-0.0s) [0.0, 0.0], Velocity: X 2, Y 0 m/s", "a/0/q3"),
        ("(t-0.0s) [0.0, 0.0]\nWhere will it be?", "a/0/planning"),
        ("Where will it be?", "a/0/q7"),
    ],
    ids=["another task", "another task with a history", "one point, no velocity", "no history"],
)
def test_what_cannot_be_answered_is_unsupported(prompt: str, name: str) -> None:
    assert _ask(prompt, name) == Completion("", "unsupported")
