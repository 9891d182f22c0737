"""q7: where will the ego be, each half second for the next five?"""

from dataclasses import replace

from impromptu.clip import STEP_S, Clip, Observation, Trajectory
from impromptu.preset import Preset
from impromptu.questions import Question, _waypoints
from impromptu.questions._text import two_decimals, views
from impromptu.wording import Wording

PAST_S, FUTURE_S = 1.5, 5.0
COUNT = round(FUTURE_S / STEP_S)


def narrow(clip: Clip, preset: Preset) -> Observation:
    """Show the last 1.5 s."""
    observation = clip.observation
    kept = slice(-1 - round(PAST_S / STEP_S), None)
    return replace(observation, past=observation.past[kept], statuses=observation.statuses[kept])


def prompt(observation: Observation, wording: Wording) -> str:
    """Ask for ten waypoints, given the past ones."""
    return wording.render(
        "q7.prompt",
        views=views(observation.cameras, wording, "q7"),
        history=_waypoints.history(observation, wording, "q7", two_decimals),
        history_s=_waypoints.history_s(observation),
    )


def truth(clip: Clip, preset: Preset) -> Trajectory:
    """Return the next 5 s."""
    return clip.future[:COUNT]


def write(trajectory: Trajectory, wording: Wording) -> str:
    """Write ten waypoints to two decimals."""
    return _waypoints.write(trajectory, wording, "q7", two_decimals)


def read(text: str) -> Trajectory:
    """Read ten waypoints; raises ``AnswerError``."""
    return _waypoints.read(text, COUNT)


def read_padded(text: str) -> Trajectory:
    """Read whatever waypoints are there, continued with the last one."""
    return _waypoints.read_padded(text, COUNT)


QUESTION = Question(
    task="q7",
    views="forward",
    past_s=PAST_S,
    future_s=FUTURE_S,
    prompt=prompt,
    truth=truth,
    write=write,
    read=read,
    metrics=("l2", "ade_fde"),
    narrow=narrow,
    read_padded=read_padded,
)
