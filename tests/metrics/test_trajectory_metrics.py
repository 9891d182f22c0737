"""l2, l2_stp3, l2_uniad and ade_fde, against errors that can be summed by hand."""

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from impromptu.clip import STEP_S, Trajectory
from impromptu.geometry import turned
from impromptu.metrics import Metric, ade_fde, l2, l2_lightemma, l2_openemma, l2_stp3, l2_uniad
from impromptu.metrics._displacement import MISS_M

TRUE_TO_TIME = (ade_fde.METRIC, l2.METRIC, l2_stp3.METRIC, l2_uniad.METRIC, l2_lightemma.METRIC)
ALL = (*TRUE_TO_TIME, l2_openemma.METRIC)


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


def test_lightemma_is_the_mean_within_each_second() -> None:
    # Means of 1, 2; of 3, 4; of 5, 6; and of these three, which is the ADE.
    want = {"1s": 1.5, "2s": 3.5, "3s": 5.5, "avg": 3.5}
    assert figures(l2_lightemma.METRIC, off_by([1, 2, 3, 4, 5, 6])) == pytest.approx(want)


@given(st.lists(st.floats(0, 100), min_size=6, max_size=6))
def test_lightemma_converts_to_stp3_exactly(errors_m: list[float]) -> None:
    own = figures(l2_lightemma.METRIC, off_by(errors_m))
    within = [own[f"{s}s"] for s in (1, 2, 3)]
    stp3 = figures(l2_stp3.METRIC, off_by(errors_m))
    prefix = [sum(within[:s]) / s for s in (1, 2, 3)]
    assert [stp3[f"{s}s"] for s in (1, 2, 3)] == pytest.approx(prefix, abs=1e-9)


def test_openemma_compares_the_first_second_with_the_next_waypoint() -> None:
    true_m = np.stack([4.0 * np.arange(1, 7), np.zeros(6)], axis=1)
    # A perfect answer is 4 m off in its first second, as each next waypoint is 4 m further on.
    got = figures(l2_openemma.METRIC, ([trajectory(true_m)], [trajectory(true_m)]))
    assert got == pytest.approx({"1s": 4, "2s": 0, "3s": 0, "avg": 4 / 3, "left_out_count": 0})
    # One step behind is perfect there, and 4 m off elsewhere.
    got = figures(l2_openemma.METRIC, ([trajectory(true_m - [4, 0])], [trajectory(true_m)]))
    assert got == pytest.approx({"1s": 0, "2s": 4, "3s": 4, "avg": 8 / 3, "left_out_count": 0})


def test_openemma_leaves_out_whoever_is_far_off_at_once() -> None:
    good, bad = off_by([1.0] * 6), off_by([1.0] * 6)
    bad[0][0] = trajectory(bad[0][0].xy_m + [0, 20])
    both = [good[0][0], bad[0][0]], [good[1][0], bad[1][0]]
    alone, together = figures(l2_openemma.METRIC, good), figures(l2_openemma.METRIC, both)
    assert together == {**alone, "left_out_count": 1}
    assert figures(l2_stp3.METRIC, both)["avg"] > 10


def test_ade_and_fde_agree_with_av2() -> None:
    av2 = pytest.importorskip(
        "av2.datasets.motion_forecasting.eval.metrics", reason="needs the oracles extra: av2"
    )
    rng = np.random.default_rng(0)
    told, true = rng.normal(0, 2, (2, 40, 6, 2))
    got = figures(ade_fde.METRIC, ([*map(trajectory, told)], [*map(trajectory, true)]))
    ade = [av2.compute_ade(p[None], t)[0] for p, t in zip(told, true, strict=True)]
    fde = [av2.compute_fde(p[None], t)[0] for p, t in zip(told, true, strict=True)]
    missed = [
        av2.compute_is_missed_prediction(p[None], t, MISS_M)[0]
        for p, t in zip(told, true, strict=True)
    ]
    want = {"ade": np.mean(ade), "fde": np.mean(fde), "miss_rate": np.mean(missed)}
    assert got == pytest.approx(want)


coordinate = st.floats(-50, 50)
ten = st.lists(st.tuples(coordinate, coordinate), min_size=10, max_size=10)


@pytest.mark.parametrize("metric", ALL)
@given(told=ten, true=ten, turn_rad=st.floats(-4, 4), shift=st.tuples(coordinate, coordinate))
def test_moving_turning_or_mirroring_both_sides_changes_nothing(
    metric: Metric,
    told: list[tuple[float, float]],
    true: list[tuple[float, float]],
    turn_rad: float,
    shift: tuple[float, float],
) -> None:
    if metric is ade_fde.METRIC or metric is l2_openemma.METRIC:
        gap_m = np.hypot(*(np.array(told) - true).T)
        early_m = np.hypot(*(np.array(told)[1:3] - np.array(true)[:2]).T).mean()
        if abs(gap_m[-1] - MISS_M) < 1e-6 or abs(early_m - l2_openemma.FAILURE_M) < 1e-6:
            return  # on the very edge, rounding decides

    def moved(points: list[tuple[float, float]]) -> Trajectory:
        return trajectory(turned(np.array(points), np.array(turn_rad)) + shift)

    def mirrored(points: list[tuple[float, float]]) -> Trajectory:
        return trajectory(np.array(points) * [1, -1])

    plain = metric.compare([trajectory(told)], [trajectory(true)])
    for change in (moved, mirrored):
        got = metric.compare([change(told)], [change(true)])
        assert {k: v or 0 for k, v in got.items()} == pytest.approx(
            {k: v or 0 for k, v in plain.items()}, abs=1e-9
        )


@pytest.mark.parametrize("metric", TRUE_TO_TIME)
def test_mirroring_one_side_changes_every_figure(metric: Metric) -> None:
    t_s = STEP_S * np.arange(1, 11)
    left = trajectory(np.stack([5 * t_s, 3 * t_s], axis=1))
    right = trajectory(left.xy_m * [1, -1])
    assert all(value > 0 for value in figures(metric, ([right], [left])).values())


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


@pytest.mark.parametrize("metric", TRUE_TO_TIME)
def test_the_truth_repeated_is_exactly_zero(metric: Metric) -> None:
    _, true = off_by([1.0] * 10)
    assert set(figures(metric, (true, true)).values()) == {0.0}


def test_other_times_are_refused() -> None:
    six, ten = trajectory(np.zeros((6, 2))), trajectory(np.zeros((10, 2)))
    with pytest.raises(ValueError, match=r"predicted trajectory 1 has times .* expected \[0\.5"):
        ade_fde.METRIC.compare([six, ten], [six, six])
    with pytest.raises(ValueError, match="no waypoint at 4 s"):
        l2.METRIC.compare([six], [six])
