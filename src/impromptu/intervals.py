"""How far figures would move had other drives been sampled: bootstrap intervals by cluster.

Samples of one log are alike, so whole logs are drawn, as many as there are, with replacement; each
draw gives every figure once, and an interval is between percentiles of those (the percentile
method of Efron). Because figures are functions of sums, a draw is a product: how often each log
was drawn, times the logs' sums.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from impromptu.arrays import Floats
from impromptu.metrics import Metric, Sums, grouped

LEVEL = 0.95
_CHUNK = 4_000_000
"""Weights held at once."""

Interval = tuple[float, float]
Column = tuple[str, str]
"""Names of a metric and of a column of its sums."""


def clustered(
    metrics: Mapping[str, Metric],
    sums: Mapping[str, Sums],
    clusters: Sequence[str],
    resamples: int,
    seed: int,
) -> dict[str, dict[str, Interval]]:
    """Return by metric the interval of each figure that is not a count.

    Draws in which a figure is 0 / 0 do not count for it.

    Args:
        metrics: By name.
        sums: Of each, columns (n,).
        clusters: (n,) which log each sample is from.
        resamples: Number of draws.
        seed: The same seed draws the same logs.

    Returns:
        Nothing with fewer than two clusters, which say nothing of others.
    """
    flat = {(metric, name): column for metric, of in sums.items() for name, column in of.items()}
    names, by_cluster = grouped(flat, clusters)
    if len(names) < 2 or not resamples:
        return {}
    parts: dict[str, list[Mapping[str, Floats]]] = {metric: [] for metric in sums}
    # Of an infinite sum no draw has a figure.
    with np.errstate(over="ignore", invalid="ignore"):
        for drawn in _draws(by_cluster, len(names), resamples, seed):
            for metric, of in sums.items():
                own = {name: drawn[metric, name] for name in of}
                parts[metric].append(metrics[metric].figures(own))
    return {metric: _bounds(metrics[metric], drawn) for metric, drawn in parts.items()}


def paired(
    metric: Metric,
    one: Sums,
    other: Sums,
    clusters: Sequence[str],
    resamples: int,
    seed: int,
) -> dict[str, Interval]:
    """Return the interval of each figure of one run less that of another on the same samples.

    The same logs are drawn for both, so what makes a log hard for both does not widen it.

    Args:
        metric: Of both.
        one: Columns (n,), a row a sample.
        other: Likewise, of the same samples in the same order.
        clusters: (n,) which log each sample is from.
        resamples: Number of draws.
        seed: The same seed draws the same logs.

    Returns:
        Nothing with fewer than two clusters.
    """
    sides = {"one": one, "other": other}
    flat = {(side, name): column for side, of in sides.items() for name, column in of.items()}
    names, by_cluster = grouped(flat, clusters)
    if len(names) < 2 or not resamples:
        return {}
    parts = list[Mapping[str, Floats]]()
    with np.errstate(over="ignore", invalid="ignore"):
        for drawn in _draws(by_cluster, len(names), resamples, seed):
            first, second = (
                metric.figures({name: drawn[side, name] for name in of})
                for side, of in sides.items()
            )
            parts.append({name: first[name] - second[name] for name in first if name in second})
    return _bounds(metric, parts)


def _bounds(metric: Metric, drawn: Sequence[Mapping[str, Floats]]) -> dict[str, Interval]:
    tail, bounds = 50 * (1 - LEVEL), {}
    for name in drawn[0]:
        values = np.concatenate([np.atleast_1d(part[name]) for part in drawn])
        finite = values[np.isfinite(values)]
        if metric.unit_of(name) != "count" and finite.size:
            low, high = np.percentile(finite, [tail, 100 - tail]).tolist()
            bounds[name] = (low, high)
    return bounds


def _draws(
    by_cluster: Mapping[Column, Floats], count: int, resamples: int, seed: int
) -> Iterator[dict[Column, Floats]]:
    """Yield the sums of some draws at a time."""
    rng = np.random.default_rng(seed)
    matrix = np.stack(list(by_cluster.values()), axis=1)
    chunk = max(1, _CHUNK // count)
    for start in range(0, resamples, chunk):
        weights = rng.multinomial(count, np.full(count, 1 / count), min(chunk, resamples - start))
        drawn = weights.astype(np.float64) @ matrix
        yield dict(zip(by_cluster, drawn.T, strict=True))
