"""Bootstrap intervals, against scipy's and against draws made one by one."""

import numpy as np
import pytest
from scipy import stats

from impromptu.arrays import Floats
from impromptu.clip import STEP_S, Trajectory
from impromptu.intervals import clustered, paired
from impromptu.metrics import Metric, Sums, ade_fde, ratio

MEAN = Metric(
    convention="mean",
    unit="m",
    higher_is_better=False,
    sums=lambda predicted, true: {},
    figures=lambda sums: {
        "mean": ratio(sums["value"], sums["samples"]),
        "all_count": sums["samples"],
    },
    headline="mean",
)


def columns(values: Floats) -> Sums:
    return {"value": values, "samples": np.ones(len(values))}


def interval(
    values: Floats, clusters: list[str], resamples: int = 4000, seed: int = 0
) -> tuple[float, float]:
    got = clustered({"m": MEAN}, {"m": columns(values)}, clusters, resamples, seed)
    assert set(got["m"]) == {"mean"}  # a count has no interval
    return got["m"]["mean"]


def test_each_sample_a_cluster_agrees_with_scipy() -> None:
    values = np.random.default_rng(0).gamma(2, size=80)
    want = stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    got = interval(values, [str(k) for k in range(80)], 20_000)
    width = want.high - want.low
    np.testing.assert_allclose(got, [want.low, want.high], atol=0.02 * width)


def test_clusters_are_drawn_whole() -> None:
    rng = np.random.default_rng(2)
    sizes = rng.integers(1, 30, 25)
    logs = np.repeat(np.arange(25), sizes)
    values = rng.normal(size=25)[logs] + 0.1 * rng.normal(size=len(logs))
    draws = []
    for _ in range(4000):
        picked = rng.integers(0, 25, 25)
        draws.append(np.concatenate([values[logs == log] for log in picked]).mean())
    want = np.percentile(draws, [2.5, 97.5])
    got = interval(values, [f"log {log}" for log in logs])
    np.testing.assert_allclose(got, want, atol=0.05 * (want[1] - want[0]))
    alone = interval(values, [str(k) for k in range(len(logs))])
    assert got[1] - got[0] > 2 * (alone[1] - alone[0])  # logs are alike inside


def test_the_same_seed_gives_the_same_interval_in_any_order() -> None:
    values, logs = np.random.default_rng(5).normal(size=60), [f"{k % 20}" for k in range(60)]
    one = interval(values, logs, seed=3)
    assert interval(values[::-1], logs[::-1], seed=3) == pytest.approx(one)
    assert interval(values, logs, seed=4) != one


def test_one_cluster_or_no_draw_has_no_interval() -> None:
    sums = {"m": columns(np.array([1.0, 2.0]))}
    assert clustered({"m": MEAN}, sums, ["a", "a"], 100, 0) == {}
    assert clustered({"m": MEAN}, sums, ["a", "b"], 0, 0) == {}


def test_draws_without_a_figure_do_not_count() -> None:
    # Two logs; half of all draws hold the first only, half of the rest both.
    sums = {"m": {"value": np.array([4.0, 0.0]), "samples": np.array([2.0, 0.0])}}
    assert clustered({"m": MEAN}, sums, ["a", "b"], 500, 0)["m"]["mean"] == (2.0, 2.0)
    none = {"m": {"value": np.zeros(2), "samples": np.zeros(2)}}
    assert clustered({"m": MEAN}, none, ["a", "b"], 500, 0)["m"] == {}


def test_many_logs_are_drawn_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    values, logs = np.arange(40.0), [str(k) for k in range(40)]
    whole = interval(values, logs, 300)
    monkeypatch.setattr("impromptu.intervals._CHUNK", 40 * 7)
    assert interval(values, logs, 300) == pytest.approx(whole)


def test_metrics_share_the_draws() -> None:
    t_s = STEP_S * np.arange(1, 7)
    true = [Trajectory(t_s, np.full((6, 2), float(k))) for k in range(9)]
    told = [Trajectory(t_s, np.zeros((6, 2)))] * 9
    metric, logs = ade_fde.METRIC, list("aabbccdde")
    sums = metric.sums(told, true)
    both = clustered({"x": metric, "y": metric}, {"x": sums, "y": sums}, logs, 200, 0)
    assert both["x"] == both["y"]
    assert both["x"]["ade"] == pytest.approx(both["x"]["fde"])


def test_a_paired_interval_is_that_of_the_differences() -> None:
    """A mean's difference is the mean of the differences, so the one of those is the oracle."""
    rng = np.random.default_rng(4)
    hard, clusters = 10 * rng.gamma(2, size=60), [str(k // 2) for k in range(60)]
    one, other = hard + rng.normal(0.3, 0.5, 60), hard
    got = paired(MEAN, columns(one), columns(other), clusters, 4000, 3)
    assert set(got) == {"mean"}
    np.testing.assert_allclose(got["mean"], interval(one - other, clusters, seed=3), atol=1e-9)
    alone = interval(one, clusters)
    assert got["mean"][1] - got["mean"][0] < 0.1 * (alone[1] - alone[0]), "the hardness cancels"
    assert paired(MEAN, columns(one), columns(other), ["a"] * 60, 100, 0) == {}
