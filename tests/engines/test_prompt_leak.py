"""The leak of the published prompts is solved to the centimetre; ours have none to solve."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from impromptu.clip import Clip, EgoStatus, Observation, Trajectory
from impromptu.conversation import Sample
from impromptu.engines import Settings, constant_velocity, prompt_leak
from impromptu.preset import RELEASED, STRICT, Preset
from impromptu.questions.trajectory import QUESTION as Q7
from impromptu.wording import load_wording

COUNT = 15
"""Steps of a made-up drive: five before the present, of which a prompt tells three; ten after."""

STEPS = st.lists(st.tuples(st.floats(-12, 12), st.floats(-3, 3)), min_size=COUNT, max_size=COUNT)


def _sample(clip: Clip, preset: Preset) -> Sample:
    shown = preset.show(clip, "q7")
    return Sample("a/0/q7", (), Q7.prompt(shown, load_wording(None, preset)), "not to be read")


def _clip(steps: list[tuple[float, float]]) -> Clip:
    """Make a clip whose statuses are backward differences, as strict ones are."""
    xy_m = np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)])
    xy_m -= xy_m[5]
    velocity = np.diff(xy_m, axis=0) / 0.5
    acceleration = np.diff(velocity, axis=0) / 0.5
    # Rows of the present are 5 among places, 4 among velocities, 3 among accelerations.
    statuses = tuple(
        EgoStatus(velocity[row - 1], acceleration[row - 2], logged=False) for row in range(2, 6)
    )
    t_s = 0.5 * np.arange(-5, 11)
    observation = Observation((), Trajectory(t_s[2:6], xy_m[2:6]), statuses)
    future = Trajectory(t_s[6:], xy_m[6:])
    return Clip("a/0", "kitti", "train", "a", 0, observation, future)


@given(STEPS)
def test_two_waypoints_of_a_released_prompt_are_solved(steps: list[tuple[float, float]]) -> None:
    clip = _clip(steps)
    ((_, answer),) = prompt_leak.ENGINE.open(Settings())([_sample(clip, RELEASED)])
    solved_m = Q7.read(answer.text).xy_m
    np.testing.assert_allclose(solved_m[:2], clip.future.xy_m[:2], atol=0.00501)
    # From there on straight.
    expected_m = solved_m[1] + np.arange(1, 9)[:, None] * (solved_m[1] - solved_m[0])
    np.testing.assert_allclose(solved_m[2:], expected_m, atol=0.06)


@pytest.mark.parametrize("reach_m", [0.3, 3.0])
@given(st.data())
def test_a_strict_prompt_is_answered_as_by_constant_velocity(
    reach_m: float, data: st.DataObject
) -> None:
    change = st.tuples(st.floats(-reach_m, reach_m), st.floats(-reach_m, reach_m))
    changes = data.draw(st.lists(change, min_size=COUNT, max_size=COUNT))
    sample = _sample(_clip([(4 + x, y) for x, y in changes]), STRICT)
    leaked_m, straight_m = (
        Q7.read(next(engine.open(Settings())([sample]))[1].text).xy_m
        for engine in (prompt_leak.ENGINE, constant_velocity.ENGINE)
    )
    # Changes under the slack of 0.03 m/s may look like a leak: 0.08 m/s2 at most, 0.2 m after 5 s.
    np.testing.assert_allclose(leaked_m, straight_m, atol=0.2)


def test_a_steady_drive_leaks_nothing_that_constant_velocity_lacks() -> None:
    clip = _clip([(4.0, 0.0)] * COUNT)
    for preset in (STRICT, RELEASED):
        ((_, answer),) = prompt_leak.ENGINE.open(Settings())([_sample(clip, preset)])
        np.testing.assert_allclose(Q7.read(answer.text).xy_m, clip.future.xy_m, atol=1e-9)
