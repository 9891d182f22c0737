"""How well vulnerable road users are found: right class, and where they really are.

In each sample predicted and true ones are matched one to one (Hungarian algorithm), within a class
and no further apart than ``TOLERANCE_M`` on the ground; as many as possible are matched, and of
such matchings the nearest is taken. One without a lateral clause stands straight ahead, at 0 m.
"""

from collections.abc import Sequence
from math import hypot

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from impromptu.arrays import Floats, Ints
from impromptu.metrics import Metric, Sums, ratio
from impromptu.metrics._classification import how_many
from impromptu.questions.vulnerable_road_users import Sighting

TOLERANCE_M = 2.0
BAND_M = 5.0
LAST_BAND_M = 20.0
"""Bands of distance ahead are 5 m wide up to here, which is as far as the question asks."""
ROLES = ("found", "right", "predicted", "true")
_FOUND, _RIGHT, _PREDICTED, _TRUE = range(4)
_NEVER_M = 1e6
"""Cost of a forbidden pair: more than any number of allowed ones."""
Sightings = Sequence[Sighting]


def matched(predicted: Sightings, true: Sightings) -> list[tuple[int, int]]:
    """Return the places of the one-to-one matches of one sample."""
    apart_m = {
        (row, column): gap_m
        for row, p in enumerate(predicted)
        for column, t in enumerate(true)
        if p.category.casefold() == t.category.casefold()
        and (gap_m := hypot(p.ahead_m - t.ahead_m, (p.left_m or 0.0) - (t.left_m or 0.0)))
        <= TOLERANCE_M
    }
    if len({row for row, _ in apart_m}) == len({column for _, column in apart_m}) == len(apart_m):
        return list(apart_m)  # nobody has a choice
    cost_m = np.full((len(predicted), len(true)), _NEVER_M)
    for place, gap_m in apart_m.items():
        cost_m[place] = gap_m
    pairs = zip(*(axis.tolist() for axis in linear_sum_assignment(cost_m)), strict=True)
    return [pair for pair in pairs if pair in apart_m]


def sums(predicted: Sequence[Sightings], true: Sequence[Sightings]) -> dict[str, Floats]:
    """Count objects told, there and matched: of all, by class and by distance band.

    Of a group there are two numbers of matches: of what is there (``found``) and of what is told
    (``right``), which differ where the two of a match are in two bands. A class that is never
    there is ``other``.
    """
    objects, roles, samples = list[Sighting](), list[int](), list[int]()
    for sample, (told, there) in enumerate(zip(predicted, true, strict=True)):
        if not told and not there:
            continue
        pairs = matched(told, there)
        objects += [*told, *there]
        objects += [told[row] for row, _ in pairs]
        objects += [there[column] for _, column in pairs]
        roles += [_PREDICTED] * len(told) + [_TRUE] * len(there)
        roles += [_RIGHT] * len(pairs) + [_FOUND] * len(pairs)
        samples += [sample] * (len(told) + len(there) + 2 * len(pairs))
    presence = [bool(told) == bool(there) for told, there in zip(predicted, true, strict=True)]
    count, of, role = len(true), np.array(samples, np.int64), np.array(roles, np.int64)
    columns = {name: how_many(of[role == place], count) for place, name in enumerate(ROLES)}
    for groups in _classes(objects, role), _bands(objects):
        for group in sorted(set(groups.tolist())):
            of_group = groups == group
            columns |= {
                f"{group}:{name}": how_many(of[of_group & (role == place)], count)
                for place, name in enumerate(ROLES)
            }
    return columns | {"presence_right": np.array(presence, float), "samples": np.ones(count)}


def _classes(objects: Sightings, role: Ints) -> NDArray[np.object_]:
    """Return the class of each object."""
    names = [one.category.casefold() for one in objects]
    there = {name for name, place in zip(names, role.tolist(), strict=True) if place == _TRUE}
    return np.array([name if name in there else "other" for name in names], dtype=object)


def _bands(objects: Sightings) -> NDArray[np.object_]:
    """Return the distance band of each object."""
    ahead_m = np.array([one.ahead_m for one in objects], dtype=np.float64)
    names = [f"{start:g}_to_{start + BAND_M:g}m" for start in np.arange(0, LAST_BAND_M, BAND_M)]
    places = (np.clip(ahead_m, 0, LAST_BAND_M) // BAND_M).astype(np.int64)
    return np.array([*names, f"from_{LAST_BAND_M:g}m"], dtype=object)[places]


def figures(sums: Sums) -> dict[str, Floats]:
    """Return precision, recall, F1 over all objects, by class and by band, and the counts.

    Of a band recall is that of the true objects in it, precision that of the told ones in it, and
    F1 is (found + right) / (there + told).
    """
    presence = {"presence_accuracy": ratio(sums["presence_right"], sums["samples"])}
    scores = _scores("", sums) | presence
    for group in dict.fromkeys(name.partition(":")[0] for name in sums if ":" in name):
        scores |= {f"{group}_{name}": score for name, score in _scores(f"{group}:", sums).items()}
    return scores


def _scores(group: str, sums: Sums) -> dict[str, Floats]:
    found, right, told, there = (sums[f"{group}{role}"] for role in ROLES)
    return {
        "precision": ratio(right, told),
        "recall": ratio(found, there),
        "f1": ratio(found + right, there + told),
        "matched_count": found,
        "predicted_count": told,
        "true_count": there,
    }


METRIC = Metric(
    convention=f"one-to-one matches of the same class within {TOLERANCE_M:g} m (no lateral clause: "
    "0 m), over all objects of all samples; presence_accuracy: any or none, by sample",
    unit="share",
    higher_is_better=True,
    sums=sums,
    figures=figures,
    headline="f1",
)
