"""Presets: what ``strict`` and ``released`` decide differently."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from impromptu.clip import Clip, Observation

PresetName = Literal["strict", "released"]


@dataclass(frozen=True, slots=True)
class Preset:
    """One set of choices.

    Attributes:
        observe: What a model is shown of a clip. ``strict``: its observation. ``released``: an
            observation whose status is the published one, computed from the future.
    """

    name: PresetName
    observe: Callable[[Clip], Observation]
