"""q2: what will each road user in one view do next?"""

import re
from functools import lru_cache
from math import hypot

from impromptu.arrays import altered
from impromptu.clip import Agent, Clip, MetaAction, Observation, Unanswerable
from impromptu.preset import Preset
from impromptu.questions import AnswerError, Question
from impromptu.questions._text import meta_action, tagged, untagged, view, whole
from impromptu.wording import Wording

TAG = "DYNAMIC OBJECTS"
_LINE = re.compile(r"Object\s+(\d{1,4})\s*:(.*)", re.IGNORECASE | re.ASCII)


def narrow(clip: Clip, preset: Preset) -> Observation:
    """Keep the agents that this view shows and whose future is known."""
    if not clip.observation.annotated:
        raise Unanswerable("not_annotated")
    agents = tuple(preset.moving(clip))
    if not agents:
        raise Unanswerable("no_agent_in_view")
    return altered(clip.observation, agents=agents)


def prompt(observation: Observation, wording: Wording) -> str:
    """Number the agents and ask about each."""
    lines = [line(number, agent) for number, agent in enumerate(observation.agents, start=1)]
    return wording.render("q2.prompt", objects="\n".join(lines), **view(observation))


def line(number: int, agent: Agent) -> str:
    """Tell where an agent is and how fast it is, in whole numbers."""
    x, y, _ = agent.center_m.tolist()
    speed = 0 if (v := agent.velocity_mps) is None else whole(hypot(*v.tolist()))
    return (
        f"Object {number}: {agent.category}, "
        f"{whole(abs(x))} meters {'ahead' if x >= 0 else 'behind'}, "
        f"{whole(abs(y))} meters to the {'left' if y >= 0 else 'right'}, speed of {speed} m/s."
    )


def truth(clip: Clip, preset: Preset) -> dict[int, MetaAction]:
    """Return what each agent does, by its number."""
    return preset.agent_actions(clip)


def write(actions: dict[int, MetaAction], wording: Wording) -> str:
    """Write one line an object, in tags."""
    lines = [f"Object {number}: {a.speed}, {a.path}" for number, a in sorted(actions.items())]
    return tagged(TAG, "\n".join(lines))


def read(text: str) -> dict[int, MetaAction]:
    """Read one line an object.

    Raises:
        AnswerError: There is no line, a line is none of an object, or a number comes twice.
    """
    actions: dict[int, MetaAction] = {}
    for line in filter(None, map(str.strip, untagged(TAG, text).splitlines())):
        number, action = _read_line(line)
        if number in actions:
            raise AnswerError(f"Object {number} comes twice in {text[:80]!r}", "repeated_object")
        actions[number] = action
    if not actions:
        raise AnswerError(f"expected lines 'Object k: SPEED, PATH', got {text[:80]!r}", "no_line")
    return actions


@lru_cache(maxsize=1024)
def _read_line(line: str) -> tuple[int, MetaAction]:
    match = _LINE.fullmatch(line)
    if match is None:
        raise AnswerError(f"expected 'Object k: SPEED, PATH', got {line[:80]!r}", "malformed_line")
    return int(match[1]), meta_action(match[2])


QUESTION = Question(
    task="q2",
    views="each",
    past_s=0.0,
    future_s=0.0,
    prompt=prompt,
    truth=truth,
    write=write,
    read=read,
    metrics=("intention_f1",),
    narrow=narrow,
)
