"""Divides logs into splits: by drawing, evenly over categories, no log and no image in two.

Logs are laid out one after the other, those of the rarest categories first. Each goes to the split
that lacks most of what it holds (iterative stratification: Sechidis, Tsoumakas and Vlahavas, ECML
PKDD 2011, with logs in the place of single examples). One drive under two names is one log.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from impromptu.arrays import Floats, Ints


@dataclass(frozen=True, slots=True)
class LogContent:
    """What a log holds.

    Attributes:
        clips: How many.
        strata: How many of them are of each category.
    """

    clips: int
    strata: Counter[str]


def divide(
    logs: Mapping[str, LogContent],
    together: Sequence[Sequence[str]],
    shares: Mapping[str, float],
    seed: int,
) -> dict[str, str]:
    """Return the split of each log.

    Every split with a share gets something, as long as there are logs enough.

    Args:
        logs: All logs of a dataset.
        together: Groups of them that have to stay together.
        shares: Of each split, adding up to 1.
        seed: The same logs and seed, the same splits.
    """
    groups = _groups(logs, together)
    strata = sorted({name for log in logs.values() for name in log.strata})
    amounts = _amounts(logs, groups, strata)
    splits = [split for split, share in shares.items() if share > 0]
    wanted = np.outer([shares[split] for split in splits], amounts.sum(axis=0))
    place = _assign(amounts, wanted, np.random.default_rng(seed))
    _fill_empty(place, amounts[:, 0], len(splits))
    return {
        log: splits[at] for group, at in zip(groups, place.tolist(), strict=True) for log in group
    }


def _groups(logs: Iterable[str], together: Sequence[Sequence[str]]) -> list[list[str]]:
    tied = {log for group in together for log in group}
    return sorted([*map(sorted, together), *([log] for log in logs if log not in tied)])


def _amounts(
    logs: Mapping[str, LogContent], groups: Sequence[Sequence[str]], strata: Sequence[str]
) -> Floats:
    """Return (groups, 1 + strata): clips, and clips of each category."""
    rows = [
        [sum(logs[log].clips for log in group)]
        + [sum(logs[log].strata[name] for log in group) for name in strata]
        for group in groups
    ]
    return np.array(rows, dtype=np.float64)


def _assign(amounts: Floats, wanted: Floats, random: np.random.Generator) -> Ints:
    """Return the split of each group, (groups,)."""
    missing, total = wanted.copy(), np.maximum(amounts.sum(axis=0), 1.0)
    rarest = np.where(amounts > 0, total, np.inf).min(axis=1)
    order = np.lexsort((random.permutation(len(amounts)), -amounts[:, 0], rarest))
    place = np.zeros(len(amounts), dtype=np.int64)
    for group in order.tolist():
        # Of every category a group holds, how much of its share does each split still lack?
        weight = amounts[group] / total
        lacking = missing / np.maximum(wanted, 1e-9)
        best = int(np.argmax(lacking @ weight))
        place[group] = best
        missing[best] -= amounts[group]
    return place


def _fill_empty(place: Ints, clips: Floats, splits: int) -> None:
    """Give an empty split the smallest group of the split that has most."""
    for split in range(splits):
        if not (place == split).any():
            counts = np.bincount(place, minlength=splits)
            if counts.max() > 1:
                of_largest = np.flatnonzero(place == counts.argmax())
                place[of_largest[np.argmin(clips[of_largest])]] = split


def ties(keys: Ints, logs: Ints, least: int) -> Ints:
    """Return pairs of logs that share keys, (p, 2).

    Args:
        keys: (n,) such as image contents.
        logs: (n,) numbers of the logs that have them.
        least: How many different keys two logs must share.
    """
    rows = np.unique(np.stack([keys, logs], axis=1), axis=0)
    same = rows[1:, 0] == rows[:-1, 0]
    pairs = np.stack([rows[:-1, 1][same], rows[1:, 1][same]], axis=1)
    different, counts = np.unique(pairs, axis=0, return_counts=True)
    return np.asarray(different[counts >= least], dtype=np.int64)


def tied(pairs: Ints, count: int) -> list[list[int]]:
    """Return the groups that pairs of logs make, those of one log left out.

    Args:
        pairs: (p, 2) numbers of logs.
        count: How many logs there are.
    """
    parent = list(range(count))

    def root(log: int) -> int:
        while parent[log] != log:
            parent[log] = log = parent[parent[log]]
        return log

    for one, other in pairs.tolist():
        parent[root(one)] = root(other)
    groups: dict[int, list[int]] = {}
    for log in range(count):
        groups.setdefault(root(log), []).append(log)
    return [group for group in groups.values() if len(group) > 1]


def distribution(
    logs: Mapping[str, LogContent], split_of: Mapping[str, str]
) -> dict[str, Counter[str]]:
    """Return how many clips of each category each split got."""
    found: dict[str, Counter[str]] = {}
    for log, content in logs.items():
        counter = found.setdefault(split_of[log], Counter())
        counter.update({"clips": content.clips, "logs": 1, **content.strata})
    return found
