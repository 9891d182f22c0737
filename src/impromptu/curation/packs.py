"""What can be told of keyframes log by log: stable categories, packs, and the best of each pack."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from impromptu.arrays import Bools, Floats, Ints
from impromptu.curation import label_table
from impromptu.curation.label_table import VOTES
from impromptu.curation.recipe import CurationRecipe

FATES = (
    "kept",
    "no_image",
    "not_described",
    "not_identified",
    "not_labelled",
    "conventional",
    "standard",
    "repeats_disagree",
    "neighbours_disagree",
    "not_best_of_pack",
    "same_image",
    "same_place",
    "over_quota",
)
"""What becomes of a keyframe: kept, or the first step that drops it, in their order."""
FATE = {name: code for code, name in enumerate(FATES)}


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What becomes of n keyframes of whole logs, in the order of their rows.

    Attributes:
        fate: (n,) places in ``FATES``; ``kept`` means that it stands for its pack.
        pack: (n,) counts the packs of a log, in time.
        named: (n, 4) the categories that are stable; before that is looked at, all with a vote.
        agreement: (n,) of the stable categories, how much of repeats and neighbours name them.
        stands_in: (n,) the row that stands for the pack instead of this one, else -1.
    """

    fate: Ints
    pack: Ints
    named: Bools
    agreement: Floats
    stands_in: Ints


@dataclass(frozen=True, slots=True, eq=False)
class _InTime:
    """Keyframes sorted by log and time.

    Attributes:
        row: (n,) where each is in the table.
        log: (n,) rising numbers.
        at_ns: (n,) time, on one axis on which logs are far from each other.
    """

    row: Ints
    log: Ints
    at_ns: Ints


def judge(rows: Any, recipe: CurationRecipe) -> Judged:
    """Judge the keyframes of whole logs.

    Raises:
        ValueError: Two keyframes of a log have one time.
    """
    time = _in_time(rows, recipe)
    state = np.array(rows["state"].to_pylist(), dtype=object)[time.row]
    labels = rows["labels"].to_numpy()[time.row].astype(np.float64)
    votes = label_table.numbers(rows, VOTES)[time.row]
    share = np.divide(votes, labels[:, None], out=np.zeros_like(votes), where=labels[:, None] > 0)
    repeated = (share >= recipe.repeat_share) & (votes > 0)
    beside = _beside(time, repeated, np.isin(state, ("labelled", "conventional")), recipe)
    stable = repeated & (beside >= recipe.neighbour_share)
    fate = np.array([FATE.get(one, FATE["kept"]) for one in state.tolist()], dtype=np.int64)
    for name, survives in (("standard", votes), ("repeats_disagree", repeated)):
        fate[(fate == 0) & ~survives.any(axis=1)] = FATE[name]
    fate[(fate == 0) & ~stable.any(axis=1)] = FATE["neighbours_disagree"]
    agreement = _mean((share + beside) / 2, stable)
    pack, first = _packs(time, recipe)
    best = _best(time, first, fate == 0, agreement, stable.sum(axis=1))
    beaten = (fate == 0) & (best != np.arange(len(best)))
    fate[beaten] = FATE["not_best_of_pack"]
    named = np.where(stable.any(axis=1)[:, None], stable, votes > 0)
    back = np.argsort(time.row)
    stands_in = np.where(beaten, time.row[best], -1)
    return Judged(fate[back], pack[back], named[back], agreement[back], stands_in[back])


def _in_time(rows: Any, recipe: CurationRecipe) -> _InTime:
    starts = label_table.log_starts(rows)
    log = np.searchsorted(starts, np.arange(rows.num_rows), side="right") - 1
    stamp_ns = rows["timestamp_ns"].to_numpy()
    row = np.lexsort((stamp_ns, log))
    log, step_ns = log[row], np.diff(stamp_ns[row])
    new_log = np.diff(log) != 0
    same = np.flatnonzero(~new_log & (step_ns == 0))
    if same.size:
        one, other = (rows["id"][int(row[same[0] + k])].as_py() for k in (0, 1))
        raise ValueError(f"{one} and {other}: expected one keyframe of a log at a time")
    # So far apart that no pack and no neighbourhood reaches over it.
    far_ns = _ns(recipe.neighbour_s + recipe.gap_s + 1.0)
    at_ns = np.cumsum(np.where(new_log, far_ns, np.minimum(step_ns, far_ns)))
    return _InTime(row, log, np.concatenate([[0], at_ns]))


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)


def _beside(time: _InTime, named: Bools, known: Bools, recipe: CurationRecipe) -> Floats:
    """Return (n, 4) the share of each keyframe's known neighbours with a category; 0 of none."""
    first = np.searchsorted(time.at_ns, time.at_ns - _ns(recipe.neighbour_s))
    end = np.searchsorted(time.at_ns, time.at_ns + _ns(recipe.neighbour_s), side="right")
    marks = np.column_stack([known, named & known[:, None]]).astype(np.int64)
    sums = np.concatenate([np.zeros((1, marks.shape[1]), dtype=np.int64), np.cumsum(marks, axis=0)])
    around = sums[end] - sums[first] - marks
    share: Floats = around[:, 1:] / np.maximum(around[:, :1], 1)
    return share


def _mean(values: Floats, chosen: Bools) -> Floats:
    mean: Floats = (values * chosen).sum(axis=1) / np.maximum(chosen.sum(axis=1), 1)
    return mean


def _packs(time: _InTime, recipe: CurationRecipe) -> tuple[Ints, Ints]:
    """Return (n,) each keyframe's pack in its log, and (n,) the first keyframe of that pack."""
    place = np.arange(len(time.row))
    new_log = np.diff(time.log, prepend=-1) != 0
    new_run = new_log | (np.diff(time.at_ns, prepend=0) > _ns(recipe.gap_s))
    run = np.maximum.accumulate(np.where(new_run, place, 0))
    part = (time.at_ns - time.at_ns[run]) // _ns(recipe.pack_s)
    new = new_run | (np.diff(part, prepend=0) != 0)
    first = np.maximum.accumulate(np.where(new, place, 0))
    begun = np.cumsum(new)
    of_log = np.maximum.accumulate(np.where(new_log, begun, 0))
    return begun - of_log, first


def _best(
    time: _InTime, first: Ints, candidate: Bools, agreement: Floats, categories: Ints
) -> Ints:
    """Return (n,) the keyframe that stands for each one's pack; its own place where none does.

    Of its candidates the one most agreed on; of these the one with most categories, then that
    nearest to the middle of the candidates' times, then the earliest.
    """
    best = np.arange(len(first))
    chosen = np.flatnonzero(candidate)
    if not chosen.size:
        return best
    pack, of = np.unique(first[chosen], return_inverse=True)
    at_ns = time.at_ns[chosen]
    last = np.append(np.flatnonzero(np.diff(of)), len(of) - 1)
    begin = np.append(0, last[:-1] + 1)
    off_ns = np.abs(2 * at_ns - (at_ns[begin] + at_ns[last])[of])
    agreed = np.rint(agreement[chosen] * 1e6)  # sums in another order differ in their last bits
    order = np.lexsort((at_ns, off_ns, -categories[chosen], -agreed, of))
    winner = chosen[order[begin]]
    best[chosen] = winner[of]
    return best
