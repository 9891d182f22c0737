"""How a teacher agrees with people, and people with each other, with bootstrap intervals.

What counts is each reviewer's standing decision about an item as it is now. Skipped, rejected and
undecided items tell nothing of what is right; they are left out, and counted.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from impromptu.arrays import Floats
from impromptu.intervals import LEVEL, clustered
from impromptu.metrics import Metric, Sums
from impromptu.metrics._classification import (
    class_scores,
    cohen_kappa,
    confusion,
    detection_scores,
)
from impromptu.review.decisions import Decision, Ledger
from impromptu.review.draw import Draw
from impromptu.review.items import CHOICES, KINDS, LABELS, Item, Key

PUBLISHED_F1 = {
    "Temporary traffic rule changes": 0.90,
    "Unconventional dynamic obstacles": 0.81,
    "Challenging road conditions": 0.91,
}
PUBLISHED_SOURCE = "Impromptu VLA (arXiv 2505.23757), 200 images; none is published for roads"
AGREED = "all agree"
_YES, _NO = "yes", "no"

Said = Mapping[str, str]
"""By class yes or no, or one word for all; only of what is known."""


def _yes_or_no(predicted: Sequence[Said], true: Sequence[Said]) -> Sums:
    """Return a confusion matrix for each class, of the samples where both tell of it."""
    columns: dict[str, Floats] = {}
    for name in {name: None for one in true for name in one}:
        here = [place for place, said in enumerate(true) if name in said]
        pairs = [(true[place][name], predicted[place][name]) for place in here]
        columns |= confusion(name, pairs, here, len(true))
    return columns


def _parts(sums: Sums) -> list[str]:
    return [*dict.fromkeys(name.partition(":")[0] for name in sums)]


def _detection(sums: Sums) -> dict[str, Floats]:
    none = np.zeros(np.shape(next(iter(sums.values()))))
    nowhere = detection_scores(none, none, none) | {"true_count": none}
    return {
        f"{part}_{name}": score
        for part in _parts(sums)
        for name, score in class_scores(part, sums).get(_YES, nowhere).items()
    }


def _kappas(sums: Sums) -> dict[str, Floats]:
    return {f"{part}_kappa": cohen_kappa(part, sums) for part in _parts(sums)}


DETECTION = Metric(
    "Precision, recall and F1 of each class by itself; what people say is the truth.",
    "share",
    True,
    _yes_or_no,
    _detection,
    "f1",
)
AGREEMENT = Metric(
    "Cohen's kappa between two people; 0 is chance, 1 is always the same.",
    "kappa",
    True,
    _yes_or_no,
    _kappas,
    "kappa",
)


def figures(draw: Draw, ledger: Ledger, resamples: int = 1000) -> dict[str, Any]:
    """Return all figures and counts, as they are written.

    Args:
        draw: What was to be reviewed.
        ledger: What was decided.
        resamples: Of the bootstrap, by log.
    """
    by_reviewer = {name: _standing(draw, ledger.of(name)) for name in sorted(ledger.history)}
    kinds = [kind for kind in KINDS if any(item.kind == kind for item in draw.items)]
    return {
        "drawn": len(draw.items),
        "could_be_drawn": draw.total,
        "not_reviewable": dict(sorted(draw.dropped.counts.items())),
        "gone_since_drawn": len(draw.gone),
        "damaged_lines": len(ledger.damaged),
        "interval": {"level": LEVEL, "resamples": resamples, "seed": draw.seed, "by": "log"},
        "published_f1": {"figures": PUBLISHED_F1, "source": PUBLISHED_SOURCE},
        "kinds": {kind: _of_kind(kind, draw, by_reviewer, resamples) for kind in kinds},
    }


def _standing(draw: Draw, decided: Mapping[Key, Decision]) -> dict[Key, Decision | None]:
    """Return by item what stands; None of one that has changed since."""
    return {
        item.key: decision if decision.is_about(item) else None
        for item in draw.items
        if (decision := decided.get(item.key)) is not None
    }


def _of_kind(
    kind: str,
    draw: Draw,
    by_reviewer: Mapping[str, Mapping[Key, Decision | None]],
    resamples: int,
) -> dict[str, Any]:
    items = [item for item in draw.items if item.key[0] == kind]
    counts = {name: _counts(items, known) for name, known in by_reviewer.items()}
    found: dict[str, Any] = {"items": len(items), "reviewers": counts}
    reviewers = [name for name, one in counts.items() if one["undecided"] < len(items)]
    if kind in CHOICES:
        truths = {name: _each(items, by_reviewer[name], _said) for name in reviewers}
        if len(reviewers) > 1:
            truths[AGREED] = [_common(one) for one in zip(*truths.values(), strict=True)]
        found["teacher"] = {
            name: _teacher(items, truth, draw, resamples) for name, truth in truths.items()
        }
    said = {name: _each(items, by_reviewer[name], _compared) for name in reviewers}
    found["between_people"] = {
        f"{one} and {other}": _between(items, said[one], said[other], draw.seed, resamples)
        for one, other in combinations(reviewers, 2)
    }
    return found


def _each(
    items: Sequence[Item],
    known: Mapping[Key, Decision | None],
    read: Callable[[Decision], Said],
) -> list[Said]:
    """Return what was said of each item; nothing of one that is undecided."""
    decisions = (known.get(item.key) for item in items)
    return [read(one) if one is not None else {} for one in decisions]


def _counts(items: Sequence[Item], known: Mapping[Key, Decision | None]) -> dict[str, int]:
    """Count what became of each item; the sum is the number of items."""
    names = {"accept": "accepted", "edit": "edited", "reject": "rejected", "skip": "skipped"}
    counts = dict.fromkeys((*names.values(), "changed_since", "undecided"), 0)
    for item in items:
        decision = known.get(item.key)
        fallback = "changed_since" if item.key in known else "undecided"
        counts[names[decision.verdict] if decision else fallback] += 1
    blind = (known.get(item.key) for item in items)
    return counts | {"of_them_blind": sum(one is not None and one.blind for one in blind)}


def _said(decision: Decision) -> Said:
    """Return what is right, as far as it tells."""
    return _words(decision.kind, decision.value) if decision.says else {}


def _words(kind: str, value: Sequence[str]) -> Said:
    return {name: _YES if name in value else _NO for name in CHOICES[kind]}


def _compared(decision: Decision) -> Said:
    """Return what two people are compared by: each category, the light, the verdict on a text."""
    if decision.kind == LABELS:
        return _said(decision)
    if decision.kind in CHOICES:
        return {"light": decision.value[0]} if decision.says else {}
    return {} if decision.verdict == "skip" else {"verdict": decision.verdict}


def _common(said: Sequence[Said]) -> Said:
    """Return the classes about which all say the same."""
    first, *others = said
    return {name: one for name, one in first.items() if all(o.get(name) == one for o in others)}


def _teacher(
    items: Sequence[Item], truth: Sequence[Said], draw: Draw, resamples: int
) -> dict[str, Any]:
    """Score a teacher on the drawn items, and as if on all: each counts for those it stands for."""
    known = [place for place, said in enumerate(truth) if said]
    if not known:
        return {"items": 0, "figures": {}, "intervals": {}, "of_all": {}}
    told = [_words(items[place].kind, items[place].label) for place in known]
    sums = DETECTION.sums(told, [truth[place] for place in known])
    weights = np.array([draw.weights[items[place].key] for place in known])
    logs = [items[place].log for place in known]
    intervals = clustered({"teacher": DETECTION}, {"teacher": sums}, logs, resamples, draw.seed)
    return {
        "items": len(known),
        "figures": DETECTION.total(sums),
        "intervals": intervals.get("teacher", {}),
        "of_all": DETECTION.total({name: column * weights for name, column in sums.items()}),
    }


def _between(
    items: Sequence[Item], one: Sequence[Said], other: Sequence[Said], seed: int, resamples: int
) -> dict[str, Any]:
    known = [place for place in range(len(items)) if one[place] and other[place]]
    if not known:
        return {"items": 0, "figures": {}, "intervals": {}}
    sums = AGREEMENT.sums([one[place] for place in known], [other[place] for place in known])
    logs = [items[place].log for place in known]
    intervals = clustered({"people": AGREEMENT}, {"people": sums}, logs, resamples, seed)
    return {
        "items": len(known),
        "figures": AGREEMENT.total(sums),
        "intervals": intervals.get("people", {}),
    }
