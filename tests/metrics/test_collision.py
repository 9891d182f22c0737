"""The three collision rates: scenes drawn by hand, and independent readings of both geometries."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impromptu.arrays import Floats
from impromptu.clip import STEP_S, Trajectory
from impromptu.clip_table import KINDS
from impromptu.geometry import turned
from impromptu.metrics import (
    Metric,
    TrueScene,
    _raster,
    collision_sparsedrive,
    collision_uniad,
    collision_vad,
)
from impromptu.metrics._collision import Boxes
from impromptu.surroundings import Surroundings

ALL = {
    "uniad": collision_uniad.METRIC,
    "vad": collision_vad.METRIC,
    "sparsedrive": collision_sparsedrive.METRIC,
}
Box = tuple[int, float, float, float, str]
"""Step from 0, x, y, yaw and kind of a car-sized box."""


def path(xy_m: object) -> Trajectory:
    points_m = np.array(xy_m, dtype=np.float64)
    return Trajectory(STEP_S * np.arange(1, len(points_m) + 1), points_m)


def around(
    boxes: Sequence[Box], known: Sequence[bool] = (True,) * 6, observed: bool = True
) -> Surroundings:
    numbers = np.array([box[:4] for box in boxes], dtype=np.float64).reshape(-1, 4)
    return Surroundings(
        known=np.array(known),
        step=numbers[:, 0].astype(np.int64),
        xy_m=numbers[:, 1:3],
        yaw_rad=numbers[:, 3],
        size_m=np.tile([4.0, 2.0], (len(boxes), 1)),
        kind=np.array([KINDS.index(box[4]) for box in boxes], dtype=np.int64),
        observed=np.full(len(boxes), observed),
    )


STRAIGHT = [(5.0 * k, 0.0) for k in range(1, 7)]
LEFT = [(5.0 * k, 6.0) for k in range(1, 7)]


def rates(metric: Metric, predicted: object, true: object, near: Surroundings) -> dict[str, float]:
    figures = metric.compare([path(predicted)], [TrueScene(path(true), near)])
    return {name: value for name, value in figures.items() if value is not None}


@pytest.mark.parametrize("name", ALL)
def test_a_car_in_the_way_at_two_seconds(name: str) -> None:
    # A car 6 m to the left, where the prediction goes and the driver did not.
    got = rates(ALL[name], LEFT, STRAIGHT, around([(3, 20.5, 6.0, 0.0, "vehicle")]))
    if name == "uniad":  # at 1, 2, 3 s itself
        want = {"1s": 0.0, "2s": 1.0, "3s": 0.0, "avg": 1 / 3}
    else:  # of four steps one, of six one
        want = {"1s": 0.0, "2s": 1 / 4, "3s": 1 / 6, "avg": 5 / 36}
    assert got == pytest.approx(want | {"masked_rate": 0.0, "known_count": 1})


@pytest.mark.parametrize("name", ALL)
def test_the_box_counts_only_at_its_step(name: str) -> None:
    there = around([(0, 20.5, 6.0, 0.0, "vehicle")])
    assert rates(ALL[name], LEFT, STRAIGHT, there)["avg"] == 0


@pytest.mark.parametrize("name", ALL)
def test_steps_where_the_truth_collides_are_masked_and_still_counted(name: str) -> None:
    there = around([(3, 20.5, 0.0, 0.0, "vehicle")])
    got = rates(ALL[name], STRAIGHT, STRAIGHT, there)
    assert got["avg"] == 0
    assert got["masked_rate"] == pytest.approx(1 / 6)
    apart = around([(1, 10.5, 0.0, 0.0, "vehicle"), (3, 20.5, 6.0, 0.0, "vehicle")])
    assert rates(ALL[name], LEFT, STRAIGHT, apart)["2s"] > 0


@pytest.mark.parametrize(
    ("kind", "counted"),
    [
        ("vehicle", {"uniad", "vad", "sparsedrive"}),
        ("cyclist", {"uniad", "vad", "sparsedrive"}),
        ("pedestrian", {"vad", "sparsedrive"}),
        ("object", {"sparsedrive"}),
    ],
)
def test_each_variant_counts_its_kinds(kind: str, counted: set[str]) -> None:
    there = around([(3, 20.5, 6.0, 0.0, kind)])
    hit = {name for name, metric in ALL.items() if rates(metric, LEFT, STRAIGHT, there)["2s"]}
    assert hit == counted


def test_boxes_that_no_sensor_saw_count_on_the_rasters_only() -> None:
    there = around([(3, 20.5, 6.0, 0.0, "vehicle")], observed=False)
    hit = {name for name, metric in ALL.items() if rates(metric, LEFT, STRAIGHT, there)["2s"]}
    assert hit == {"uniad", "vad"}


@pytest.mark.parametrize("name", ALL)
def test_unknown_steps_are_in_neither_part_of_a_rate(name: str) -> None:
    blind = [True, True, True, True, False, False]
    there = around([(3, 20.5, 6.0, 0.0, "vehicle")], blind)
    scenes = [TrueScene(path(STRAIGHT), there), TrueScene(path(STRAIGHT), around([]))]
    figures = ALL[name].compare([path(LEFT)] * 2, scenes)
    assert figures["known_count"] == 1
    assert figures["2s"] == (1 / 2 if name == "uniad" else 1 / 8)
    assert ALL[name].compare([path(LEFT)], scenes[:1])["3s"] is None


def test_only_sparsedrive_turns_the_ego_along_its_path() -> None:
    sideways = [(0.0, 2.0 * k) for k in range(1, 7)]

    def hit(x: float, y: float) -> set[str]:
        there = around([(2, x, y, 0.0, "vehicle")])
        return {name for name, m in ALL.items() if rates(m, sideways, STRAIGHT, there)["avg"]}

    # At (0, 6) the turned ego reaches y = 6 + 0.5 + 2.04 and x = 0.93, the other one x = 2.54 and
    # y = 6.93; this car begins at y = 8.2, the next at x = 1.8.
    assert hit(0.0, 9.2) == {"sparsedrive"}
    assert hit(3.8, 6.0) == {"vad"}  # UniAD looks at 1, 2, 3 s only, and this is 1.5 s


def test_surroundings_of_other_steps_are_refused() -> None:
    with pytest.raises(ValueError, match="surroundings of 5 steps for paths of 6"):
        rates(collision_vad.METRIC, LEFT, STRAIGHT, around([], [True] * 5))


def one_box(box: Floats) -> Boxes:
    none = np.zeros(1, np.int64)
    return Boxes(none, none, box[None, :2], box[2:3], box[None, 3:], none)


def literal_raster(
    xy_m: tuple[float, float], box: tuple[float, float, float, float, float], name: str
) -> bool:
    """Draw 200 x 200 cells in the lidar's own frame, x right, y forward, and look at the ego's."""
    cv2 = pytest.importorskip("cv2", reason="needs the oracles extra: opencv-python")
    x, y, yaw, length, width = box
    signs = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) / 2
    forward, left = (np.array([x, y]) + turned(signs * [length, width], np.array(yaw))).T
    columns = np.round((-left + 50.0) / 0.5)
    rows = np.round(((forward if name == "uniad" else -forward) + 50.0) / 0.5)
    image = np.zeros((200, 200))
    cv2.fillPoly(image, [np.stack([columns, rows], axis=1).astype(np.int32)], 1.0)
    centers_m = -49.75 + 0.5 * np.arange(200)
    ahead = np.flatnonzero((centers_m > 0.5 - 4.084 / 2) & (centers_m < 0.5 + 4.084 / 2))
    aside = np.flatnonzero(np.abs(centers_m) < 1.85 / 2)
    for i in ahead:
        for j in aside:
            row = xy_m[0] / 0.5 + i
            place = int(row if name == "uniad" else 200 - row), int(-xy_m[1] / 0.5 + j)
            if image[tuple(np.clip(place, 0, 199))]:
                return True
    return False


def test_rasters_agree_with_polygons_drawn_by_opencv() -> None:
    rng = np.random.default_rng(0)
    for _ in range(1000):
        xy_m = rng.uniform(-45, 45, 2)
        box = np.array(
            [*(xy_m + rng.uniform(-5, 5, 2)), rng.uniform(-4, 4), *rng.uniform(0.3, 6, 2)]
        )
        boxes = one_box(box)
        for name, rows in ("uniad", _raster.rows_from_behind), ("vad", _raster.rows_from_ahead):
            got = _raster.hits(xy_m[None, None], boxes, rows)[0, 0]
            assert got == literal_raster(tuple(xy_m), tuple(box), name), (name, xy_m, box)


def test_a_path_off_the_raster_ends_at_its_border() -> None:
    far = [(1e300, -1e300)] * 6
    edge = around([(k, 49.7, -49.7, 0.0, "vehicle") for k in range(6)])
    assert rates(collision_vad.METRIC, far, STRAIGHT, edge)["avg"] == 1
    assert rates(collision_vad.METRIC, far, STRAIGHT, around([]))["avg"] == 0


def test_polygons_agree_with_shapely() -> None:
    geometry = pytest.importorskip("shapely.geometry", reason="needs the oracles extra: shapely")
    rng = np.random.default_rng(1)
    for _ in range(1000):
        ego = np.array([*rng.uniform(-9, 9, 2), rng.uniform(-4, 4)])
        box = np.array([*rng.uniform(-9, 9, 2), rng.uniform(-4, 4), *rng.uniform(0.3, 6, 2)])

        def polygon(pose: Floats, length: float, width: float) -> object:
            signs = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) / 2
            return geometry.Polygon(pose[:2] + turned(signs * [length, width], pose[2]))

        boxes = one_box(box)
        got = collision_sparsedrive.overlap((box[:2] - ego[:2])[None], ego[2:], boxes)[0]
        want = polygon(ego, 4.084, 1.85).intersects(polygon(box[:3], *box[3:]))  # type: ignore[attr-defined]
        assert got == want


def test_headings_look_from_the_waypoint_before_to_the_one_after() -> None:
    corner = np.array([[[2.0, 0], [4, 0], [4, 2], [4, 4]]])
    got = np.rad2deg(collision_sparsedrive.headings_rad(corner))
    np.testing.assert_allclose(got, [[0, 45, 90, 90]])
    standing = np.array([[[0.0, 0.4], [0, 0.5], [0, 0.6], [0, 0.7]]])
    assert not collision_sparsedrive.headings_rad(standing).any()


finite = st.floats(-30, 30)
points = st.lists(st.tuples(finite, finite), min_size=6, max_size=6)
boxes_near = st.lists(
    st.tuples(st.integers(0, 5), finite, finite, st.floats(-4, 4), st.sampled_from(sorted(KINDS))),
    max_size=6,
)


@given(points, points, boxes_near)
@settings(max_examples=60)
def test_mirroring_both_sides_changes_no_overlap(
    predicted: list[tuple[float, float]], true: list[tuple[float, float]], boxes: list[Box]
) -> None:
    def flip(xy_m: list[tuple[float, float]]) -> list[tuple[float, float]]:
        return [(x, -y) for x, y in xy_m]

    mirrored = around([(step, x, -y, -yaw, kind) for step, x, y, yaw, kind in boxes])
    metric = collision_sparsedrive.METRIC
    one = rates(metric, predicted, true, around(boxes))
    assert rates(metric, flip(predicted), flip(true), mirrored) == pytest.approx(one)


@given(points, points, boxes_near, st.permutations(range(3)))
@settings(max_examples=60)
def test_many_scenes_at_once_count_as_they_do_alone(
    predicted: list[tuple[float, float]],
    true: list[tuple[float, float]],
    boxes: list[Box],
    order: list[int],
) -> None:
    scenes = [
        (path(predicted), TrueScene(path(true), around(boxes))),
        (path(true), TrueScene(path(true), around(boxes[:2]))),
        (path(predicted), TrueScene(path(predicted), around([]))),
    ]
    for metric in ALL.values():
        together = metric.sums([scenes[k][0] for k in order], [scenes[k][1] for k in order])
        for place, k in enumerate(order):
            alone = metric.sums([scenes[k][0]], [scenes[k][1]])
            assert {n: c[place] for n, c in together.items()} == {n: c[0] for n, c in alone.items()}
