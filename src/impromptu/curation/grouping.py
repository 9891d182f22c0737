"""Which freely proposed categories mean the same, and how often each was proposed."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any
from zlib import crc32

import numpy as np

from impromptu.arrays import Floats

_WORD = re.compile(r"[^\W_]+")
_EMPTY = frozenset(
    "a an and at by due for from in into of on or other road scene situation the to type "
    "unusual unconventional unexpected with".split()
)
_ENDINGS = ("ings", "ing", "ed", "es", "s", "e")
_FEATURES = 1024
_MOST = 20_000


def normalised(proposal: str) -> str:
    """Return the words that tell a proposal from others, without endings, in alphabetical order."""
    words = [word for word in _WORD.findall(proposal.lower())]
    stems = [_stem(word) for word in words if word not in _EMPTY and _stem(word) not in _EMPTY]
    return " ".join(sorted(set(stems)))


def _stem(word: str) -> str:
    ending = next((end for end in _ENDINGS if word.endswith(end) and len(word) > len(end) + 2), "")
    return word.removesuffix(ending)


def groups(
    proposals: Iterable[str], share: float, vectors: Callable[[Sequence[str]], Any] | None = None
) -> list[dict[str, Any]]:
    """Return groups of proposals, the largest first, each with its wordings and their counts.

    Proposals of the same normalised words are one. From the most frequent to the least, each joins
    the group whose first one it is most like, from ``share`` on, or begins another; beyond 20,000
    different ones each stays alone.

    Args:
        proposals: As they were made.
        share: 0 to 1, a cosine.
        vectors: Texts -> (n, d) numbers whose direction tells the meaning, as an embeddings
            endpoint gives them; None to compare words and triples of letters.

    Raises:
        ValueError: There are not as many vectors as texts.
    """
    said = Counter(" ".join(proposal.split()).lower() for proposal in proposals)
    kinds: dict[str, Counter[str]] = {}
    for text, many in said.items():
        kinds.setdefault(normalised(text) or text, Counter())[text] = many
    ranked = sorted(kinds, key=lambda kind: (-kinds[kind].total(), kind))
    names = [min(kinds[kind], key=lambda text: (-kinds[kind][text], text)) for kind in ranked]
    if not ranked:
        return []
    told = vectors(names[:_MOST]) if vectors else _letters(ranked[:_MOST])
    first = _firsts(_units(np.asarray(told), len(names[:_MOST])), share)
    first += range(len(first), len(ranked))
    members: dict[int, Counter[str]] = {}
    for place, head in enumerate(first):
        members.setdefault(head, Counter()).update(kinds[ranked[place]])
    made = [_group(names[head], of) for head, of in members.items()]
    return sorted(made, key=lambda group: (-group["count"], group["name"]))


def _firsts(units: Floats, share: float) -> list[int]:
    """Return for each direction the one that begins its group."""
    first, heads, known = list[int](), list[int](), np.zeros_like(units)
    for place, unit in enumerate(units):
        alike = known[: len(heads)] @ unit
        best = int(alike.argmax()) if heads else 0
        if not heads or alike[best] < share - 1e-9:
            best = len(heads)
            known[best] = unit
            heads.append(place)
        first.append(heads[best])
    return first


def _group(name: str, wordings: Counter[str]) -> dict[str, Any]:
    by_count = sorted(wordings.items(), key=lambda item: (-item[1], item[0]))
    return {"name": name, "count": wordings.total(), "wordings": dict(by_count)}


def _letters(texts: Sequence[str]) -> Floats:
    """Return (n, 1024) counts of words and of triples of letters, each at a place by its hash."""
    table = np.zeros((len(texts), _FEATURES), dtype=np.float32)
    for row, text in enumerate(texts):
        for feature in (*text.split(), *_triples(text)):
            table[row, crc32(feature.encode()) % _FEATURES] += 1
    return table


def _triples(text: str) -> Iterator[str]:
    for word in text.split():
        padded = f"<{word}>"
        yield from (padded[k : k + 3] for k in range(len(padded) - 2))


def _units(vectors: Any, count: int) -> Floats:
    if vectors.ndim != 2 or len(vectors) != count:
        raise ValueError(f"expected {count} vectors, got {len(vectors)}")
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    units: Floats = vectors / np.where(length > 0, length, 1.0)
    return units
