"""Labels by the published rules, each expected value derived by hand from their description."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from impromptu.arrays import Floats
from impromptu.clip import (
    Agent,
    Camera,
    Clip,
    EgoStatus,
    MetaAction,
    Observation,
    Trajectory,
    Unanswerable,
)
from impromptu.released import actions, shown

T_S = 0.5 * np.arange(1, 11)


def path(points_m: Sequence[Sequence[float]] | Floats, yaw_rad: object = 0.0) -> Trajectory:
    yaw = np.broadcast_to(np.asarray(yaw_rad, dtype=np.float64), 10)
    return Trajectory(T_S, np.asarray(points_m, dtype=np.float64), yaw)


def along_x(*steps_m: float) -> Trajectory:
    """Steps in x, the last of them repeated up to ten."""
    steps = [*steps_m, *[steps_m[-1]] * (10 - len(steps_m))]
    return path(np.column_stack([np.cumsum(steps), np.zeros(10)]))


def make(
    dataset: str,
    future: Trajectory,
    view: str = "FRONT",
    agents: tuple[Agent, ...] = (),
    futures: dict[str, Trajectory] | None = None,
) -> Clip:
    past = Trajectory(np.array([-0.5, 0.0]), np.array([[-2.004, 0.0], [0, 0]]))
    status = EgoStatus(np.array([7.9, 0.3]))
    observation = Observation((Camera(view, Path("a")),), past, (status, status), agents)
    return Clip("d/l/k", dataset, "train", "l", 0, observation, future, futures or {})


def make_agent(category: str, x: float, y: float, yaw_rad: float = 0.0) -> Agent:
    size_m = np.ones(3)
    velocity_mps = np.array([3.7, 0])
    return Agent(category, category, "vehicle", np.array([x, y, 0]), size_m, yaw_rad, velocity_mps)


@pytest.mark.parametrize(
    ("future", "word"),
    [
        (along_x(0.9, 1.5, 2, 3, 4), "STOP"),  # a standing start: 1.8 m/s now
        (along_x(2, 1, 0.5, 0.1, 0), "DECELERATE"),  # 4 m/s now, 0 in 2 s: not a stop
        (along_x(2, 2, 2, 3, 3.5), "ACCELERATE"),  # 4 m/s, then 7 m/s after 2 s
        (along_x(2, 2, 2, 3, 3.4, 9), "KEEP"),  # 6.8 m/s; what is later is not looked at
    ],
)
def test_speed_looks_two_seconds_ahead(future: Trajectory, word: str) -> None:
    assert actions.ego_action(make("once", future)).speed == word


@pytest.mark.parametrize(
    ("future", "word"),
    [
        (along_x(9, 8, 7, 6, 5), "DECELERATE"),  # 18 m/s in the first step, 10 in the last
        (along_x(0.5, 0.6, 0.9), "STOP"),  # never 2 m/s
        (along_x(0.5, 1, 1.5, 2.0), "ACCELERATE"),  # 1 m/s, then 4
        (along_x(4, 9, 9, 9, 9, 9, 9, 9, 9, 4), "KEEP"),
    ],
)
def test_nuscenes_compares_its_first_and_last_step(future: Trajectory, word: str) -> None:
    assert actions.ego_action(make("nuscenes", future)).speed == word


def bend(x: float, y: float) -> Trajectory:
    """Two steps of 5 m straight on, then one to (x, y), and so on from there."""
    steps = np.array([[5, 0], [5, 0], [x - 10, y], *[[5, 0]] * 7])
    return path(np.cumsum(steps, axis=0))


@pytest.mark.parametrize(
    ("dataset", "x", "y", "word"),
    [
        # 1.1 m aside over 5 m is 12 degrees.
        ("argoverse2", 15, 1.1, "LEFT_TURN"),
        ("argoverse2", 15, -1.1, "RIGHT_TURN"),
        ("argoverse2", 15, 0.9, "STRAIGHT"),
        ("kitti", 15, 0.9, "LEFT_TURN"),  # 0.5 m, 5 degrees
        ("once", 15, 1.1, "LEFT_TURN"),  # 1 m, 10 degrees
        ("once", 17, 1.1, "LEFT_CHANGE"),  # 9 degrees
        ("idd", 15, 1.9, "STRAIGHT"),  # 2 m
        ("idd", 17, -2.1, "RIGHT_CHANGE"),  # 17 degrees of 20
        ("navsim", 15, 2.1, "LEFT_CHANGE"),  # 23 degrees of 30
        ("waymo", 15, 1.1, "LEFT_TURN"),
        ("mapillary_sls", 15, 1.1, "LEFT_TURN"),
    ],
)
def test_path_looks_at_three_steps(dataset: str, x: float, y: float, word: str) -> None:
    assert actions.ego_action(make(dataset, bend(x, y))).path == word


@pytest.mark.parametrize(
    ("x", "y", "word"),
    [
        (40, 3.9, "STRAIGHT"),
        (40, 4.1, "LEFT_TURN"),  # 5.9 degrees
        (50, 4.1, "LEFT_CHANGE"),  # 4.7 degrees
        (50, -4.1, "RIGHT_CHANGE"),
        (20, -9, "RIGHT_TURN"),
    ],
)
def test_nuscenes_looks_at_its_end_point(x: float, y: float, word: str) -> None:
    future = path(np.outer(np.arange(1, 11) / 10, [x, y]))
    assert actions.ego_action(make("nuscenes", future)).path == word


def test_a_first_step_of_no_length_gives_no_path() -> None:
    assert actions.ego_action(make("kitti", along_x(0.0, 0.0, 3.0))).path == "STRAIGHT"


@pytest.mark.parametrize(
    ("end", "command"),
    [
        ((50, 9.9), "go straight"),
        ((50, 10.1), "go straight and turn left"),
        ((20, -10.1), "go straight and turn right"),
        ((19, -10.1), "turn right"),
    ],
)
def test_navigation_is_read_off_the_future(end: tuple[float, float], command: str) -> None:
    points = np.linspace([1, 0], [end[0] - 1, 0], 9)
    future = path([*points, end])
    assert actions.navigation(make("waymo", future)) == command


@pytest.mark.parametrize(
    ("end", "command"),
    [
        ((50, 0), "turn left"),  # straight on for 50 m
        ((20, -30), "go straight and turn left"),  # a right turn
        ((9, 0), "go straight"),
    ],
)
def test_nuscenes_navigation_has_its_axes_swapped(end: tuple[float, float], command: str) -> None:
    future = path(np.outer(np.arange(1, 11) / 10, end))
    assert actions.navigation(make("nuscenes", future)) == command


def test_idd_takes_the_side_from_the_first_steps() -> None:
    future = path([*bend(15, 2).xy_m[:6], [25, -4], [30, -8], [35, -12], [40, -15]])
    assert actions.navigation(make("idd", future)).endswith("turn left")
    assert actions.navigation(make("waymo", future)).endswith("turn right")


def test_status_is_forward_differences_of_two_decimals() -> None:
    """Positions -2.00, 0, 4.00, 9.00: velocities 4, 8, 10, accelerations 8, 4."""
    future = along_x(4.004, 5.0)
    statuses = shown.show(make("kitti", future), "q7").statuses
    velocities = [status.velocity_mps.tolist() for status in statuses if status]
    accelerations = [
        status.acceleration_mps2.tolist()
        for status in statuses
        if status and status.acceleration_mps2 is not None
    ]
    np.testing.assert_allclose(velocities, [[4, 0], [8, 0]])
    np.testing.assert_allclose(accelerations, [[8, 0], [4, 0]])
    assert not any(status.logged for status in statuses if status)


@pytest.mark.parametrize(("dataset", "speed_mps"), [("kitti", 9.0), ("nuscenes", 7.0)])
def test_the_told_speed_is_whole_and_leaks_but_for_nuscenes(dataset: str, speed_mps: float) -> None:
    clip = make(dataset, along_x(4.9))
    for task in ("q3", "q6"):
        seen = shown.show(clip, task)
        assert seen.status is not None
        assert seen.status.velocity_mps.tolist() == [speed_mps, 0]
        assert seen.command is not None
    planning = shown.show(clip, "planning")
    assert planning.statuses == clip.observation.statuses and planning.command is None


def test_argoverse_calls_its_side_views_back() -> None:
    clip = make("argoverse2", along_x(4), view="SIDE LEFT")
    assert [camera.view for camera in shown.show(clip, "q6").cameras] == ["BACK LEFT"]
    clip = make("waymo", along_x(4), view="SIDE LEFT")
    assert [camera.view for camera in shown.show(clip, "q6").cameras] == ["SIDE LEFT"]


def test_a_parked_car_moves_in_argoverse() -> None:
    parked = make_agent("car", 30.0, 0.0)
    futures = {"car": path(np.full((10, 2), [30.0, 0.0]))}
    for dataset, speed in (("argoverse2", "KEEP"), ("waymo", "STOP"), ("nuscenes", "STOP")):
        clip = make(dataset, along_x(5), agents=(parked,), futures=futures)
        assert actions.agent_actions(clip) == {1: MetaAction(speed, "STRAIGHT")}  # type: ignore[arg-type]
        (asked,) = shown.moving(clip)
        assert asked.velocity_mps is not None
        told = {"argoverse2": 10.0, "waymo": 0.0, "nuscenes": 3.0}[dataset]
        assert asked.velocity_mps.tolist() == [told, 0]


def test_a_turning_ego_turns_the_world_in_argoverse() -> None:
    """The ego turns on the spot by 10 degrees a step; a parked car 30 m ahead swings right."""
    yaw_rad = np.deg2rad(10) * np.arange(1, 11)
    clip = make(
        "argoverse2",
        path(np.zeros((10, 2)), yaw_rad),
        agents=(make_agent("car", 30.0, 0.0),),
        futures={"car": path(np.full((10, 2), [30.0, 0.0]))},
    )
    # On a circle about us, clockwise: its course turns by 10 degrees a step to the right.
    assert actions.agent_actions(clip)[1] == MetaAction("KEEP", "RIGHT_TURN")


def test_an_agent_of_nuscenes_is_read_in_its_own_frame() -> None:
    oncoming = make_agent("car", 30.0, 0.0, np.pi)
    # It drives towards us and ends 6 m to our right, its left turn.
    end = path(np.array([30.0, 0.0]) - np.outer(np.arange(1, 11) / 10, [20.0, 6.0]))
    clip = make("nuscenes", along_x(5), agents=(oncoming,), futures={"car": end})
    assert actions.agent_actions(clip)[1].path == "LEFT_TURN"


@pytest.mark.parametrize(
    ("dataset", "view", "x", "y", "is_asked"),
    [
        ("waymo", "FRONT", 30, 7, True),  # 13 degrees
        ("waymo", "FRONT", 30, 9, False),  # 17
        ("waymo", "FRONT LEFT", 30, 9, True),
        ("waymo", "SIDE LEFT", 0, 30, True),
        ("waymo", "SIDE RIGHT", 0, -30, True),
        ("waymo", "FRONT", 41, 0, False),
        ("argoverse2", "BACK RIGHT", 0, -30, True),  # its side view, as published prompts call it
        ("argoverse2", "REAR LEFT", -30, 5, True),
        ("nuscenes", "FRONT", 30, 20, True),  # 34 degrees
        ("nuscenes", "FRONT LEFT", 30, 20, True),  # seen twice
        ("nuscenes", "BACK", -19, 5, True),
        ("nuscenes", "BACK", -19, -5, True),  # beyond 180 degrees
        ("nuscenes", "BACK", -20, 5, False),  # 20.6 m
    ],
)
def test_agents_are_seen_by_sector(
    dataset: str, view: str, x: float, y: float, is_asked: bool
) -> None:
    agents = make_agent("car", x, y), make_agent("SIGN", x, y), make_agent("unknown", x, y)
    futures = {agent.id: path(np.full((10, 2), [x, y])) for agent in agents}
    clip = make(dataset, along_x(5), view, agents, futures)
    assert [agent.category for agent in shown.moving(clip)] == ["car"] * is_asked
    assert not shown.moving(replace(clip, agent_futures={"car": futures["car"][:9]}))


def test_vulnerable_road_users_are_cut_down_to_whole_meters() -> None:
    agents = (
        make_agent("PEDESTRIAN", 9.9, -2.0),
        make_agent("PEDESTRIAN", 9.9, -9.0),
        make_agent("BICYCLIST", 9.9, 0.0),
        make_agent("WHEELCHAIR", 19.9, 4.9),
        make_agent("WHEELCHAIR", 20.1, 0.0),
    )
    seen = shown.vulnerable(make("argoverse2", along_x(5), agents=agents))
    assert [(a.category, *a.center_m[:2]) for a in seen] == [
        ("PEDESTRIAN", 9.0, -2.0),
        ("WHEELCHAIR", 19.0, 4.0),
    ]


def test_what_was_never_published_is_not_made_up() -> None:
    clip = make("synthetic", along_x(5), agents=(make_agent("car", 9, 0),))
    for make_one in (actions.ego_action, shown.moving, shown.vulnerable):
        with pytest.raises(Unanswerable, match="no_released_rules"):
            make_one(clip)
    short = make("kitti", along_x(5)[:9])
    for read_off in (actions.ego_action, actions.navigation):
        with pytest.raises(Unanswerable, match="future_under_5s"):
            read_off(short)
