"""Writes a clip as a Rerun recording: images, cameras, boxes, past, future and predicted paths.

Everything is in the ego frame of the present instant, under ``ego``; time is ``t_s``, the present
at 0. What is known of one instant only (images, cameras, whole paths) is there at all times.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from impromptu.arrays import Floats
from impromptu.clip import Agent, Camera, Clip, Trajectory
from impromptu.explorer.judging import read_path
from impromptu.explorer.records import spans
from impromptu.explorer.sources import RunFile, naming
from impromptu.geometry import SE2

APPLICATION = "impromptu"
_KINDS = {
    "vehicle": (185, 196, 207),
    "cyclist": (86, 180, 233),
    "pedestrian": (240, 228, 66),
    "object": (216, 203, 184),
}
_PAST, _TRUE, _EGO = (82, 96, 109), (0, 158, 115), (31, 41, 51)
_RUNS = ((213, 94, 0), (0, 114, 178), (204, 121, 167), (230, 159, 0))
_EGO_HALF_M, _EGO_AHEAD_M = (2.05, 0.925, 0.75), 1.05
"""The ego as drawn: half its size, and its middle ahead of the rear axle."""


def export(clip: Clip, predicted: Mapping[str, Trajectory], out: Path) -> None:
    """Write one clip.

    Args:
        clip: What to write.
        predicted: Paths to come in the ego frame, by a name for each.
        out: The ``.rrd`` file.

    Raises:
        ModuleNotFoundError: Rerun is not installed; a note says how to get it.
        OSError: An image or the file cannot be read or written.
    """
    rr = _rerun()
    out.parent.mkdir(parents=True, exist_ok=True)
    with rr.RecordingStream(APPLICATION, recording_id=clip.id) as stream:
        stream.save(out)
        stream.log("/", rr.ViewCoordinates.FLU, static=True)
        stream.log("clip", rr.TextDocument(_about(clip)), static=True)
        for camera in clip.observation.cameras:
            _log_camera(rr, stream, camera)
        _log_path(rr, stream, "ego/past", clip.observation.past.xy_m, _PAST)
        now_m = np.zeros((1, 2))
        _log_path(rr, stream, "ego/future", np.vstack([now_m, clip.future.xy_m]), _TRUE)
        for place, (name, path) in enumerate(predicted.items()):
            xy_m, color = np.vstack([now_m, path.xy_m]), _RUNS[place % len(_RUNS)]
            _log_path(rr, stream, f"ego/predicted/{_part(name)}", xy_m, color)
        _log_motion(rr, stream, clip)


def predictions(clip: Clip, runs: Sequence[RunFile]) -> dict[str, Trajectory]:
    """Read what runs said of where a clip's ego will be, in the ego frame, by ``run, question``.

    Raises:
        OSError, ValueError: A file cannot be read.
    """
    found = {}
    for one in runs:
        for span in spans(one.path):
            row = span.value if isinstance(span.value, dict) else {}
            what, clip_id = naming(one.path, str(row.get("id", "")))
            if clip_id != clip.id or not isinstance(row.get("predict"), str):
                continue
            if (path := read_path(what.question, row["predict"])) is not None:
                tracked = clip.observation.ego_SE2_planning
                frame = tracked if what.question == "planning" and tracked else None
                found[f"{one.run}, {what.question}"] = _in_ego_frame(path, frame)
    return found


def _in_ego_frame(path: Trajectory, frame: SE2 | None) -> Trajectory:
    return Trajectory(path.t_s, frame.transform(path.xy_m)) if frame else path


def _rerun() -> Any:
    try:
        import rerun
    except ModuleNotFoundError as error:
        error.add_note("rerun needs more packages: pip install 'impromptu-vla[rerun]'")
        raise
    return rerun


def _part(name: str) -> str:
    """Make a name one part of an entity's path."""
    return "".join(c if c.isalnum() else "_" for c in name)


def _about(clip: Clip) -> str:
    facts = {"clip": clip.id, "split": clip.split, "timestamp_ns": clip.timestamp_ns, **clip.tags}
    return "\n".join(f"{key}: {value}" for key, value in facts.items())


def _log_camera(rr: Any, stream: Any, camera: Camera) -> None:
    """Log an image, and where its camera is if that is known."""
    name = f"ego/camera/{_part(camera.view.lower())}"
    if camera.intrinsics_px is not None and camera.ego_SE3_camera is not None:
        pose = camera.ego_SE3_camera
        at = rr.Transform3D(translation=pose.translation_m, mat3x3=pose.rotation)
        stream.log(name, at, static=True)
        lens = rr.Pinhole(
            image_from_camera=camera.intrinsics_px,
            resolution=camera.size_px,
            camera_xyz=rr.ViewCoordinates.RDF,
        )
        stream.log(f"{name}/image", lens, static=True)
    if camera.packed:
        image = rr.EncodedImage(contents=camera.packed.content())
        stream.log(f"{name}/image", image, static=True)
    elif camera.image.is_file():
        stream.log(f"{name}/image", rr.EncodedImage(path=camera.image), static=True)


def _log_path(rr: Any, stream: Any, name: str, xy_m: Floats, color: tuple[int, int, int]) -> None:
    points_m = np.column_stack([xy_m, np.zeros(len(xy_m))])
    stream.log(name, rr.LineStrips3D([points_m], colors=[color], radii=[0.05]), static=True)
    stream.log(f"{name}/points", rr.Points3D(points_m, colors=[color], radii=[0.2]), static=True)


def _log_motion(rr: Any, stream: Any, clip: Clip) -> None:
    """Log ego and agents at each time there is; an agent that is lost goes."""
    past, future = clip.observation.past, clip.future
    t_s = np.concatenate([past.t_s, future.t_s])
    for time_s, (x_m, y_m) in zip(t_s, np.vstack([past.xy_m, future.xy_m]), strict=True):
        stream.set_time("t_s", duration=float(time_s))
        yaw_rad = _heading(clip, float(time_s))
        ahead_m = _EGO_AHEAD_M * np.array([np.cos(yaw_rad), np.sin(yaw_rad)])
        center_m = [[x_m + ahead_m[0], y_m + ahead_m[1], _EGO_HALF_M[2]]]
        car = rr.Boxes3D(
            centers=center_m, half_sizes=[_EGO_HALF_M], quaternions=[_turn(yaw_rad)], colors=[_EGO]
        )
        stream.log("ego/car", car)
        if time_s >= 0:
            stream.log("ego/agents", _boxes(rr, clip, float(time_s)))


def _heading(clip: Clip, time_s: float) -> float:
    """Return the ego's heading where it is known; where not, as now."""
    for path in (clip.observation.past, clip.future):
        if path.yaw_rad is not None and len(here := np.flatnonzero(path.t_s == time_s)):
            return float(path.yaw_rad[here[0]])
    return 0.0


def _boxes(rr: Any, clip: Clip, time_s: float) -> Any:
    """Return the boxes of the agents whose place at a time is known."""
    agents, places = list[Agent](), list[tuple[Floats, float]]()
    for agent in clip.observation.agents:
        if (place := _place(agent, clip.agent_futures.get(agent.id), time_s)) is not None:
            agents.append(agent)
            places.append(place)
    return rr.Boxes3D(
        centers=np.array([center_m for center_m, _ in places]).reshape(-1, 3),
        half_sizes=np.array([agent.size_m / 2 for agent in agents]).reshape(-1, 3),
        quaternions=np.array([_turn(yaw_rad) for _, yaw_rad in places]).reshape(-1, 4),
        colors=np.array([_KINDS[agent.kind] for agent in agents], dtype=np.uint8).reshape(-1, 3),
        labels=[agent.category for agent in agents],
        show_labels=False,
    )


def _place(agent: Agent, future: Trajectory | None, time_s: float) -> tuple[Floats, float] | None:
    """Return an agent's centre and heading at a time; None where it is not known."""
    if time_s == 0:
        return agent.center_m, agent.yaw_rad
    here = np.flatnonzero(np.isclose(future.t_s, time_s)) if future else np.array([], int)
    if future is None or not len(here):
        return None
    yaw_rad = agent.yaw_rad if future.yaw_rad is None else float(future.yaw_rad[here[0]])
    return np.append(future.xy_m[here[0]], agent.center_m[2]), yaw_rad


def _turn(yaw_rad: float) -> tuple[float, float, float, float]:
    """Return a turn about z as Rerun's quaternion, x y z w."""
    return 0.0, 0.0, float(np.sin(yaw_rad / 2)), float(np.cos(yaw_rad / 2))
