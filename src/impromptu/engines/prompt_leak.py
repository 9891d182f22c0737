"""No model: solves the answer from the prompt's own numbers, where they give it away.

Six of the eight published trajectory sets print forward differences: the velocity told for the
present is the first true waypoint divided by 0.5 s, and its acceleration holds the second. Whether
a prompt does so shows in its past, where both ends of every difference are told. From a prompt
that does not, this answers as ``constant_velocity`` does.
"""

import numpy as np

from impromptu.arrays import Floats
from impromptu.clip import STEP_S
from impromptu.engines._asked import Asked, path_engine
from impromptu.engines._told import Told

SLACK = 0.03
"""m/s and m/s2: differences of positions printed to a centimetre are off by no more."""


def path_m(asked: Asked) -> Floats:
    """Return the (k, 2) places: two solved ones and then straight on; or all straight on."""
    if not leaks(asked.told):
        return asked.straight_m()
    told, count = asked.told, len(asked.t_s)
    first_mps = told.velocity_mps[-1]
    second_mps = first_mps + STEP_S * told.acceleration_mps2[-1]
    steps_m = STEP_S * np.vstack([first_mps, np.tile(second_mps, (count - 1, 1))])
    path: Floats = told.xy_m[-1] + np.cumsum(steps_m, axis=0)
    return path


def leaks(told: Told) -> bool:
    """Tell whether each past velocity is the next step's, and each acceleration the next change."""
    if len(told.t_s) < 2 or not np.allclose(np.diff(told.t_s), STEP_S):
        return False
    velocity_mps = np.diff(told.xy_m, axis=0) / STEP_S
    acceleration_mps2 = np.diff(told.velocity_mps, axis=0) / STEP_S
    off = np.abs(
        [velocity_mps - told.velocity_mps[:-1], acceleration_mps2 - told.acceleration_mps2[:-1]]
    )
    return bool((off <= SLACK).all() and not np.isnan(told.acceleration_mps2[-1]).any())


ENGINE = path_engine(path_m)
