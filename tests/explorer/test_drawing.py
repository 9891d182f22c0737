from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from impromptu.clip import Camera, Clip, Observation, Trajectory
from impromptu.explorer.drawing import TRUE, Route, above, on_image, past_in, xy
from impromptu.geometry import SE2, SE3

LEVEL = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])
AHEAD = Route(TRUE, "#009E73", np.array([[5.0, 0], [10, 0]]))


def test_the_past_is_read_from_the_prompt() -> None:
    prompt = (
        "(t-1.0s) [-4.00, 1.50], Velocity: X 4.0, (t-0.5s) [-2, 0.5], (t-0.0s) [0.0, 0.0] [9, 9]"
    )
    assert past_in(prompt).tolist() == [[-4, 1.5], [-2, 0.5], [0, 0]]
    assert past_in("no numbers").tolist() == [[0, 0]]


def test_up_is_ahead_and_left_is_left() -> None:
    drawn = above(np.array([[-3.0, 0], [0, 0]]), [Route(TRUE, "green", np.array([[8.0, 2.0]]))])
    past, true = drawn.lines
    assert past.dots == [(0, 3), (0, 0)]
    assert true.dots == [(-2, -8)] and true.line == "0.00,0.00 -2.00,-8.00"
    left, top, width, height = drawn.box
    assert left < -2 < 0 < left + width and top < -8 < 3 < top + height
    assert set(drawn.along) >= {-5, 0} and set(np.diff(drawn.along)) == {5}


def test_one_wild_answer_does_not_shrink_the_rest() -> None:
    past = np.zeros((1, 2))
    plain = above(past, [AHEAD]).box
    wild = above(past, [AHEAD, Route(0, "red", np.array([[9e4, 0.0]]))]).box
    assert wild[3] <= 2 * plain[3]


def test_answers_beyond_all_numbers_can_be_drawn() -> None:
    path = Trajectory(np.array([0.5]), np.array([[9e307, -9e307]]))
    drawn = above(np.zeros((1, 2)), [Route(0, "red", xy(path))])
    assert np.isfinite(drawn.box).all() and "inf" not in drawn.lines[1].line


def clip(tracked: SE2 | None, calibrated: bool = True) -> Clip:
    lens = np.array([[100.0, 0, 200], [0, 100, 100], [0, 0, 1]])
    pose = SE3(LEVEL, np.array([1.0, 0.0, 1.5]))
    camera = Camera(
        "FRONT", Path("front.jpg"), (400, 200), *((lens, pose) if calibrated else (None, None))
    )
    past = Trajectory(np.zeros(1), np.zeros((1, 2)))
    seen = Observation((camera,), past, (None,), ego_SE2_planning=tracked)
    future = Trajectory(np.array([0.5]), np.array([[1.0, 0]]))
    return Clip("a/b/c", "a", "val", "b", 0, seen, future)


def test_waypoints_lie_on_the_ground_of_the_image() -> None:
    drawn = on_image(clip(None), "front.jpg", "q7", [AHEAD])
    assert drawn is not None and (drawn.width_px, drawn.height_px) == (400, 200)
    # Depths 4 and 9 m, 1.5 m below the camera: 100 + 100 * 1.5 / depth.
    assert drawn.lines[0].dots == [(200, 137.5), (200, pytest.approx(116.67))]


def test_the_planning_question_is_asked_in_the_frame_of_its_sensor() -> None:
    tracked = clip(SE2(0.0, np.array([1.0, 0.5])))
    moved = on_image(tracked, "front.jpg", "planning", [AHEAD])
    # Now at depth 5 m and half a metre to the left.
    assert moved is not None and moved.lines[0].dots[0] == (190, 130)
    same = on_image(tracked, "front.jpg", "q7", [AHEAD])
    assert same is not None and same.lines[0].dots[0] == (200, 137.5)


def test_cameras_whose_images_have_the_same_name_are_told_apart() -> None:
    one = clip(None)
    front = replace(one.observation.cameras[0], image=Path("/data/FRONT/7.jpg"))
    left = replace(front, image=Path("/data/LEFT/7.jpg"), size_px=(300, 200))
    both = replace(one, observation=replace(one.observation, cameras=(front, left)))
    drawn = on_image(both, "../raw/LEFT/7.jpg", "q7", [AHEAD])
    assert drawn is not None and drawn.width_px == 300
    assert on_image(both, "../raw/RIGHT/7.jpg", "q7", [AHEAD]) is None


def test_nothing_is_drawn_without_calibration_or_behind_the_camera() -> None:
    assert on_image(clip(None, calibrated=False), "front.jpg", "q7", [AHEAD]) is None
    assert on_image(clip(None), "other.jpg", "q7", [AHEAD]) is None
    behind = on_image(clip(None), "front.jpg", "q7", [Route(0, "red", np.array([[-5.0, 0]]))])
    assert behind is not None and behind.lines[0].dots == [] and behind.lines[0].line == ""
