"""l2, l2_stp3, l2_uniad and ade_fde, against errors that can be summed by hand."""

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from impromptu.clip import STEP_S, Trajectory
from impromptu.metrics import Metric, ade_fde, l2, l2_stp3, l2_uniad

ALL = (ade_fde.METRIC, l2.METRIC, l2_stp3.METRIC, l2_uniad.METRIC)


def trajectory(xy_m: object) -> Trajectory:
    points_m = np.array(xy_m, dtype=np.float64)
    return Trajectory(STEP_S * np.arange(1, len(points_m) + 1), points_m)


def off_by(errors_m: list[float]) -> tuple[list[Trajectory], list[Trajectory]]:
    """Return one pair of trajectories that are so far apart at each step, along a 3-4-5 slope."""
    true_m = np.stack([4.0 * np.arange(1, len(errors_m) + 1), np.ones(len(errors_m))], axis=1)
    return [trajectory(true_m + np.outer(errors_m, [0.6, -0.8]))], [trajectory(true_m)]


def figures(metric: Metric, pair: tuple[list[Trajectory], list[Trajectory]]) -> Mapping[str, float]:
    values = metric.compare(*pair)
    assert None not in values.values()
    return {name: value for name, value in values.items() if value is not None}


def test_stp3_is_the_mean_up_to_each_horizon() -> None:
    # Means of 1, 2; of 1 ... 4; of 1 ... 6; and of these three.
    want = {"1s": 1.5, "2s": 2.5, "3s": 3.5, "avg": 2.5}
    assert figures(l2_stp3.METRIC, off_by([1, 2, 3, 4, 5, 6])) == pytest.approx(want)


def test_uniad_is_the_error_at_each_horizon() -> None:
    want = {"1s": 2.0, "2s": 4.0, "3s": 6.0, "avg": 4.0}
    assert figures(l2_uniad.METRIC, off_by([1, 2, 3, 4, 5, 6])) == pytest.approx(want)


def test_published_rows_convert_between_conventions() -> None:
    # A published table of means over each second, l_t = mean(e(2t-1), e(2t)), has .28/.93/2.02 for
    # one model; by prefix means that model is known as .28/.61/1.08, average .65.
    pair = off_by([0.28, 0.28, 0.93, 0.93, 2.02, 2.02])
    got = {name: round(value, 2) for name, value in figures(l2_stp3.METRIC, pair).items()}
    assert got == {"1s": 0.28, "2s": 0.6, "3s": 1.08, "avg": 0.65}


def test_l2_names_both_conventions_at_every_second() -> None:
    want = {f"up_to_{s}s": s + 0.5 for s in range(1, 6)} | {
        f"at_{s}s": 2.0 * s for s in range(1, 6)
    }
    assert figures(l2.METRIC, off_by([float(e) for e in range(1, 11)])) == pytest.approx(want)


def test_ade_fde_and_misses() -> None:
    true, near, far = np.zeros((6, 2)), np.zeros((6, 2)), np.zeros((6, 2))
    near[-1, 0], far[-1, 1] = 2, 4
    pairs = [trajectory(near), trajectory(far)], [trajectory(true), trajectory(true)]
    # The mean of twelve errors of which two are 2 and 4; just two metres is no miss yet.
    want = {"ade": 0.5, "fde": 3.0, "miss_rate": 0.5}
    assert figures(ade_fde.METRIC, pairs) == pytest.approx(want)
    units = {name: ade_fde.METRIC.unit_of(name) for name in want}
    assert units == {"ade": "m", "fde": "m", "miss_rate": "share"}


def test_a_turn_to_the_wrong_side_is_far_off() -> None:
    t_s = STEP_S * np.arange(1, 11)
    left = trajectory(np.stack([5 * t_s, 0.4 * t_s**2], axis=1))
    right = trajectory(left.xy_m * [1, -1])
    # At 5 s the two are 2 x 0.4 x 25 m apart.
    assert figures(l2.METRIC, ([right], [left]))["at_5s"] == pytest.approx(20.0)
    backwards = trajectory(-left.xy_m)
    assert figures(l2.METRIC, ([backwards], [left]))["at_5s"] == pytest.approx(2 * np.hypot(25, 10))


@given(st.lists(st.floats(0, 100), min_size=10, max_size=10))
def test_figures_agree_with_sums_written_out(errors_m: list[float]) -> None:
    got = figures(l2.METRIC, off_by(errors_m))
    for second in range(1, 6):
        steps = [errors_m[k] for k in range(2 * second)]
        assert got[f"up_to_{second}s"] == pytest.approx(sum(steps) / len(steps), abs=1e-9)
        assert got[f"at_{second}s"] == pytest.approx(steps[-1], abs=1e-9)
    assert figures(ade_fde.METRIC, off_by(errors_m))["ade"] == pytest.approx(
        got["up_to_5s"], abs=1e-9
    )


@pytest.mark.parametrize("metric", ALL)
def test_samples_weigh_the_same_in_any_order(metric: Metric) -> None:
    one, other = off_by([1.0] * 10), off_by([3.0] * 10)
    both = one[0] + other[0], one[1] + other[1]
    swapped = other[0] + one[0], other[1] + one[1]
    singles = [figures(metric, pair) for pair in (one, other)]
    mean = {name: (singles[0][name] + singles[1][name]) / 2 for name in singles[0]}
    assert figures(metric, both) == pytest.approx(mean)
    assert figures(metric, swapped) == pytest.approx(mean)


@pytest.mark.parametrize("metric", ALL)
def test_the_truth_repeated_is_exactly_zero(metric: Metric) -> None:
    _, true = off_by([1.0] * 10)
    assert set(figures(metric, (true, true)).values()) == {0.0}


def test_other_times_are_refused() -> None:
    six, ten = trajectory(np.zeros((6, 2))), trajectory(np.zeros((10, 2)))
    with pytest.raises(ValueError, match=r"predicted trajectory 1 has times .* expected \[0\.5"):
        ade_fde.METRIC.compare([six, ten], [six, six])
    with pytest.raises(ValueError, match="no waypoint at 4 s"):
        l2.METRIC.compare([six], [six])
