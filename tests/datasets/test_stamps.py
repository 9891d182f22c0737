"""Which stamp stands for an instant, on stamps that can be looked at."""

import numpy as np

from impromptu.datasets._agents import NEVER_NS
from impromptu.datasets._stamps import latest, nearest

STAMPS_NS = np.array([100, 200, 260])


def test_the_nearest_stamp_within_reach() -> None:
    stamps_ns, found = nearest(STAMPS_NS, np.array([40, 149, 151, 231, 311]), reach_ns=50)
    assert stamps_ns.tolist() == [100, 100, 200, 260, 260]
    assert found.tolist() == [False, True, True, True, False]


def test_the_latest_stamp_is_never_later_nor_too_old() -> None:
    stamps_ns = latest(STAMPS_NS, np.array([99, 100, 199, 259, 320, 321]), max_age_ns=60)
    assert stamps_ns.tolist() == [NEVER_NS, 100, NEVER_NS, 200, 260, NEVER_NS]
