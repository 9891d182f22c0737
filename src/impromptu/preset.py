"""Presets: what ``strict`` and ``released`` decide differently."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from impromptu import meta_actions, released, visibility
from impromptu.clip import Agent, Clip, MetaAction, Observation
from impromptu.filters import Filters
from impromptu.released import actions, shown

PresetName = Literal["strict", "released"]


@dataclass(frozen=True, slots=True)
class Preset:
    """One set of choices.

    Attributes:
        name: As on the command line.
        marks: What every record made with it carries beside its own fields.
        show: What a model is shown of a clip for a task: ``q1`` ... ``q7``, ``planning``.
        vulnerable: The agents that q1 is about, of a clip with the front view.
        moving: The agents that q2 is about, of a clip with one view.
        ego_action: What the ego does; raises ``Unanswerable``.
        agent_actions: What each agent of the observation does, by number from 1; likewise.
        filters: Whose motion is not asked about, unless a recipe says otherwise.
        filtered: The tasks that this applies to.
    """

    name: PresetName
    marks: dict[str, str]
    show: Callable[[Clip, str], Observation]
    vulnerable: Callable[[Clip], list[Agent]]
    moving: Callable[[Clip], list[Agent]]
    ego_action: Callable[[Clip], MetaAction]
    agent_actions: Callable[[Clip], dict[int, MetaAction]]
    filters: Filters
    filtered: tuple[str, ...]


def _observation(clip: Clip, task: str) -> Observation:
    return clip.observation


STRICT = Preset(
    name="strict",
    marks={},
    show=_observation,
    vulnerable=visibility.vulnerable,
    moving=visibility.moving,
    ego_action=meta_actions.ego_action,
    agent_actions=meta_actions.agent_actions,
    # The planning set is that of its benchmark, and the other questions are not about motion.
    filters=Filters(reverse_m=1.0, jump_mps=60.0, acceleration_mps2=12.0),
    filtered=("q3", "q6", "q7"),
)

RELEASED = Preset(
    name="released",
    marks={"preset": "released", "warning": released.WARNING},
    show=shown.show,
    vulnerable=shown.vulnerable,
    moving=shown.moving,
    ego_action=actions.ego_action,
    agent_actions=actions.agent_actions,
    filters=Filters(reverse_m=1.0),
    filtered=("q7",),
)


def load_preset(name: str) -> Preset:
    """Return a preset by its name.

    Raises:
        KeyError: There is no such preset; the message lists those there are.
    """
    presets: dict[str, Preset] = {preset.name: preset for preset in (STRICT, RELEASED)}
    if name not in presets:
        raise KeyError(f"no preset {name!r}; there are {', '.join(get_args(PresetName))}")
    return presets[name]
