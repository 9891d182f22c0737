"""The nuScenes planning set: where will the ego be, each half second for the next three?

Positions are those of the sensor that the benchmark tracks, LIDAR_TOP, in its own present frame
turned to x forward. It is fixed to the car 0.94 m ahead of the rear axle, so in a turn its path
is not the ego's.
"""

from dataclasses import replace

import numpy as np

from impromptu.clip import STEP_S, Clip, Observation, Trajectory, Unanswerable
from impromptu.geometry import SE2, turned, wrap_rad
from impromptu.preset import Preset
from impromptu.questions import Question, _waypoints
from impromptu.questions._text import shortest
from impromptu.wording import Wording

FUTURE_S = 3.0
COUNT = round(FUTURE_S / STEP_S)


def narrow(clip: Clip, preset: Preset) -> Observation:
    """Show the past path of the tracked frame, as much of 3 s as there is."""
    observation = clip.observation
    return replace(observation, past=_tracked(observation.past, observation.ego_SE2_planning))


def prompt(observation: Observation, wording: Wording) -> str:
    """Ask for six waypoints, given the past ones."""
    history_s = _waypoints.history_s(observation)
    past = "planning.past" if len(observation.past) > 1 else "planning.no_past"
    return wording.render(
        "planning.prompt",
        past=wording.render(past, history_s=history_s),
        history=_waypoints.history(observation, wording, "planning", shortest),
        history_s=history_s,
    )


def truth(clip: Clip, preset: Preset) -> Trajectory:
    """Return the path of the tracked frame over the next 3 s."""
    return _tracked(clip.future[:COUNT], clip.observation.ego_SE2_planning)


def write(trajectory: Trajectory, wording: Wording) -> str:
    """Write six waypoints to at most two decimals."""
    return _waypoints.write(trajectory, wording, "planning", shortest)


def read(text: str) -> Trajectory:
    """Read six waypoints; raises ``AnswerError``."""
    return _waypoints.read(text, COUNT)


def _tracked(ego: Trajectory, ego_SE2_planning: SE2 | None) -> Trajectory:
    """Return the path of a frame fixed to the ego, in that frame's present pose.

    With E the ego's pose at a time, in the present ego frame, and S the tracked frame in the
    ego's, the tracked frame's pose is ``S^-1 E S``.
    """
    if ego_SE2_planning is None:
        raise Unanswerable("no_planning_frame")
    if ego.yaw_rad is None:
        raise Unanswerable("heading_unknown")
    mounted_m = ego_SE2_planning.translation_m
    xy_m = ego.xy_m + turned(mounted_m, ego.yaw_rad) - mounted_m
    xy_m = turned(xy_m, np.asarray(-ego_SE2_planning.yaw_rad))
    xy_m[ego.t_s == 0] = 0.0  # rounding must not move the present off its own origin
    return Trajectory(ego.t_s, xy_m, wrap_rad(ego.yaw_rad))


def read_padded(text: str) -> Trajectory:
    """Read whatever waypoints are there, continued with the last one."""
    return _waypoints.read_padded(text, COUNT)


QUESTION = Question(
    task="planning",
    views="front",
    past_s=0.0,
    future_s=FUTURE_S,
    prompt=prompt,
    truth=truth,
    write=write,
    read=read,
    metrics=(
        "l2_stp3",
        "l2_uniad",
        "l2_lightemma",
        "l2_openemma",
        "ade_fde",
        "collision_uniad",
        "collision_vad",
        "collision_sparsedrive",
    ),
    narrow=narrow,
    read_padded=read_padded,
    only=("nuscenes",),
)
