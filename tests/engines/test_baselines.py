"""What holds for every baseline that is a formula."""

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from impromptu import engines, plugins
from impromptu.clip import MetaAction
from impromptu.conversation import Sample
from impromptu.engines import Engine, Settings
from impromptu.questions import Question, meta_action
from impromptu.questions.nuscenes_planning import QUESTION as PLANNING
from impromptu.questions.trajectory import QUESTION as Q7

from .conftest import Ask

FORMULAS = ("constant_turn_rate_acceleration", "constant_velocity", "prompt_leak", "stationary")
NUMBER = st.floats(-20, 20).map(lambda x: round(x, 2) + 0.0)
MIRROR = np.array([1.0, -1.0])
within = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def _engine(name: str) -> Engine:
    return plugins.load(engines, name, Engine)


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.parametrize("question", [Q7, PLANNING], ids=["q7", "planning"])
@given(rows=st.lists(st.tuples(*[NUMBER] * 7), min_size=1, max_size=7), told=st.booleans())
@within
def test_a_mirrored_prompt_has_the_mirrored_answer(
    make_sample: Callable[..., Sample],
    ask: Ask,
    name: str,
    question: Question,
    rows: list[tuple[float, ...]],
    told: bool,
) -> None:
    table = np.array(rows)
    table[-1, :2] = 0
    flip = np.array([1, -1, 1, -1, 1, -1, -1])
    paths_m = []
    for seen in (table, table * flip):
        statuses = [row[2:].tolist() if told else None for row in seen]
        answer = ask(_engine(name), make_sample(question, seen[:, :2], statuses))
        if not told and len(rows) == 1:
            assert answer.finish_reason == "unsupported"
            return
        paths_m.append(question.read(answer.text).xy_m)
    np.testing.assert_allclose(paths_m[1], paths_m[0] * MIRROR, atol=0.0101)


@pytest.mark.parametrize("name", FORMULAS)
@given(
    text=st.lists(
        st.one_of(
            st.sampled_from(
                ["(t-0.5s) [", "(t-0.0s) [0.0, 0.0]", "Velocity: X ", "Acceleration: X ", ", ", "]"]
            ),
            st.floats().map(str),
            st.text(max_size=5),
        ),
        max_size=20,
    ),
    task=st.sampled_from(["q6", "q7", "planning", "q3", ""]),
)
@within
def test_no_prompt_makes_it_fail(ask: Ask, name: str, text: list[str], task: str) -> None:
    prompt = "".join(text).replace("<image>", "")
    answer = ask(_engine(name), prompt, f"a/0/{task}")
    assert answer.finish_reason in ("stop", "unsupported")
    assert bool(answer.text) == (answer.finish_reason == "stop")


@pytest.mark.parametrize("name", FORMULAS)
def test_the_answer_is_not_looked_at(
    make_sample: Callable[..., Sample], ask: Ask, name: str
) -> None:
    sample = make_sample(Q7, np.array([[-2.0, 0.5], [0, 0]]), [[4, 0, 1, 1], [5, 0, 1, 1]])
    other = replace(sample, answer=re.sub(r"not", "[1.0, 2.0]", sample.answer))
    assert ask(_engine(name), sample) == ask(_engine(name), other)


@pytest.mark.parametrize(
    ("name", "speed_mps", "speed"),
    [
        ("constant_velocity", 9, "KEEP"),
        ("constant_velocity", 0, "STOP"),
        ("stationary", 9, "STOP"),
    ],
)
def test_a_plan_is_the_words_for_the_path(ask: Ask, name: str, speed_mps: int, speed: str) -> None:
    prompt = f"It drives at {speed_mps} m/s. The navigation command is: turn left."
    answer = ask(_engine(name), prompt, "a/0/q6")
    assert meta_action.read(answer.text) == MetaAction(speed, "STRAIGHT")  # type: ignore[arg-type]


def test_a_car_that_stays_stays_at_the_origin(make_sample: Callable[..., Sample], ask: Ask) -> None:
    sample = make_sample(PLANNING, np.array([[-2.0, 0.5], [0, 0]]), [[4, 0, 1, 1], [5, 0, 1, 1]])
    path_m = PLANNING.read(ask(_engine("stationary"), sample).text).xy_m
    np.testing.assert_array_equal(path_m, np.zeros((6, 2)))


@pytest.mark.parametrize("name", [*FORMULAS, "majority", "nearest_neighbour", "ego_status_mlp"])
def test_none_of_them_runs_a_model(name: str) -> None:
    assert not _engine(name).runs_model


@pytest.mark.parametrize("name", ["majority", "nearest_neighbour", "ego_status_mlp"])
@pytest.mark.parametrize("model", ["", "no/such/place"])
def test_a_fitted_one_says_what_it_needs(name: str, model: str) -> None:
    with pytest.raises(ValueError, match="expects --model_name_or_path"):
        _engine(name).open(Settings(model=model))
