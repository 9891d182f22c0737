"""Collision rate as VAD counts it: vehicles and people on a raster, over all steps up to a time.

The mean over the steps up to 1, 2, 3 s of the share of samples whose ego patch, see ``_raster``,
touches a vehicle, a cycle or a person (arXiv 2303.12077). A cycle nobody rides does not count
here, though it does in the published labels. The published script knows only road users that are
there at the present, within its detection range; here whoever is there at the step counts.
"""

from collections.abc import Sequence
from functools import partial

from impromptu.arrays import Floats
from impromptu.clip import Trajectory
from impromptu.metrics import Metric, TrueScene
from impromptu.metrics._collision import collision_sums, up_to_horizons
from impromptu.metrics._raster import hits, rows_from_ahead

KINDS = "vehicle", "cyclist", "pedestrian"


def sums(predicted: Sequence[Trajectory], true: Sequence[TrueScene]) -> dict[str, Floats]:
    """Count hits, masked and known steps of each sample."""
    return collision_sums(predicted, true, partial(hits, rows=rows_from_ahead), KINDS)


METRIC = Metric(
    convention="VAD: vehicles, cycles and people on a 0.5 m raster, ego not turned, steps where "
    "the truth collides masked; mean over all steps up to 1, 2, 3 s; avg is the mean of the three",
    unit="share",
    higher_is_better=False,
    sums=sums,
    figures=up_to_horizons,
    headline="avg",
    in_scene=True,
)
