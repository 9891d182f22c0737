"""Which freely proposed categories mean the same, and how often each was proposed."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from impromptu.arrays import Floats

_WORD = re.compile(r"[^\W_]+")
_EMPTY = frozenset(
    "a an and at by due for from in into of on or other road scene situation the to type "
    "unusual unconventional unexpected with".split()
)
_ENDINGS = ("ings", "ing", "ed", "es", "s")
_MOST = 5000


def normalised(proposal: str) -> str:
    """Return a proposal's words that tell it from others, without endings, in order of alphabet."""
    words = [_stem(word) for word in _WORD.findall(proposal.lower())]
    return " ".join(sorted({word for word in words if word not in _EMPTY}))


def _stem(word: str) -> str:
    ending = next((end for end in _ENDINGS if word.endswith(end) and len(word) > len(end) + 2), "")
    return word.removesuffix(ending)


def groups(proposals: Iterable[str], share: float, vectors: Any = None) -> list[dict[str, Any]]:
    """Return groups of proposals, the largest first, each with its wordings and their counts.

    Proposals of the same normalised words are one. From the most frequent to the least, each joins
    the group whose first one it is most like, from ``share`` on, or begins another.

    Args:
        proposals: As they were made.
        share: 0 to 1.
        vectors: Texts -> (n, d) numbers whose direction tells the meaning, as an embeddings
            endpoint gives them; None to compare words and triples of letters.
    """
    said = Counter(" ".join(proposal.split()).lower() for proposal in proposals)
    kinds: dict[str, Counter[str]] = {}
    for text, many in said.items():
        kinds.setdefault(normalised(text) or text, Counter())[text] = many
    ranked = sorted(kinds, key=lambda kind: (-kinds[kind].total(), kind))
    names = [min(kinds[kind], key=lambda text: (-kinds[kind][text], text)) for kind in ranked]
    heads, members = list[int](), dict[int, list[int]]()
    units = _units(vectors(names) if vectors else _letters(ranked[:_MOST]))
    for place in range(len(units)):
        alike = units[heads] @ units[place] if heads else np.zeros(0)
        if alike.size and alike.max() >= share:
            members[heads[int(alike.argmax())]].append(place)
        else:
            heads.append(place)
            members[place] = [place]
    for place in range(len(units), len(ranked)):  # beyond all reason: each on its own
        members[place] = [place]
    made = [_group(names[head], [kinds[ranked[one]] for one in of]) for head, of in members.items()]
    return sorted(made, key=lambda group: (-group["count"], group["name"]))


def _group(name: str, wordings: Sequence[Counter[str]]) -> dict[str, Any]:
    total = sum(wordings, Counter[str]())
    by_count = sorted(total.items(), key=lambda item: (-item[1], item[0]))
    return {"name": name, "count": total.total(), "wordings": dict(by_count)}


def _letters(texts: Sequence[str]) -> Floats:
    """Return (n, d) counts of words, weighted by their length, and of triples of letters."""
    features = [Counter(text.split()) + Counter(_triples(text)) for text in texts]
    known = {name: place for place, name in enumerate(sorted(set().union(*features)))}
    table = np.zeros((len(texts), len(known)))
    for row, feature in enumerate(features):
        for name, many in feature.items():
            table[row, known[name]] = many
    return table


def _triples(text: str) -> Iterable[str]:
    for word in text.split():
        padded = f"<{word}>"
        yield from (padded[k : k + 3] for k in range(len(padded) - 2))


def _units(vectors: Floats) -> Floats:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    units: Floats = vectors / np.where(length > 0, length, 1.0)
    return units
