"""Which clips' motion no question is asked about: driving backwards, jumps, standing about."""

from dataclasses import dataclass

import numpy as np

from impromptu.arrays import Floats
from impromptu.clip import STEP_S, Clip

STILL_M = 1.0
"""A clip is stationary if the ego is never further than this from where it is at the present."""


@dataclass(frozen=True, slots=True)
class Filters:
    """Limits of what is asked about; None lets all pass.

    Attributes:
        reverse_m: A waypoint further behind the present than this is reverse motion (the
            published rule, with 1 m).
        jump_mps: A faster move from one half second to the next is a jump of the pose.
        acceleration_mps2: A greater change of velocity a second, between two half seconds, is
            impossible: tyres hold about 10 m/s2.
        stationary_share: Of the clips of a log that are let pass, taken in the order of time, no
            more than this share is stationary at any time.
    """

    reverse_m: float | None = None
    jump_mps: float | None = None
    acceleration_mps2: float | None = None
    stationary_share: float | None = None

    def __post_init__(self) -> None:
        """Check that the limits can be limits."""
        for name in self.__slots__:
            limit, highest = getattr(self, name), 1.0 if name.endswith("share") else np.inf
            number = isinstance(limit, int | float) and not isinstance(limit, bool)
            if limit is not None and not (number and 0 <= limit <= highest):
                raise ValueError(
                    f"filters: {name}: expected a number from 0 to {highest:g}, or null for no "
                    f"limit; got {limit!r:.80}"
                )


@dataclass(slots=True)
class Gate:
    """Lets the clips of one log pass or not, in the order of time.

    Attributes:
        passed: How many did.
        stationary: How many of them are stationary.
    """

    filters: Filters
    passed: int = 0
    stationary: int = 0

    def refusal(self, clip: Clip) -> str:
        """Return why a clip does not pass, in one snake_case word or two; empty if it does."""
        path_m = np.concatenate([clip.observation.past.xy_m, clip.future.xy_m])
        if fault := _fault(self.filters, path_m, clip.future.xy_m):
            return fault
        still = not _exceeds(path_m, STILL_M)
        share = self.filters.stationary_share
        if still and share is not None and self.stationary + 1 > share * (self.passed + 1):
            return "stationary"
        self.passed += 1
        self.stationary += still
        return ""


def _fault(filters: Filters, path_m: Floats, future_m: Floats) -> str:
    velocity_mps = _changes(path_m) / STEP_S
    if _exceeds(velocity_mps, filters.jump_mps):
        return "jump"
    if _exceeds(_changes(velocity_mps) / STEP_S, filters.acceleration_mps2):
        return "impossible_acceleration"
    behind_m = filters.reverse_m
    is_reverse = behind_m is not None and (-future_m[:, 0] > behind_m).any()
    return "reverse_motion" if is_reverse else ""


def _changes(vectors: Floats) -> Floats:
    changes: Floats = vectors[1:] - vectors[:-1]
    return changes


def _exceeds(vectors: Floats, limit: float | None) -> bool:
    return limit is not None and bool((np.hypot(vectors[:, 0], vectors[:, 1]) > limit).any())
