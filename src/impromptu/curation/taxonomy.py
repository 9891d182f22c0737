"""The four kinds of unstructured scenes, and sets of them as bits."""

from collections.abc import Iterable

import numpy as np

from impromptu.arrays import Bools, Ints

CATEGORIES = {
    "unclear_boundaries": "Roads with unclear boundaries",
    "temporary_rules": "Temporary traffic rule changes",
    "unconventional_obstacles": "Unconventional dynamic obstacles",
    "challenging_conditions": "Challenging road conditions",
}
"""Names in tables and tags, and the names that people and models read."""

NAMES = tuple(CATEGORIES.values())


def bits(named: Bools) -> Ints:
    """Return (n,) sets as numbers of (n, 4) whether each category is in them."""
    numbers: Ints = named.astype(np.int64) @ (1 << np.arange(len(NAMES)))
    return numbers


def names(number: int) -> list[str]:
    """Return the names of a set that is given as a number."""
    return [name for place, name in enumerate(NAMES) if number >> place & 1]


def tags(categories: Iterable[str]) -> dict[str, str]:
    """Return a clip's tags for breakdowns: yes or no of each category, as a clip may have several.

    Raises:
        ValueError: A name is not of the taxonomy.
    """
    named = set(categories)
    if unknown := sorted(named - set(NAMES)):
        raise ValueError(f"no category {unknown[0]!r}; there are {', '.join(NAMES)}")
    return {tag: "yes" if name in named else "no" for tag, name in CATEGORIES.items()}
