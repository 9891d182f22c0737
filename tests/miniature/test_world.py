from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from impromptu.arrays import Bools, Floats
from impromptu.miniature import road, stories
from impromptu.miniature.world import EGO_SIZE_M, Boxes, World, axes

SEEDS = range(2)
DRIVES = [(story, seed) for story in range(len(stories.STORIES)) for seed in SEEDS]
T_S = np.arange(0.0, 20.0, 0.1)


@cache
def world(story: int, seed: int) -> World:
    return stories.tell(story, np.random.default_rng(seed))


@pytest.fixture(params=DRIVES, ids=lambda drive: f"{stories.STORIES[drive[0]].__name__}-{drive[1]}")
def drive(request: pytest.FixtureRequest) -> World:
    return world(*request.param)


def test_the_ego_stands_on_the_ground_and_points_along_its_track(drive: World) -> None:
    rotations, positions = drive.ego_poses(T_S)
    xy, heading = drive.ego.xy_heading(T_S)
    np.testing.assert_allclose(positions[:, 2], road.height_m(xy))
    np.testing.assert_allclose(
        rotations @ rotations.swapaxes(1, 2), np.tile(np.eye(3), (200, 1, 1)), atol=1e-12
    )
    np.testing.assert_allclose(np.linalg.det(rotations), 1)
    yaw = np.arctan2(rotations[:, 1, 0], rotations[:, 0, 0])
    np.testing.assert_allclose(np.cos(yaw - heading), 1, atol=1e-6)


def test_the_ego_follows_the_slope_of_the_ground(drive: World) -> None:
    rotations, _ = drive.ego_poses(T_S)
    tilt = np.arccos(rotations[:, 2, 2])
    assert 0.005 < tilt.max() < 0.05


def test_the_nose_dips_in_braking_and_the_body_leans_out_of_a_bend() -> None:
    """Less the ground's slope: 4 mrad of pitch and 5 mrad of roll for each m/s2."""
    for story, t_s in ((0, 4.5), (1, 9.0)):
        drive, now = world(story, 0), np.array([t_s])
        rotation, acceleration = drive.ego_poses(now)[0][0], drive.ego_kinematics(now)[1][0]
        slope = road.slope(drive.ego.xy_heading(now)[0])[0]
        ahead, left = acceleration @ rotation[:, 0], acceleration @ rotation[:, 1]
        flat = rotation[:2, :2].T @ slope
        assert rotation[2, 0] - flat[0] == pytest.approx(0.004 * ahead, abs=5e-4)
        assert rotation[2, 1] - flat[1] == pytest.approx(0.005 * left, abs=5e-4)
        assert abs(ahead) > 2 or abs(left) > 2


def test_the_ego_moves_like_a_car(drive: World) -> None:
    _, acceleration, rate = drive.ego_kinematics(T_S)
    assert np.abs(acceleration).max() < 4
    assert np.abs(rate).max() < 0.8
    assert drive.ego.pace.speed_mps(T_S).min() > -1e-9


def test_velocity_is_the_slope_of_the_position(drive: World) -> None:
    """Richardson's extrapolation of differences a hundred times as long is as good."""
    velocity, acceleration, _ = drive.ego_kinematics(T_S)

    def difference(step_s: float) -> Floats:
        ahead, behind = (drive.ego_poses(T_S + sign * step_s)[1] for sign in (1, -1))
        return (ahead - behind) / (2 * step_s)

    expected = (4 * difference(0.01) - difference(0.02)) / 3
    np.testing.assert_allclose(velocity, expected, atol=2e-5)
    before, after = (drive.ego_kinematics(T_S + d)[0] for d in (-0.01, 0.01))
    np.testing.assert_allclose(acceleration, (after - before) / 0.02, atol=5e-3)


def test_a_point_off_the_axle_moves_by_the_lever_rule(drive: World) -> None:
    arm = np.array([0.4, 0.3, 0.9])
    velocity, _, rate = drive.ego_kinematics(T_S)
    off, _, same_rate = drive.ego_kinematics(T_S, arm.tolist())
    rotations, _ = drive.ego_poses(T_S)
    np.testing.assert_allclose(off, velocity + np.cross(rate, rotations @ arm), atol=1e-6)
    np.testing.assert_allclose(same_rate, rate)


def test_the_steering_wheel_explains_the_turning_rate(drive: World) -> None:
    _, _, rate = drive.ego_kinematics(T_S)
    wheel = np.tan(drive.steering_wheel_rad(T_S) / 16.0) / 2.7
    np.testing.assert_allclose(drive.ego.pace.speed_mps(T_S) * wheel, rate[:, 2], atol=2e-3)


def corners(centre: Floats, yaw: Floats, size: Floats) -> Floats:
    """Return (..., 4, 2) corners of boxes seen from above."""
    half = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)]) * size[..., None, :2] / 2
    turned: Floats = np.einsum("...ij,...kj->...ki", axes(yaw)[..., :2, :2], half)
    return turned + centre[..., None, :2]


def overlap(a: Floats, b: Floats) -> Bools:
    """Tell whether rectangles overlap: no side of either separates them."""
    apart = np.zeros(np.broadcast_shapes(a.shape, b.shape)[:-2], dtype=bool)
    for one, other in ((a, b), (b, a)):
        for i, j in pairwise((0, 1, 2)):
            side = one[..., j, :] - one[..., i, :]
            normal = np.stack([-side[..., 1], side[..., 0]], axis=-1)[..., None, :]
            p, q = (one * normal).sum(-1), (other * normal).sum(-1)
            apart = apart | (p.max(-1) < q.min(-1)) | (q.max(-1) < p.min(-1))
    return ~apart


def with_ego(drive: World, t_s: Floats) -> Boxes:
    boxes = drive.boxes(t_s)
    rotations, positions = drive.ego_poses(t_s)
    centre = positions + rotations @ [1.35, 0.0, EGO_SIZE_M[2] / 2]
    yaw = np.arctan2(rotations[:, 1, 0], rotations[:, 0, 0])
    return Boxes(
        np.concatenate([centre[:, None], boxes.centre_m], axis=1),
        np.column_stack([yaw, boxes.yaw_rad]),
        np.column_stack([0 * yaw, boxes.speed_mps]),
        np.vstack([EGO_SIZE_M, boxes.size_m]),
    )


def test_nobody_drives_through_anybody(drive: World) -> None:
    boxes = with_ego(drive, np.arange(0.0, stories.LONGEST_S, 0.2))
    shapes = corners(boxes.centre_m, boxes.yaw_rad, boxes.size_m)
    for i in range(shapes.shape[1] - 1):
        met = np.argwhere(overlap(shapes[:, i, None], shapes[:, i + 1 :]))
        assert not len(met), f"bodies {i} and {i + 1 + met[0, 1]} at {met[0, 0] * 0.2:.1f} s"


def test_boxes_stand_on_the_ground(drive: World) -> None:
    boxes = drive.boxes(T_S)
    foot = boxes.centre_m[..., 2] - boxes.size_m[:, 2] / 2
    np.testing.assert_allclose(foot, road.height_m(boxes.centre_m[..., :2]))


def test_speeds_of_boxes_are_those_of_their_middles(drive: World) -> None:
    boxes = drive.boxes(T_S)
    moved = np.linalg.norm(np.diff(boxes.centre_m[..., :2], axis=0), axis=-1) / 0.1
    between = (boxes.speed_mps[1:] + boxes.speed_mps[:-1]) / 2
    np.testing.assert_allclose(moved, between, atol=0.02)


def test_the_two_streets_never_both_go(drive: World) -> None:
    for t_s in np.arange(0.0, 30.0, 0.1):
        assert "red" in drive.lights.colours(float(t_s))


def test_the_ego_waits_behind_the_line_while_its_light_is_red() -> None:
    for seed in SEEDS:
        drive = world(0, seed)
        red = np.array([drive.lights.colours(float(t))[0] == "red" for t in T_S])
        front_m = drive.ego_poses(T_S)[1][:, 0] + 1.35 + EGO_SIZE_M[0] / 2
        assert red.any() and front_m[red].max() < -road.MAIN_STOP_M
        assert drive.ego.pace.speed_mps(np.array(10.0)) == pytest.approx(0)
        assert front_m[-1] > 0


def test_stories_differ_in_what_the_ego_does() -> None:
    turned, ends = [], []
    for story in range(len(stories.STORIES)):
        ego = world(story, 0).ego
        xy, heading = ego.xy_heading(np.array([0.0, 20.0]))
        turned.append(round(np.rad2deg(heading[1])))
        ends.append(ego.pace.speed_mps(T_S).min() < 0.01)
    assert turned == [0, 90, 0, -90, 0, 0]
    assert ends == [True, False, False, False, True, False]


def test_somebody_on_foot_is_near_the_ego_in_every_story(drive: World) -> None:
    boxes, (_, ego_m) = drive.boxes(T_S), drive.ego_poses(T_S)
    on_foot = [i for i, body in enumerate(drive.bodies) if body.shape == "pedestrian"]
    away_m = np.linalg.norm(boxes.centre_m[:, on_foot, :2] - ego_m[:, None, :2], axis=-1)
    assert away_m.min() < 20


def test_the_same_seed_tells_the_same_story() -> None:
    first, second, other = (stories.tell(1, np.random.default_rng(seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first.boxes(T_S).centre_m, second.boxes(T_S).centre_m)
    assert len(other.bodies) != len(first.bodies) or not np.array_equal(
        first.boxes(T_S).centre_m, other.boxes(T_S).centre_m
    )
