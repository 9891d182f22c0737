"""Filters of motion, each limit tried from both sides on paths whose figures are plain."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from impromptu.arrays import Floats
from impromptu.clip import STEP_S, Camera, Clip, Observation, Trajectory
from impromptu.filters import Filters, Gate


def _clip(x_m: list[float], past_m: tuple[float, ...] = ()) -> Clip:
    """Return a clip along the x axis, half a second from each place to the next."""
    past = np.array([*past_m, 0.0])
    return Clip(
        id="made/up/0",
        dataset="made",
        split="train",
        log="up",
        timestamp_ns=0,
        observation=Observation(
            cameras=(Camera("FRONT", Path("nowhere.jpg")),),
            past=Trajectory(STEP_S * np.arange(1 - len(past), 1), _along_x(past)),
            statuses=(None,) * len(past),
        ),
        future=Trajectory(STEP_S * np.arange(1, len(x_m) + 1), _along_x(np.array(x_m))),
    )


def _along_x(x_m: Floats) -> Floats:
    return np.stack([x_m, np.zeros(len(x_m))], axis=-1)


@pytest.mark.parametrize(
    ("filters", "clip", "refusal"),
    [
        (Filters(reverse_m=1.0), _clip([0.0, -0.5, -1.01]), "reverse_motion"),
        (Filters(reverse_m=1.0), _clip([0.0, -0.5, -1.0]), ""),
        (Filters(reverse_m=1.0), _clip([1.0], past_m=(-9.0, -5.0)), ""),
        # 30 m in half a second are 60 m/s.
        (Filters(jump_mps=60.0), _clip([30.0, 60.0, 90.0]), ""),
        (Filters(jump_mps=60.0), _clip([30.0, 60.1, 90.0]), "jump"),
        (Filters(jump_mps=60.0), _clip([1.0], past_m=(-31.0,)), "jump"),
        # From rest to 6 m/s in half a second is 12 m/s2.
        (Filters(acceleration_mps2=12.0), _clip([0.0, 3.0, 6.0]), ""),
        (Filters(acceleration_mps2=12.0), _clip([0.0, 3.1, 6.2]), "impossible_acceleration"),
        (Filters(acceleration_mps2=12.0), _clip([3.1], past_m=(0.0,)), "impossible_acceleration"),
        (Filters(), _clip([-50.0, 90.0]), ""),
        (Filters(1.0, 60.0, 12.0, 0.5), _clip([]), "stationary"),
    ],
)
def test_each_limit_from_both_sides(filters: Filters, clip: Clip, refusal: str) -> None:
    assert Gate(filters).refusal(clip) == refusal


def test_a_share_of_standing_clips_passes_at_any_time() -> None:
    """At most a third: one standing clip after two of driving, and so on; a metre is a move."""
    driving, standing = _clip([1.1, 2.2]), _clip([0.0, 1.0])
    gate = Gate(Filters(stationary_share=1 / 3))
    clips = [standing, driving, standing, driving, standing, standing, driving, driving, standing]
    passed = [gate.refusal(clip) == "" for clip in clips]
    assert passed == [False, True, False, True, True, False, True, True, True]
    assert (gate.passed, gate.stationary) == (6, 2)


def test_a_refused_clip_does_not_count_in_the_share() -> None:
    gate = Gate(Filters(reverse_m=1.0, stationary_share=0.5))
    assert gate.refusal(_clip([-2.0])) == "reverse_motion"
    assert gate.refusal(_clip([0.0])) == "stationary"


@pytest.mark.parametrize("limit", [-1.0, float("nan"), "1", True])
def test_a_limit_is_a_number_from_0(limit: Any) -> None:
    with pytest.raises(ValueError, match="filters: reverse_m: expected a number from 0 to inf"):
        Filters(reverse_m=limit)


def test_a_share_is_at_most_one() -> None:
    with pytest.raises(ValueError, match="stationary_share: expected a number from 0 to 1"):
        Filters(stationary_share=1.5)
