"""Keep bodies from driving through one another."""

from collections.abc import Iterable, Sequence

import numpy as np

from impromptu.arrays import Floats
from impromptu.miniature.world import Body

_CLEARANCE_M, _STEP_S = 0.15, 0.25


def _discs(bodies: Sequence[Body], t_s: Floats) -> tuple[Floats, Floats]:
    """Cover bodies with four discs each: (bodies * 4, n, 2) middles and (bodies * 4,) radii."""
    middles, radii = [], []
    for body in bodies:
        length, width, _ = body.size_m
        xy, heading = body.motion.xy_heading(t_s)
        ahead = np.stack([np.cos(heading), np.sin(heading)], axis=-1)
        reach = max(length - width, 0.0) / 2
        middles += [xy + part * reach * ahead for part in (-1, -1 / 3, 1 / 3, 1)]
        radii += [width / 2 + _CLEARANCE_M] * 4
    return np.array(middles), np.array(radii)


def kept_apart(first: Sequence[Body], offered: Iterable[Body], until_s: float) -> list[Body]:
    """Return the first bodies, and of those offered all that never touch one kept before."""
    t_s = np.arange(0.0, until_s, _STEP_S)
    kept, (middles, radii) = list(first), _discs(first, t_s)
    for body in offered:
        own, own_radii = _discs([body], t_s)
        reach = radii[:, None] + own_radii[0]
        around = (middles.min(axis=1) - reach < own.max(axis=(0, 1))) & (
            middles.max(axis=1) + reach > own.min(axis=(0, 1))
        )
        near = around.all(axis=-1)
        gaps = np.linalg.norm(middles[near, None] - own, axis=-1).min(axis=-1, initial=np.inf)
        if (gaps > reach[near]).all():
            kept.append(body)
            middles, radii = np.concatenate([middles, own]), np.concatenate([radii, own_radii])
    return kept
