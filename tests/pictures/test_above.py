"""The scene from above: what lies where, and which name stands beside it."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon

from impromptu.arrays import Floats
from impromptu.clip import Clip, Trajectory
from impromptu.pictures import Paths
from impromptu.pictures._paint import swept
from impromptu.pictures.above import draw_above, spread


def _drawn(clip: Clip, paths: Paths) -> Axes:
    axes = Figure(figsize=(5, 4)).add_axes((0.1, 0.1, 0.6, 0.8))
    draw_above(axes, clip.observation.agents, paths)
    return axes


def _polygons(axes: Axes) -> list[Floats]:
    return [np.asarray(p.get_xy())[:4] for p in axes.patches if isinstance(p, Polygon)]


def test_x_is_up_and_y_is_left_in_equal_metres(clip: Clip, paths: Paths) -> None:
    axes = _drawn(clip, paths)
    right, left = axes.get_xlim()[::-1]
    bottom, top = axes.get_ylim()
    assert right < 0 < left
    assert bottom < 0 < top
    np.testing.assert_allclose((left - right) / (top - bottom), 5 * 0.6 / (4 * 0.8))
    assert "y" in axes.get_xlabel() and "(m)" in axes.get_xlabel()
    assert "x" in axes.get_ylabel() and "(m)" in axes.get_ylabel()


def test_an_agent_is_its_box_turned(clip: Clip, paths: Paths) -> None:
    # 4 m long and 2 m wide, facing left at (8, 4): x from 7 to 9, y from 2 to 6.
    box = _polygons(_drawn(clip, paths))[0]
    np.testing.assert_allclose(box.min(axis=0), [2, 7])
    np.testing.assert_allclose(box.max(axis=0), [6, 9])


def test_kinds_in_sight_are_in_the_key_and_no_others(clip: Clip, paths: Paths) -> None:
    legend = _drawn(clip, paths).get_legend()
    assert legend is not None
    words = [text.get_text() for text in legend.get_texts()]
    assert words == ["mute\n(unreadable)", "past", "ego", "vehicle"]  # the cone is 900 m away


def test_each_path_is_named_and_the_name_points_at_its_end(clip: Clip, paths: Paths) -> None:
    names = {text.get_text(): text.xy for text in _drawn(clip, paths).texts}  # type: ignore[attr-defined]
    assert names == {"true path": (2.0, 12.0), "tiny model": (-3.0, 9.0)}


def test_a_wild_answer_does_not_shrink_the_scene(clip: Clip, paths: Paths) -> None:
    wild = Trajectory(np.array([0.5]), np.array([[1e6, -1e6]]))
    bottom, top = _drawn(clip, replace(paths, predicted={"a": wild})).get_ylim()
    assert bottom < -4 and top > 12
    assert top - bottom < 60


def test_a_standing_car_has_a_picture(clip: Clip, paths: Paths) -> None:
    still = Trajectory(np.array([0.5, 1.0]), np.zeros((2, 2)))
    past = Trajectory(np.array([-0.5, 0.0]), np.zeros((2, 2)))
    bottom, top = _drawn(clip, Paths(past, still, {"a": still})).get_ylim()
    assert top - bottom >= 24


def test_the_strip_is_as_wide_as_the_car(clip: Clip) -> None:
    pieces = swept(np.array([[0.0, 0], [0.01, 0], [4, 0], [8, 0]]))
    assert pieces.shape == (2, 4, 2)  # the first centimetre is no step
    np.testing.assert_allclose(np.ptp(pieces[1], axis=0), [4, 1.85])
    assert not len(swept(np.zeros((6, 2))))


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=6))
def test_names_keep_their_order_and_a_line_apart(levels: list[float]) -> None:
    placed = np.array(spread(levels))
    order = np.argsort(-np.array(levels), kind="stable")
    assert (np.diff(placed[order]) <= -0.06 + 1e-9).all()
    assert placed.max() <= 0.97 + 1e-9


def test_names_with_room_stay_level_with_their_ends() -> None:
    assert spread([0.5, 0.9]) == [0.5, 0.9]
