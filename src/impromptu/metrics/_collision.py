"""Which steps of a path run into a box: what every collision rate is made of.

Everything is in the planning frame: the body-fixed frame that the benchmark tracks (nuScenes:
LIDAR_TOP, turned to x forward, y left), as it stands at the present. Waypoints are positions of
its origin, and it is there that the published rules hang the ego's box: ``EGO_M``, its centre
moved ``AHEAD_M`` forward (the lidar is 0.94 m ahead of the rear axle, so the box's centre is
1.44 m ahead of it).

A step at which the true path itself hits a box (labels overlap, or the boxed ego is wider than
the real gap) is masked: it cannot count as a hit, and still counts among the samples.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from impromptu.arrays import Bools, Floats, Ints
from impromptu.clip import Trajectory
from impromptu.clip_table import KINDS
from impromptu.metrics import Sums, TrueScene, ratio
from impromptu.metrics._displacement import common_times_s, positions_m
from impromptu.surroundings import Surroundings

EGO_M = (4.084, 1.85)
AHEAD_M = 0.5
HORIZONS_S = (1, 2, 3)


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """The m boxes around all samples at all steps, in each sample's own frame.

    Attributes:
        sample, step: (m,) which sample and step, from 0.
        xy_m, yaw_rad, size_m, kind: As in ``Surroundings``.
    """

    sample: Ints
    step: Ints
    xy_m: Floats
    yaw_rad: Floats
    size_m: Floats
    kind: Ints

    def of(self, chosen: Bools | Ints) -> "Boxes":
        """Return some of them."""
        columns = self.sample, self.step, self.xy_m, self.yaw_rad, self.size_m, self.kind
        return Boxes(*(column[chosen] for column in columns))  # type: ignore[arg-type]


Hits = Callable[[Floats, Boxes], Bools]
"""Paths (n, k, 2) of the planning frame's origin, and boxes -> (n, k) whether one is hit."""


def collision_sums(
    predicted: Sequence[Trajectory],
    true: Sequence[TrueScene],
    hits: Hits,
    kinds: Sequence[str] = KINDS,
    observed_only: bool = False,
) -> dict[str, Floats]:
    """Count of each sample and step: hit, masked, and known at all.

    Args:
        predicted: Paths in the planning frame.
        true: Likewise, with what was around.
        hits: What a hit is.
        kinds: Which boxes count.
        observed_only: Leave out boxes that no sensor saw at that time.

    Raises:
        ValueError: A path has other times than the first true one, or the surroundings other
            steps.
    """
    t_s = common_times_s(predicted, [scene.path for scene in true])
    known = np.stack([scene.around.known for scene in true])
    if known.shape[1] != len(t_s):
        raise ValueError(f"surroundings of {known.shape[1]} steps for paths of {len(t_s)}")
    boxes = _boxes([scene.around for scene in true], kinds, observed_only)
    masked = hits(positions_m([scene.path for scene in true]), boxes)
    hit = hits(positions_m(predicted), boxes) & ~masked
    counts = {"hit": hit, "masked": masked, "known": known}
    return {
        f"{name}_{s:g}s": column[:, step].astype(np.float64)
        for name, column in counts.items()
        for step, s in enumerate(t_s.tolist())
    }


def _boxes(around: Sequence[Surroundings], kinds: Sequence[str], observed_only: bool) -> Boxes:
    counts = [len(one.step) for one in around]
    boxes = Boxes(
        sample=np.repeat(np.arange(len(around)), counts),
        step=np.concatenate([one.step for one in around]),
        xy_m=np.concatenate([one.xy_m for one in around]),
        yaw_rad=np.concatenate([one.yaw_rad for one in around]),
        size_m=np.concatenate([one.size_m for one in around]),
        kind=np.concatenate([one.kind for one in around]),
    )
    counted = np.isin(boxes.kind, [KINDS.index(kind) for kind in kinds])
    if observed_only:
        counted &= np.concatenate([one.observed for one in around])
    return boxes.of(counted)


def at_horizons(sums: Sums) -> dict[str, Floats]:
    """Return the rate of hits at 1, 2, 3 s, and further figures."""
    return _with_mean({f"{s}s": _rate(sums, "hit", s) for s in HORIZONS_S}, sums)


def up_to_horizons(sums: Sums) -> dict[str, Floats]:
    """Return the mean of the rates of hits over all steps up to 1, 2, 3 s, and further figures."""
    rates = {
        f"{s}s": np.mean([_rate(sums, "hit", k / 2) for k in range(1, 2 * s + 1)], axis=0)
        for s in HORIZONS_S
    }
    return _with_mean(rates, sums)


def _with_mean(rates: dict[str, Floats], sums: Sums) -> dict[str, Floats]:
    masked = [_rate(sums, "masked", k / 2) for k in range(1, 2 * HORIZONS_S[-1] + 1)]
    return rates | {
        "avg": np.mean(list(rates.values()), axis=0),
        "masked_rate": np.mean(masked, axis=0),
        "known_count": sums[f"known_{HORIZONS_S[-1]}s"],
    }


def _rate(sums: Sums, name: str, time_s: float) -> Floats:
    return ratio(sums[f"{name}_{time_s:g}s"], sums[f"known_{time_s:g}s"])
