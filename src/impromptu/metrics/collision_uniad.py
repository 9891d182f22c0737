"""Collision rate as UniAD counts it: vehicles on a raster, at each horizon itself.

The share of samples whose ego patch, see ``_raster``, touches a vehicle or cycle at 1, 2, 3 s
(arXiv 2212.10156). People do not count. A cycle nobody rides is no vehicle here, though it is in
the published labels. The published script divides by all 6,019 samples, as its L2 does; here by
those whose surroundings are known.
"""

from collections.abc import Sequence
from functools import partial

from impromptu.arrays import Floats
from impromptu.clip import Trajectory
from impromptu.metrics import Metric, TrueScene
from impromptu.metrics._collision import at_horizons, collision_sums
from impromptu.metrics._raster import hits, rows_from_behind

KINDS = "vehicle", "cyclist"


def sums(predicted: Sequence[Trajectory], true: Sequence[TrueScene]) -> dict[str, Floats]:
    """Count hits, masked and known steps of each sample."""
    return collision_sums(predicted, true, partial(hits, rows=rows_from_behind), KINDS)


METRIC = Metric(
    convention="UniAD: vehicles and cycles on a 0.5 m raster, ego not turned, steps where the "
    "truth collides masked; at 1, 2, 3 s itself; avg is the mean of the three",
    unit="share",
    higher_is_better=False,
    sums=sums,
    figures=at_horizons,
    headline="avg",
    in_scene=True,
)
