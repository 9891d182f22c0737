"""Which clips repeat a better one: by their front image, or by where they are in their log."""

from collections.abc import Iterator

import numpy as np

from impromptu.arrays import Bools, Floats, Ints
from impromptu.geometry import wrap_rad

_PAIRS_AT_ONCE = 1 << 22
_ONES = np.array([number.bit_count() for number in range(1 << 16)], dtype=np.uint8)


def same_image(group: Ints, image_hash: Ints, bits: int) -> Ints:
    """Return (n,) the clip that each one repeats, else -1, of clips in their order of rank.

    A clip repeats the best one that is no repeat itself, is of the same group and has a hash that
    differs in at most ``bits`` of 64. Two such hashes agree in one of ``bits + 1`` parts of them,
    so only clips that share a part are compared.

    Args:
        group: (n,) numbers.
        image_hash: (n,) bits as numbers, of either sign.
        bits: At most.
    """
    of_all = np.stack([group, image_hash])
    _, first, which = np.unique(of_all, axis=1, return_index=True, return_inverse=True)
    kinds = np.sort(first)  # the best of each, in their order of rank
    unlike = _greedy(len(kinds), *_alike(group[kinds], image_hash[kinds], bits))
    kind = np.searchsorted(kinds, first[which.ravel()])
    stands = np.where(unlike[kind] < 0, kinds[kind], kinds[unlike[kind]])
    return np.where(stands == np.arange(len(group)), -1, stands)


def _alike(group: Ints, image_hash: Ints, bits: int) -> tuple[Ints, Ints]:
    hashes, found = image_hash.view(np.uint64), [np.zeros((2, 0), dtype=np.int64)]
    edges = np.linspace(0, 64, bits + 2).astype(int).tolist()
    for low, high in zip(edges, edges[1:], strict=False):
        mask = np.uint64((1 << (high - low)) - 1)
        part = ((hashes >> np.uint64(low)) & mask).view(np.int64)
        for one, other in _sharing(np.stack([group, part])):
            alike = _differing(hashes[one], hashes[other]) <= bits
            found.append(np.stack([one[alike], other[alike]]))
    one, other = np.concatenate(found, axis=1)
    return one, other


def _sharing(keys: Ints) -> Iterator[tuple[Ints, Ints]]:
    """Yield pairs of places, the lower first, at which (k, n) keys are equal; some at a time."""
    key = np.unique(keys, axis=1, return_inverse=True)[1].ravel()
    by = np.argsort(key, kind="stable")
    _, begin, count = np.unique(key[by], return_index=True, return_counts=True)
    before = np.arange(len(by)) - np.repeat(begin, count)  # of the same key
    cuts = np.searchsorted(
        np.cumsum(before), np.arange(_PAIRS_AT_ONCE, before.sum(), _PAIRS_AT_ONCE)
    )
    for part in np.split(np.arange(len(by)), cuts):
        many = before[part]
        back = np.arange(many.sum()) - np.repeat(np.cumsum(many) - many, many)
        later = np.repeat(part, many)
        yield by[later - 1 - back], by[later]


def _differing(one: Ints, other: Ints) -> Ints:
    """Return in how many bits numbers of 64 bits differ."""
    ones: Ints = _ONES[(one ^ other).view(np.uint16).reshape(-1, 4)].sum(axis=1, dtype=np.int64)
    return ones


def same_place(log: Ints, pose: Floats, near_m: float, near_rad: float) -> Ints:
    """Return likewise of clips of one log that are near and look the same way.

    Args:
        log: (n,) numbers from 0. Poses of two logs are not compared: few datasets have one world.
        pose: (n, 3) x, y, yaw in the world of the log.
        near_m: At most.
        near_rad: At most.
    """
    from scipy.spatial import cKDTree

    if not len(log):
        return log
    apart = np.column_stack([pose[:, :2], log * (2 * near_m + 1.0)])
    pairs = np.sort(cKDTree(apart).query_pairs(near_m, output_type="ndarray"), axis=1)
    turned_rad = wrap_rad(pose[pairs[:, 0], 2] - pose[pairs[:, 1], 2])
    pairs = pairs[np.abs(turned_rad) <= near_rad]
    return _greedy(len(log), pairs[:, 0], pairs[:, 1])


def _greedy(count: int, better: Ints, worse: Ints) -> Ints:
    """Return (count,) the first that each is paired with and that repeats nothing itself, or -1."""
    repeats, by = np.full(count, -1), np.lexsort((better, worse))
    for one, other in zip(better[by].tolist(), worse[by].tolist(), strict=True):
        if repeats[one] < 0 and repeats[other] < 0:
            repeats[other] = one
    return repeats


def within_quotas(named: Bools, dataset: Ints, most: Floats) -> Bools:
    """Tell which clips, in their order of rank, are among those wanted.

    A clip counts for the rarest of its categories in its dataset, of equals the first.

    Args:
        named: (n, k) the categories of each, at least one.
        dataset: (n,) numbers from 0.
        most: (datasets, k) how many are wanted; infinity for all.
    """
    if not len(dataset):
        return np.zeros(0, dtype=bool)
    many = np.zeros(most.shape)
    np.add.at(many, dataset, named)
    rarest = np.where(named, many[dataset], np.inf).argmin(axis=1)
    cell = dataset * most.shape[1] + rarest
    by = np.argsort(cell, kind="stable")
    _, begin, count = np.unique(cell[by], return_index=True, return_counts=True)
    place = np.empty(len(cell))
    place[by] = np.arange(len(cell)) - np.repeat(begin, count)
    wanted: Bools = place < most[dataset, rarest]
    return wanted
