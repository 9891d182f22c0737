"""The leak of the published prompts is solved to the centimetre; ours have none to solve."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from impromptu.clip import Clip, EgoStatus, Observation, Trajectory
from impromptu.conversation import Sample
from impromptu.engines import Settings, constant_velocity, prompt_leak
from impromptu.preset import RELEASED, STRICT, Preset
from impromptu.questions.trajectory import QUESTION as Q7
from impromptu.wording import load_wording

STEPS = st.lists(st.tuples(st.floats(-12, 12), st.floats(-3, 3)), min_size=13, max_size=13)


def _path(steps: list[tuple[float, float]]) -> tuple[Trajectory, Trajectory]:
    """Any 13 steps: three before the present, ten after."""
    xy_m = np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)])
    xy_m -= xy_m[3]
    t_s = 0.5 * np.arange(-3, 11)
    return Trajectory(t_s[:4], xy_m[:4]), Trajectory(t_s[4:], xy_m[4:])


def _sample(clip: Clip, preset: Preset) -> Sample:
    shown = preset.show(clip, "q7")
    return Sample("a/0/q7", (), Q7.prompt(shown, load_wording(None, preset)), "not to be read")


def _clip(steps: list[tuple[float, float]]) -> Clip:
    past, future = _path(steps)
    velocity = np.concatenate([np.full((1, 2), np.nan), np.diff(past.xy_m, axis=0) / 0.5])
    acceleration = np.concatenate([np.full((1, 2), np.nan), np.diff(velocity, axis=0) / 0.5])
    statuses = tuple(
        None if np.isnan(v).any() else EgoStatus(v, None if np.isnan(a).any() else a, logged=False)
        for v, a in zip(velocity, acceleration, strict=True)
    )
    observation = Observation((), past, statuses)
    return Clip("a/0", "kitti", "train", "a", 0, observation, future)


@given(STEPS)
def test_two_waypoints_of_a_released_prompt_are_solved(steps: list[tuple[float, float]]) -> None:
    clip = _clip(steps)
    (answer,) = prompt_leak.ENGINE.open(Settings())([_sample(clip, RELEASED)])
    solved_m = Q7.read(answer.text).xy_m
    np.testing.assert_allclose(solved_m[:2], clip.future.xy_m[:2], atol=0.00501)
    # From there on straight.
    expected_m = solved_m[1] + np.arange(1, 9)[:, None] * (solved_m[1] - solved_m[0])
    np.testing.assert_allclose(solved_m[2:], expected_m, atol=0.06)


@given(STEPS)
def test_a_strict_prompt_is_answered_as_by_constant_velocity(
    steps: list[tuple[float, float]],
) -> None:
    sample = _sample(_clip(steps), STRICT)
    leaked, straight = (
        engine.open(Settings())([sample])
        for engine in (prompt_leak.ENGINE, constant_velocity.ENGINE)
    )
    assert leaked == straight


def test_a_steady_drive_leaks_nothing_that_constant_velocity_lacks() -> None:
    clip = _clip([(4.0, 0.0)] * 13)
    for preset in (STRICT, RELEASED):
        (answer,) = prompt_leak.ENGINE.open(Settings())([_sample(clip, preset)])
        np.testing.assert_allclose(Q7.read(answer.text).xy_m, clip.future.xy_m, atol=1e-9)
