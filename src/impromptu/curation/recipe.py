"""The rules of curation, as one YAML file sets them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from math import isfinite
from pathlib import Path
from typing import Any

from impromptu.curation.taxonomy import CATEGORIES
from impromptu.files import read_yaml_mapping
from impromptu.plugins import did_you_mean

_RANGES: Mapping[str, tuple[float, float]] = {
    "label_repeats": (1, 100),
    "temperature": (0, 2),
    "repairs": (0, 10),
    "group_share": (0, 1),
    "repeat_share": (0, 1),
    "neighbour_s": (0, 60),
    "neighbour_share": (0, 1),
    "pack_s": (0.5, 3600),
    "gap_s": (0.1, 60),
    "image_bits": (0, 10),
    "near_m": (0, 1e6),
    "near_deg": (0, 180),
    "quota": (0, 1e9),
    "seed": (0, 2**63 - 1),
}
_WHOLE = ("label_repeats", "repairs", "image_bits", "quota", "seed")
_MAY_BE_NULL = ("image_bits", "near_m", "quota")


@dataclass(frozen=True, slots=True)
class CurationRecipe:
    """Every threshold; ``data_qa_generate/curation.yaml`` says what each does and why so much.

    Attributes:
        label_repeats: Times that each unconventional keyframe is labelled.
        temperature: Of these; at 0 a teacher mostly repeats itself.
        repairs: Times an answer that cannot be used is asked for again, its fault named.
        group_share: Likeness from which two proposed categories are one group.
        repeat_share: Share of a keyframe's labels that must name a category.
        neighbour_s: How far neighbouring keyframes are looked for, either way.
        neighbour_share: Share of them that must show the category too.
        pack_s: Longest pack of keyframes; each gives one clip at most.
        gap_s: A longer gap between keyframes ends a pack.
        image_bits: Front images that differ in no more of 64 bits are duplicates; None: never.
        near_m, near_deg: Clips of one log that are no further apart, in both, are duplicates;
            None: never.
        quota: Most clips of one category in one dataset; None for all.
        quotas: Other numbers, dataset -> category -> clips.
        seed: Of the order among equals.
    """

    label_repeats: int = 3
    temperature: float = 0.7
    repairs: int = 2
    group_share: float = 0.5
    repeat_share: float = 0.6
    neighbour_s: float = 1.0
    neighbour_share: float = 0.5
    pack_s: float = 15.0
    gap_s: float = 1.0
    image_bits: int | None = 4
    near_m: float | None = 5.0
    near_deg: float = 30.0
    quota: int | None = None
    quotas: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what is out of range."""
        for name in _RANGES:
            value = getattr(self, name)
            if value is not None or name not in _MAY_BE_NULL:
                _require_number(name, value)
        for dataset, of in _mapping("quotas", self.quotas).items():
            for category, count in _mapping(f"quotas.{dataset}", of).items():
                if category not in CATEGORIES:
                    hint = did_you_mean(str(category), CATEGORIES)
                    known = ", ".join(CATEGORIES)
                    raise ValueError(f"quotas.{dataset}: no {category!r}; known: {known}.{hint}")
                _require_number("quota", count, f"quotas.{dataset}.{category}")

    def quota_of(self, dataset: str, category: str) -> int | None:
        """Return how many clips of a category, by its short name, a dataset may give."""
        return self.quotas.get(dataset, {}).get(category, self.quota)


def _require_number(name: str, value: Any, where: str = "") -> None:
    low, high = _RANGES[name]
    kinds = (int,) if name in _WHOLE else (int, float)
    good = isinstance(value, kinds) and not isinstance(value, bool) and isfinite(value)
    if not good or not low <= value <= high:
        kind = "whole number" if name in _WHOLE else "number"
        null = " or null" if name in _MAY_BE_NULL and not where else ""
        expected = f"a {kind} from {low:g} to {high:g}{null}"
        raise ValueError(f"{where or name}: expected {expected}, got {value!r:.80}")


def _mapping(name: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{name}: expected names with numbers, got {value!r:.80}")
    return value


def load_recipe(path: Path | None) -> CurationRecipe:
    """Read a recipe; what a file does not name is as above, and without a file all is.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: An entry is unknown or out of range; the message names file and entry.
    """
    given = read_yaml_mapping(path) if path else {}
    known = [one.name for one in fields(CurationRecipe)]
    for name in given:
        if name not in known:
            hint = did_you_mean(str(name), known)
            raise ValueError(f"{path}: unknown {name!r}; known are {', '.join(known)}.{hint}")
    try:
        return CurationRecipe(**given)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
