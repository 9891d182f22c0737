"""Agents of a whole log at once, against a plain loop over boxes."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from impromptu.arrays import Ints
from impromptu.datasets._agents import REACH_M, surroundings
from impromptu.datasets._boxes import Boxes
from impromptu.poses import Poses

S = 1_000_000_000
HALF_NS = S // 2


def crowd(seed: int) -> Boxes:
    """Scatter tracks of different lives, in the order of no particular thing."""
    rng = np.random.default_rng(seed)
    rows = [
        (frame * HALF_NS, f"{track}")
        for track in range(12)
        for frame in range(rng.integers(0, 6), rng.integers(8, 20))
        if rng.random() < 0.85
    ]
    order = rng.permutation(len(rows))
    return Boxes(
        timestamps_ns=np.array([rows[row][0] for row in order]),
        ids=[rows[row][1] for row in order],
        categories=["car"] * len(rows),
        kinds=["vehicle"] * len(rows),
        rotations=Rotation.from_euler("ZYX", rng.normal(0, 1, (len(rows), 3))).as_matrix(),
        centers_m=rng.normal(0, 40, (len(rows), 3)),
        sizes_m=np.ones((len(rows), 3)),
        observed=rng.random(len(rows)) < 0.5,
    )


def presents(stamps_ns: Ints, seed: int) -> Poses:
    rng = np.random.default_rng(seed)
    turns = Rotation.from_euler("ZYX", rng.normal(0, 1, (len(stamps_ns), 3))).as_matrix()
    return Poses(turns, rng.normal(0, 9, (len(stamps_ns), 3)), np.ones(len(stamps_ns), dtype=bool))


@pytest.mark.parametrize("seed", range(5))
def test_all_at_once_is_one_by_one(seed: int) -> None:
    boxes, stamps_ns = crowd(seed), HALF_NS * np.arange(20)
    present = presents(stamps_ns, seed)
    around = surroundings(boxes, stamps_ns, stamps_ns, present, max_gap_ns=6 * S // 10, edge_ns=0)
    box_of = {
        (i, int(t)): k for k, (i, t) in enumerate(zip(boxes.ids, boxes.timestamps_ns, strict=True))
    }
    for anchor, stamp in enumerate(stamps_ns.tolist()):
        ego = present[anchor].se3()
        expected = {}
        for (name, time), row in box_of.items():
            center = ego.inverse().transform(boxes.centers_m[row])
            if time == stamp and np.hypot(*center[:2]) <= REACH_M:
                expected[name] = row, center
        agents = around.agents(anchor)
        by_distance = sorted(expected, key=lambda name: np.hypot(*expected[name][1][:2]))
        assert [agent.id for agent in agents] == by_distance
        futures = around.futures(anchor)
        for agent in agents:
            row, center = expected[agent.id]
            np.testing.assert_allclose(agent.center_m, center, atol=1e-9)
            forward = ego.rotation.T @ boxes.rotations[row][:, 0]
            assert agent.yaw_rad == pytest.approx(np.arctan2(forward[1], forward[0]))
            assert agent.observed == boxes.observed[row]
            before = box_of.get((agent.id, stamp - HALF_NS))
            if before is None:
                assert agent.velocity_mps is None
            else:
                step = ego.rotation.T @ (boxes.centers_m[row] - boxes.centers_m[before])
                assert agent.velocity_mps is not None
                np.testing.assert_allclose(agent.velocity_mps, 2 * step[:2], atol=1e-9)
            later = []
            for k in range(1, 11):
                after = box_of.get((agent.id, stamp + k * HALF_NS))
                if after is None:
                    break
                later.append(ego.inverse().transform(boxes.centers_m[after])[:2])
            assert (agent.id in futures) == bool(later)
            if later:
                np.testing.assert_allclose(futures[agent.id].xy_m, later, atol=1e-9)


def test_a_present_that_is_not_valid_has_no_agents() -> None:
    boxes, stamps_ns = crowd(0), HALF_NS * np.arange(20)
    present = presents(stamps_ns, 0)
    present.valid[7] = False
    around = surroundings(boxes, stamps_ns, stamps_ns, present, max_gap_ns=S, edge_ns=0)
    assert around.agents(7) == ()
    assert around.agents(8)


@pytest.mark.parametrize("seed", range(3))
def test_a_velocity_looks_back_so_far_within_its_run_and_never_ahead(seed: int) -> None:
    """Against a plain loop; a gap of more than 0.25 s begins a new run."""
    rng = np.random.default_rng(seed)
    stamps_ns = np.cumsum(rng.choice([90, 100, 110, 200, 300], 60) * 1_000_000)
    x_m = rng.normal(0, 1, 60)
    boxes = Boxes(
        timestamps_ns=stamps_ns,
        ids=["a"] * 60,
        categories=["car"] * 60,
        kinds=["vehicle"] * 60,
        rotations=np.tile(np.eye(3), (60, 1, 1)),
        centers_m=np.stack([x_m, 0 * x_m, 0 * x_m], axis=-1),
        sizes_m=np.ones((60, 3)),
        observed=np.ones(60, dtype=bool),
    )
    here = Poses(np.tile(np.eye(3), (60, 1, 1)), np.zeros((60, 3)), np.ones(60, dtype=bool))
    around = surroundings(boxes, stamps_ns, stamps_ns, here, max_gap_ns=S // 4, lookback_ns=HALF_NS)
    first = 0
    for row, now in enumerate(stamps_ns.tolist()):
        if row and now - stamps_ns[row - 1] > S // 4:
            first = row
        velocity = around.agents(row)[0].velocity_mps
        if first == row:
            assert velocity is None
            continue
        since = min(max(now - HALF_NS, stamps_ns[first]), stamps_ns[row - 1])
        then_m = np.interp(since, stamps_ns, x_m)
        assert velocity is not None
        assert velocity[0] == pytest.approx((x_m[row] - then_m) / (now - since) * 1e9)
