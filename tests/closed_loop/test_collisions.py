"""Boxes that touch, by hand and against shapely."""

import numpy as np
import pytest

from impromptu.closed_loop import collisions


def test_the_ego_box_is_half_a_metre_ahead_of_the_rear_axle() -> None:
    box = collisions.ego_boxes(np.array([1.0, 2.0, np.pi / 2]))
    assert box == pytest.approx([1.0, 2.5, np.pi / 2, 4.018, 1.85])


@pytest.mark.parametrize(("gap_m", "touch"), [(-1e-9, True), (1e-9, False)])
def test_boxes_touch_at_their_sides(gap_m: float, touch: bool) -> None:
    here = np.array([0, 0, 0, 4.0, 2.0])
    assert collisions.overlap(here, np.array([4 + gap_m, 0, 0, 4.0, 2.0])) == touch
    assert collisions.overlap(here, np.array([0, 2 + gap_m, 0, 4.0, 2.0])) == touch
    corner = np.array([0, 1 + np.sqrt(2) + gap_m, np.pi / 4, 2.0, 2.0])
    assert collisions.overlap(here, corner) == touch


def test_boxes_overlap_where_shapely_says_so() -> None:
    geometry = pytest.importorskip("shapely", reason="needs the oracles extra: shapely")
    rng = np.random.default_rng(0)
    boxes = np.concatenate(
        [rng.uniform(-6, 6, (2, 2000, 2)), rng.uniform(-4, 4, (2, 2000, 1))]
        + [rng.uniform(0.5, 9, (2, 2000, 1)), rng.uniform(0.5, 3, (2, 2000, 1))],
        axis=-1,
    )

    def corners(box: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
        half = np.array([[1, 1], [1, -1], [-1, -1], [-1, 1]]) * box[3:] / 2
        cos, sin = np.cos(box[2]), np.sin(box[2])
        turned: np.ndarray = half @ np.array([[cos, sin], [-sin, cos]]) + box[:2]  # type: ignore[type-arg]
        return turned

    polygons = [[geometry.Polygon(corners(box)) for box in side] for side in boxes]
    expected = [one.intersects(other) for one, other in zip(*polygons, strict=True)]
    assert collisions.overlap(*boxes).tolist() == expected
    assert 0.2 < np.mean(expected) < 0.8


def test_poses_between_turn_the_short_way() -> None:
    first, last = np.array([[0.0, 0.0, 3.0]]), np.array([[1.0, 2.0, -3.0]])
    way = collisions.between(first, last)
    assert way.shape == (1, 10, 3)
    assert way[0, 4] == pytest.approx([0.5, 1.0, np.pi])
    assert way[0, -1, :2] == pytest.approx([1.0, 2.0])
