"""Repeats and quotas, by hand and against the slow way."""

import numpy as np
import pytest

from impromptu.arrays import Ints
from impromptu.curation import duplicates
from impromptu.curation.duplicates import same_image, same_place, within_quotas


def _slowly(group: Ints, hashes: Ints, bits: int) -> list[int]:
    repeats = [-1] * len(group)
    for other in range(len(group)):
        for one in range(other):
            differing = int(hashes[one] ^ hashes[other]) & (2**64 - 1)
            alike = group[one] == group[other] and differing.bit_count() <= bits
            if alike and repeats[one] < 0 and repeats[other] < 0:
                repeats[other] = one
    return repeats


def test_a_chain_of_images_is_broken_where_its_middle_is_a_repeat() -> None:
    # Each differs in two bits from the one before: the third repeats only the second, a repeat.
    hashes = np.array([0b0000, 0b0011, 0b1111], dtype=np.int64)
    assert same_image(np.zeros(3, np.int64), hashes, 2).tolist() == [-1, 0, -1]
    assert same_image(np.zeros(3, np.int64), hashes, 4).tolist() == [-1, 0, 0]
    assert same_image(np.array([0, 1, 0]), hashes, 4).tolist() == [-1, -1, 0]


@pytest.mark.parametrize("bits", [0, 1, 4, 10])
def test_like_comparing_all_with_all(bits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "_PAIRS_AT_ONCE", 50)
    rng = np.random.default_rng(bits)
    first = rng.integers(-(2**63), 2**63, 12)
    flips = (1 << rng.integers(0, 63, (120, bits // 2 + 1))).sum(axis=1)
    hashes = rng.choice(first, 120) ^ np.where(rng.random(120) < 0.7, flips, 0)
    group = rng.integers(0, 2, 120)
    found = same_image(group, hashes, bits)
    assert found.tolist() == _slowly(group, hashes, bits)
    assert (found >= 0).any() and (found < 0).any()


def test_thousands_of_one_image_take_no_time() -> None:
    repeats = same_image(np.zeros(50_000, np.int64), np.full(50_000, 7), 4)
    assert repeats[0] == -1 and (repeats[1:] == 0).all()


def test_near_clips_of_one_log_that_look_the_same_way_repeat_each_other() -> None:
    pose = np.array([[0, 0, 0], [4, 0, 0], [8, 0, 0], [0, 3, 3.1], [0, 1, 0.1], [0, 1, 6.2]])
    log = np.array([0, 0, 0, 0, 1, 0])
    # The third is near the second alone, a repeat; the fourth looks back; the fifth is elsewhere;
    # the last is turned by -0.083.
    assert same_place(log, pose, 5.0, 0.2).tolist() == [-1, 0, -1, -1, -1, 0]


def test_none_at_all() -> None:
    none = np.zeros(0, np.int64)
    assert not same_image(none, none, 4).size
    assert not same_place(none, np.zeros((0, 3)), 1.0, 1.0).size
    assert not within_quotas(np.zeros((0, 4), bool), none, np.zeros((0, 4))).size


def test_a_clip_counts_for_the_rarest_of_its_categories() -> None:
    a, b, both = [True, False], [False, True], [True, True]
    # Category a is named by four clips, b by two: the third, of both, counts for b.
    named = np.array([a, a, both, b, a])
    one = np.array([[2.0, 1.0]])
    zeros = np.zeros(5, np.int64)
    assert within_quotas(named, zeros, one).tolist() == [True, True, True, False, False]
    # Two datasets have quotas of their own.
    two = np.array([[0.0, np.inf], [np.inf, np.inf]])
    kept = within_quotas(named, np.array([0, 1, 0, 0, 1]), two)
    assert kept.tolist() == [False, True, False, True, True]
