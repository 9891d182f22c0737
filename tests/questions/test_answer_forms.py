"""Slow answers and answers in action tokens, about the conftest's drive."""

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from impromptu.action_tokens import Codebook
from impromptu.answer_forms import TOLD, Form, thought
from impromptu.arrays import Floats
from impromptu.clip import Agent, Clip, Trajectory, Unanswerable
from impromptu.conversation import IMAGE, Sample
from impromptu.engines._asked import read_asked
from impromptu.preset import STRICT
from impromptu.questions import (
    Question,
    meta_action,
    nuscenes_planning,
    observe,
    trajectory,
    vulnerable_road_users,
)
from impromptu.wording import load_wording

WORDING = load_wording(None, STRICT)
BOOK = Codebook("uniform", tuple(range(-10, 1201, 10)), tuple(range(-1200, 1201, 10)))
FORMS = [Form(), Form("slow"), Form("fast", BOOK), Form("slow", BOOK)]
ASKED = [trajectory.QUESTION, nuscenes_planning.QUESTION]
VIEWS = ("FRONT", "FRONT RIGHT", "FRONT LEFT", "BACK", "BACK LEFT", "BACK RIGHT")


def _seen(question: Question, clip: Clip) -> Clip:
    ((_, seen),) = observe(question, clip, STRICT, VIEWS, VIEWS[:3])
    assert not isinstance(seen, Unanswerable)
    return seen


def _ask(form: Form, question: Question, clip: Clip) -> tuple[str, str]:
    here = _seen(question, clip)
    answer, clipped = form.answer(question, here, STRICT, WORDING)
    assert not clipped
    return form.prompt(question, here.observation, WORDING), answer


@pytest.fixture
def street(among: Callable[..., Clip], make_agent: Callable[..., Agent]) -> Clip:
    """A car ahead that drives on, somebody on foot who will be lost, and parked cars."""
    parked = [make_agent("car", "vehicle", 20.0 + k, 5.0) for k in range(TOLD)]
    clip = among(
        make_agent("car", "vehicle", 12.0, 0.0, (8.0, 0.0)),
        make_agent("pedestrian", "pedestrian", 15.0, 6.0, (0.0, 1.0)),
        *parked,
    )
    futures = {name: path for name, path in clip.agent_futures.items() if "ped" not in name}
    return replace(clip, agent_futures=futures, tags={"weather": "rain", "location": "here"})


def _named(form: Form) -> str:
    return f"{form.answers}_{'numbers' if form.actions is None else 'tokens'}"


@pytest.mark.parametrize("question", ASKED, ids=lambda question: question.task)
@pytest.mark.parametrize("form", FORMS, ids=_named)
def test_every_form_is_read_as_the_truth(form: Form, question: Question, street: Clip) -> None:
    _, answer = _ask(form, question, street)
    assert question.truth is not None
    true = question.truth(_seen(question, street), STRICT)
    read = question.read(answer)
    atol = 0.05 + 1e-9 if form.actions else 0.005 + 1e-9
    np.testing.assert_allclose(read.xy_m, true.xy_m, atol=atol)
    assert read.t_s.tolist() == true.t_s.tolist()
    assert question.read_padded is not None
    np.testing.assert_array_equal(question.read_padded(answer).xy_m, read.xy_m)


def test_a_slow_answer_is_what_the_other_questions_know(street: Clip) -> None:
    _, answer = _ask(Form("slow"), trajectory.QUESTION, street)
    front = _seen(vulnerable_road_users.QUESTION, street)
    nearby = vulnerable_road_users.write(vulnerable_road_users.truth(front, STRICT), WORDING)
    assert "a pedestrian located 15 meters ahead of me and 6 meters to the left" in nearby
    lines = answer.splitlines()
    parked = [
        f"Object {k}: car, {18 + k - 1} meters ahead, 5 meters to the left, speed of 0 m/s. "
        "STOP, STRAIGHT"
        for k in range(3, TOLD + 1)
    ]
    assert lines[:-1] == [
        "Scene: rain.",
        f"Vulnerable road users: {nearby}",
        "Object 1: car, 12 meters ahead, 0 meters to the left, speed of 8 m/s. KEEP, STRAIGHT",
        "Object 2: pedestrian, 15 meters ahead, 6 meters to the left, speed of 1 m/s. UNKNOWN",
        *parked,
        f"Decision: {_decision(street)}",
    ]
    assert lines[-1].startswith("<PLANNING>") and lines[-1].endswith("</PLANNING>")


def _decision(clip: Clip) -> str:
    action = meta_action.truth(_seen(meta_action.QUESTION, clip), STRICT)
    return f"{action.speed}, {action.path}"


def test_nothing_is_said_of_what_is_not_known(clip: Clip) -> None:
    blind = replace(clip, observation=replace(clip.observation, annotated=False))
    assert thought(blind, STRICT, WORDING) == f"Decision: {_decision(clip)}"
    nobody = thought(clip, STRICT, WORDING).splitlines()[0]
    assert nobody.endswith(
        "No, I don't see any vulnerable road users within 20 meters ahead of me."
    )


def test_without_a_decision_there_is_no_slow_answer(clip: Clip) -> None:
    statuses = (*clip.observation.statuses[:-1], None)
    unknown = replace(clip, observation=replace(clip.observation, statuses=statuses))
    here = _seen(trajectory.QUESTION, unknown)
    assert Form().answer(trajectory.QUESTION, here, STRICT, WORDING)[0]
    with pytest.raises(Unanswerable, match="speed_unknown"):
        Form("slow").answer(trajectory.QUESTION, here, STRICT, WORDING)


@pytest.mark.parametrize("question", ASKED, ids=lambda question: question.task)
def test_a_prompt_asks_for_its_form_and_tells_nothing_more(
    question: Question, street: Clip
) -> None:
    plain, *others = (_ask(form, question, street)[0] for form in FORMS)
    assert plain == question.prompt(_seen(question, street).observation, WORDING)
    added = [other.removeprefix(plain) for other in others]
    slow, tokens = "\n" + WORDING.templates["slow.request"], WORDING.templates["actions.request"]
    assert added == [slow, f"\n{tokens}", f"\n{tokens}{slow}"]
    assert not re.search(r"\d", "".join(added))
    # Another future, another answer, the same prompt.
    later = replace(street, future=_halved(street.future), agent_futures={})
    assert [_ask(form, question, later)[0] for form in FORMS] == [plain, *others]


def _halved(path: Trajectory) -> Trajectory:
    return Trajectory(path.t_s, path.xy_m / 2, path.yaw_rad)


@pytest.mark.parametrize("question", ASKED, ids=lambda question: question.task)
def test_baselines_read_every_prompt_alike(question: Question, street: Clip) -> None:
    asked = partial(_as_asked, question, street)
    plain, *others = map(asked, FORMS)
    for numbers in others:
        np.testing.assert_array_equal(numbers, plain)


def _as_asked(question: Question, clip: Clip, form: Form) -> Floats:
    prompt, answer = _ask(form, question, clip)
    images = ("a.jpg",) * prompt.count(IMAGE)
    asked = read_asked(Sample(f"nuscenes/s/k/{question.task}", images, prompt, answer))
    assert asked is not None and asked.question is question
    return asked.numbers()


def test_what_is_too_fast_for_the_codebook_is_clipped_and_told(clip: Clip) -> None:
    slow_car = Codebook("uniform", (0, 100, 200), (-100, 0, 100))
    answer, clipped = Form("fast", slow_car).answer(
        trajectory.QUESTION, _seen(trajectory.QUESTION, clip), STRICT, WORDING
    )
    assert clipped and answer.startswith("<PLANNING><|x+2.00|>")


def test_questions_about_something_else_have_one_form(clip: Clip) -> None:
    fast, slow = (_ask(form, meta_action.QUESTION, clip) for form in (Form(), Form("slow", BOOK)))
    assert fast == slow
