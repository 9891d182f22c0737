"""What is asked of a clip, whichever the question; and that no prompt tells the future."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from impromptu import plugins, questions
from impromptu.clip import Agent, Clip, Observation, Trajectory, Unanswerable
from impromptu.conversation import Sample
from impromptu.preset import STRICT
from impromptu.questions import Question, observe
from impromptu.wording import load_wording

WORDING = load_wording(None, STRICT)
SURROUND = ("FRONT", "FRONT RIGHT", "FRONT LEFT", "BACK", "BACK LEFT", "BACK RIGHT")
FORWARD = SURROUND[:3]
NAMES = {plugins.load(questions, name, Question).task: name for name in plugins.names(questions)}


def _question(task: str) -> Question:
    return plugins.load(questions, NAMES[task], Question)


def _observe(task: str, clip: Clip) -> dict[str, Observation | str]:
    cuts = observe(_question(task), clip, STRICT, SURROUND, FORWARD)
    return {s: str(c) if isinstance(c, Unanswerable) else c.observation for s, c in cuts}


def _views(observation: Observation | str) -> tuple[str, ...]:
    assert isinstance(observation, Observation), observation
    return tuple(camera.view for camera in observation.cameras)


def test_the_tasks() -> None:
    assert sorted(NAMES) == ["planning", *(f"q{number}" for number in range(1, 8))]


@pytest.mark.parametrize(
    ("task", "views"),
    [
        ("q1", SURROUND[:1]),
        ("q3", SURROUND),
        ("q4", SURROUND[:1]),
        ("q6", SURROUND),
        ("q7", FORWARD),
        ("planning", SURROUND[:1]),
    ],
)
def test_views_in_order(task: str, views: tuple[str, ...], clip: Clip) -> None:
    mixed = replace(clip.observation, cameras=clip.observation.cameras[::-1])
    (seen,) = _observe(task, replace(clip, observation=mixed)).items()
    assert (seen[0], _views(seen[1])) == ("", views)


def test_each_view_is_a_sample_of_its_own(clip: Clip) -> None:
    seen = _observe("q5", clip)
    assert list(seen) == [f"/{v.lower().replace(' ', '_')}" for v in SURROUND]
    assert [_views(o) for o in seen.values()] == [(view,) for view in SURROUND]


def test_a_missing_view_is_a_reason(clip: Clip) -> None:
    no_left = tuple(c for c in clip.observation.cameras if c.view != "FRONT LEFT")
    clip = replace(clip, observation=replace(clip.observation, cameras=no_left))
    assert _observe("q7", clip) == {"": "no_front_left_view"}
    assert _observe("q6", clip) == {"": "no_front_left_view"}
    assert isinstance(_observe("q1", clip)[""], Observation)
    assert _observe("q5", clip)["/front_left"] == "no_front_left_view"
    assert isinstance(_observe("q5", clip)["/back"], Observation)


def _cut(clip: Clip, past: int, future: int) -> Clip:
    o = clip.observation
    shorter = replace(o, past=o.past[-1 - past :], statuses=o.statuses[-1 - past :])
    return replace(clip, observation=shorter, future=clip.future[:future])


@pytest.mark.parametrize(
    ("task", "past", "future", "reason"),
    [
        ("q7", 3, 10, ""),
        ("q7", 2, 10, "past_under_1.5s"),
        ("q7", 3, 9, "future_under_5s"),
        ("planning", 0, 6, ""),
        ("planning", 6, 5, "future_under_3s"),
        ("q6", 0, 6, ""),
        ("q6", 6, 5, "future_under_3s"),
        ("q3", 6, 5, "future_under_3s"),
        ("q1", 0, 0, ""),
        ("q4", 0, 0, ""),
    ],
)
def test_a_log_too_short_is_a_reason(
    task: str, past: int, future: int, reason: str, clip: Clip
) -> None:
    (seen,) = _observe(task, _cut(clip, past, future)).values()
    assert (seen if isinstance(seen, str) else "") == reason


def _world(clip: Clip, future: Trajectory, agent: Agent) -> Clip:
    known = Trajectory(future.t_s, future.xy_m + agent.center_m[:2], future.yaw_rad)
    observation = replace(clip.observation, agents=(agent,))
    return replace(clip, observation=observation, future=future, agent_futures={agent.id: known})


def _prompts(task: str, clip: Clip) -> list[str]:
    question = _question(task)
    seen = [o for o in _observe(task, clip).values() if isinstance(o, Observation)]
    return [question.prompt(observation, WORDING) for observation in seen]


@pytest.mark.parametrize("task", sorted(set(NAMES) - {"q3"}))
def test_clips_that_differ_in_their_future_alone_have_the_same_prompts(
    task: str, clip: Clip, make_agent: Callable[..., Agent]
) -> None:
    """q3 alone tells what comes: the decision whose reason it asks for."""
    car = make_agent("car", "vehicle", 10.0, 0.0, (5.0, 0.0))
    braking = Trajectory(clip.future.t_s, np.outer(np.sqrt(clip.future.t_s), [3, -1]), np.zeros(10))
    one, other = _world(clip, clip.future, car), _world(clip, braking, car)
    prompts = _prompts(task, one)
    assert prompts
    assert prompts == _prompts(task, other)
    lost = {car.id: one.agent_futures[car.id][:2]}
    for agent_futures in (lost, {}):
        assert prompts == _prompts(task, replace(one, agent_futures=agent_futures))


@pytest.mark.parametrize("task", ["q7", "planning"])
def test_the_first_waypoint_is_not_in_the_prompt(task: str, clip: Clip) -> None:
    """The published status holds it: half a second at the printed velocity. Ours is from now."""
    question = _question(task)
    (seen,) = _observe(task, clip).values()
    assert isinstance(seen, Observation) and seen.status is not None and question.truth
    first_m = question.truth(replace(clip, observation=seen), STRICT).xy_m[0]
    velocity, acceleration = seen.status.velocity_mps, seen.status.acceleration_mps2
    assert acceleration is not None
    for guess_m in (velocity * 0.5, velocity * 0.5 + acceleration * 0.25):
        assert np.linalg.norm(guess_m - first_m) > 0.02


@pytest.mark.parametrize("task", sorted(NAMES))
def test_every_prompt_makes_a_sample(
    task: str, clip: Clip, make_agent: Callable[..., Agent]
) -> None:
    clip = _world(clip, clip.future, make_agent("car", "vehicle", 10.0, 0.0, (5.0, 0.0)))
    question = _question(task)
    for suffix, seen in _observe(task, clip).items():
        if isinstance(seen, str):
            assert (task, seen) == ("q2", "no_agent_in_view")
            continue
        images = tuple(camera.image.as_posix() for camera in seen.cameras)
        Sample(f"{clip.id}/{task}{suffix}", images, question.prompt(seen, WORDING), "")
