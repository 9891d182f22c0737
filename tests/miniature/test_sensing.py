import numpy as np
import pytest

from impromptu.arrays import Floats
from impromptu.miniature.sensing import sense
from impromptu.miniature.world import Boxes

EYE_M = np.array([0.0, 0.0, 1.8])
NO_HOUSES = np.empty((0, 4))
CAR, WALL = (4.0, 2.0, 1.5), (1.0, 12.0, 4.0)


def boxes(*placed: tuple[float, float, tuple[float, float, float]]) -> Boxes:
    """Return boxes at one instant: x, y and size of each, all facing along x."""
    size = np.array([size for _, _, size in placed])
    centre = np.array([(x, y, size[2] / 2) for x, y, size in placed])
    zero = np.zeros((1, len(placed)))
    return Boxes(centre[None], zero, zero, size)


def fractions(*placed: tuple[float, float, tuple[float, float, float]]) -> list[float]:
    found: list[float] = sense(boxes(*placed), 0, EYE_M, NO_HOUSES).fraction.tolist()
    return found


def test_a_lone_car_is_seen_whole() -> None:
    assert fractions((10, 0, CAR)) == [1.0]


def test_a_car_behind_a_wall_is_hidden_and_has_no_points() -> None:
    sensed = sense(boxes((20, 0, CAR), (10, 0, WALL)), 0, EYE_M, NO_HOUSES)
    assert sensed.fraction.tolist() == [0.0, 1.0]
    assert sensed.points[0] == 0 and sensed.points[1] > 0
    assert len(sensed.points_m) == sensed.points.sum()


def test_a_car_half_behind_a_wall_is_half_hidden() -> None:
    """The wall ends on the line of sight to the car's middle, which it just does not touch."""
    behind, _ = fractions((20, 0, CAR), (10, 6.01, WALL))
    assert behind == pytest.approx(0.6)


def test_a_house_hides_too() -> None:
    house = np.array([[10.0, -20.0, 12.0, 20.0]])
    assert sense(boxes((20, 0, CAR)), 0, EYE_M, house).fraction.tolist() == [0.0]


def test_one_looks_over_a_low_thing_at_a_high_one() -> None:
    truck, kerb = (8.0, 2.5, 3.5), (1.0, 8.0, 0.9)
    assert fractions((20, 0, truck), (10, 0, kerb)) == [1.0, 1.0]


def test_what_is_far_away_is_left_out() -> None:
    assert sense(boxes((61, 0, CAR), (30, 0, CAR)), 0, EYE_M, NO_HOUSES).body.tolist() == [1]


@pytest.mark.parametrize("x_m", (6.0, 15.0, 40.0))
def test_points_lie_on_the_sides_that_face_the_eye(x_m: float) -> None:
    sensed = sense(boxes((x_m, 3.0, CAR)), 0, EYE_M, NO_HOUSES)
    inside: Floats = (sensed.points_m - [x_m, 3.0, 0.75]) / CAR
    assert (np.abs(inside) < 0.5).all()
    near, right = np.isclose(inside[:, 0], -0.49), np.isclose(inside[:, 1], -0.49)
    assert (near | right).all() and near.any()


def test_nearer_things_have_more_points() -> None:
    points = [int(sense(boxes((x, 0, CAR)), 0, EYE_M, NO_HOUSES).points[0]) for x in (8, 20, 50)]
    assert points == sorted(points, reverse=True) and points[0] > points[2] > 0


def test_an_empty_street_is_sensed_as_such() -> None:
    sensed = sense(boxes((200, 0, CAR)), 0, EYE_M, NO_HOUSES)
    assert not len(sensed.body) and sensed.points_m.shape == (0, 3)
