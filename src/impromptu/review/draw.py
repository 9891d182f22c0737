"""Draws which items people look at: seeded, evenly over categories, and kept for all reviewers.

Of each stratum those with the smallest hash of seed and id are taken, so the draw depends neither
on the order of files nor on how many there are, and needs memory for the drawn ones only.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from impromptu.files import read_json, write_json
from impromptu.review.items import Dropped, Item, Key, read_items

Name = TypeVar("Name")
FILE = "draw.json"
PUBLISHED = 200
"""Images that people looked at for the published figures."""


@dataclass(frozen=True, slots=True)
class Draw:
    """The items to review, in the order they are shown.

    Attributes:
        weights: How many items of its stratum each one stands for.
        total: Items that could have been drawn.
        gone: Items drawn once that cannot be read any more.
    """

    seed: int
    items: Sequence[Item]
    weights: Mapping[Key, float]
    total: int
    dropped: Dropped
    gone: Sequence[str]


def open_draw(folder: Path, out: Path, count: int | None, seed: int | None) -> Draw:
    """Return the draw that is kept in ``out``; make one where there is none.

    Args:
        folder: Of the items.
        out: Where draw and decisions are.
        count: How many to draw; None for ``PUBLISHED``, or as many as were drawn.
        seed: None for 0, or the one that was drawn with.

    Raises:
        ValueError: Another draw is kept, or nothing can be drawn.
    """
    path, dropped = out / FILE, Dropped()
    items = read_items(folder, out, dropped)
    if path.exists():
        return _kept(path, items, dropped, count, seed)
    count, seed = PUBLISHED if count is None else count, seed or 0
    sizes, smallest = _smallest(items, count, seed)
    if not sizes:
        raise ValueError(f"{folder}: nothing to review\n" + "\n".join(told(dropped)))
    drawn, shares = _take(smallest, sizes, count), _shares(sizes, count)
    drawn.sort(key=lambda item: (item.kind, _rank(seed, "order", item.id)))
    weights = {item.key: sizes[_stratum(item)] / shares[_stratum(item)] for item in drawn}
    rows = [{"kind": one.kind, "id": one.id, "weight": weights[one.key]} for one in drawn]
    total = sum(sizes.values())
    write_json(path, {"seed": seed, "asked": count, "total": total, "items": rows})
    return Draw(seed, drawn, weights, total, dropped, [])


def told(dropped: Dropped) -> list[str]:
    """Say what was read and cannot be reviewed."""
    return [
        f"{count:,} not reviewed: {reason}, such as {dropped.examples[reason][0]}"
        for reason, count in sorted(dropped.counts.items())
    ]


def _kept(
    path: Path, items: Iterable[Item], dropped: Dropped, count: int | None, seed: int | None
) -> Draw:
    kept = read_json(path)
    try:
        was = int(kept["asked"]), int(kept["seed"])
        weights = {(row["kind"], row["id"]): float(row["weight"]) for row in kept["items"]}
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: not a draw that was written here ({error!r})") from error
    asked = was[0] if count is None else count, was[1] if seed is None else seed
    if asked != was:
        raise ValueError(
            f"{path}: a draw of {was[0]} with seed {was[1]} is kept here, and decisions belong to "
            f"it, but {asked[0]} with seed {asked[1]} is asked for; name another --out for that"
        )
    found, total = dict[Key, Item](), 0
    for total, item in enumerate(items, start=1):  # noqa: B007 - the count is used
        if item.key in weights:
            found[item.key] = item
    gone = [name for kind, name in weights if (kind, name) not in found]
    ordered = [found[key] for key in weights if key in found]
    if not ordered:
        raise ValueError(f"{path}: nothing of what was drawn is left\n" + "\n".join(told(dropped)))
    return Draw(was[1], ordered, weights, total, dropped, gone)


def _stratum(item: Item) -> tuple[str, str]:
    return item.kind, item.stratum


def _rank(seed: int, *words: str) -> str:
    return hashlib.sha256("\n".join((str(seed), *words)).encode()).hexdigest()


def _smallest(
    items: Iterable[Item], count: int, seed: int
) -> tuple[dict[tuple[str, str], int], dict[tuple[str, str], list[Item]]]:
    """Return by stratum its size, and its first ``count`` items by rank."""
    sizes, kept = dict[tuple[str, str], int](), dict[tuple[str, str], list[tuple[str, Item]]]()
    for item in items:
        where = _stratum(item)
        sizes[where] = sizes.get(where, 0) + 1
        ranked = kept.setdefault(where, [])
        ranked.append((_rank(seed, *item.key), item))
        if len(ranked) > 2 * count + 100:
            kept[where] = _first(ranked, count)
    first = {where: _first(ranked, count) for where, ranked in kept.items()}
    return sizes, {where: [item for _, item in ranked] for where, ranked in first.items()}


def _first(ranked: list[tuple[str, Item]], count: int) -> list[tuple[str, Item]]:
    return sorted(ranked, key=lambda pair: pair[0])[:count]


def _take(
    smallest: Mapping[tuple[str, str], Sequence[Item]],
    sizes: Mapping[tuple[str, str], int],
    count: int,
) -> list[Item]:
    shares = _shares(sizes, count)
    return [item for where, items in smallest.items() for item in items[: shares[where]]]


def _shares(sizes: Mapping[tuple[str, str], int], count: int) -> dict[tuple[str, str], int]:
    """Share a count evenly among kinds, and what each has among its strata."""
    kinds: dict[str, int] = {}
    for (kind, _), size in sizes.items():
        kinds[kind] = kinds.get(kind, 0) + size
    shares: dict[tuple[str, str], int] = {}
    for kind, share in even_shares(kinds, count).items():
        own = {where: size for where, size in sizes.items() if where[0] == kind}
        shares |= even_shares(own, share)
    return shares


def even_shares(sizes: Mapping[Name, int], count: int) -> dict[Name, int]:
    """Share a count as evenly as the sizes allow: what a small one cannot take, others do."""
    shares, left = dict[Name, int](), count
    for place, name in enumerate(sorted(sizes, key=lambda one: (sizes[one], str(one)))):
        shares[name] = min(sizes[name], left // (len(sizes) - place))
        left -= shares[name]
    return shares
