"""How so many keyframes became so few clips, line by line: every step's in = out + dropped."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from impromptu.curation import taxonomy
from impromptu.curation.packs import FATES
from impromptu.curation.selection import Counts

REASONS = {
    "no_image": "there is no front image",
    "not_described": "the teacher gave no usable description",
    "not_identified": "the teacher did not say whether it is conventional",
    "not_labelled": "the teacher gave no usable label",
    "conventional": "conventional, by its description",
    "standard": "no label names a category",
    "repeats_disagree": "labels of the same keyframe disagree",
    "neighbours_disagree": "labels of the keyframes around it disagree",
    "not_best_of_pack": "another keyframe stands for its pack",
    "same_image": "its image repeats that of a better clip",
    "same_place": "it repeats a better clip of the same log, at the same place",
    "over_quota": "its category has enough better clips in its dataset",
}
_NAMED_FROM = FATES.index("neighbours_disagree")


def steps(counts: Counts) -> list[dict[str, Any]]:
    """Return each step: keyframes in, dropped and out, in all and by dataset.

    From the last label on also by category; a keyframe of several categories is in each of them.
    """
    left = Counter(counts)
    made = []
    for fate in FATES[1:]:
        dropped = Counter({key: many for key, many in left.items() if key[1] == fate})
        after = left - dropped
        step: dict[str, Any] = {"dropped_as": fate, **_flow(left.total(), dropped.total())}
        step["datasets"] = _by(left, dropped, lambda key: [key[0]])
        if FATES.index(fate) > _NAMED_FROM:
            step["categories"] = _by(left, dropped, lambda key: taxonomy.names(key[2]))
        made.append(step)
        left = after
    return made


def _flow(before: int, dropped: int) -> dict[str, int]:
    return {"in": before, "dropped": dropped, "out": before - dropped}


def _by(before: Counter[Any], dropped: Counter[Any], groups: Any) -> dict[str, dict[str, int]]:
    of, lost = Counter[str](), Counter[str]()
    for counted, total in ((before, of), (dropped, lost)):
        for key, many in counted.items():
            for group in groups(key):
                total[group] += many
    return {group: _flow(of[group], lost[group]) for group in sorted(of)}


def kept(counts: Counts) -> dict[str, dict[str, int]]:
    """Return dataset -> category -> clips kept, ``any`` for all of them once."""
    table: dict[str, dict[str, int]] = {}
    for (dataset, fate, named), many in sorted(counts.items()):
        row = table.setdefault(dataset, dict.fromkeys((*taxonomy.NAMES, "any"), 0))
        if fate == "kept":
            for name in (*taxonomy.names(named), "any"):
                row[name] += many
    return table


def markdown(made: Sequence[Mapping[str, Any]], clips: Mapping[str, Mapping[str, int]]) -> str:
    """Return both as a page."""
    return "\n".join([*_steps(made), "", *_kept(clips), ""])


def _steps(made: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield f"# {made[0]['in']:,} keyframes in, {made[-1]['out']:,} clips out\n"
    yield "| dropped, because | in | dropped | out |\n|---|---:|---:|---:|"
    for step in made:
        numbers = " | ".join(f"{step[name]:,}" for name in ("in", "dropped", "out"))
        yield f"| {REASONS[step['dropped_as']]} (`{step['dropped_as']}`) | {numbers} |"


def _kept(clips: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    yield "Clips kept; one of several categories counts in each of them:\n"
    names = (*taxonomy.NAMES, "any")
    yield f"| dataset | {' | '.join(names)} |\n|---|{'---:|' * len(names)}"
    for dataset, row in clips.items():
        yield f"| {dataset} | {' | '.join(f'{row[name]:,}' for name in names)} |"
    total = [sum(row[name] for row in clips.values()) for name in names]
    yield f"| all | {' | '.join(f'{number:,}' for number in total)} |"
