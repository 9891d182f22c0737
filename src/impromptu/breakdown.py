"""The same figures by group of clips: by meta-action, by speed, by each tag of the clip table.

And how many keyframes of a split are followed for so long, which tells averages over complete
futures from averages over all keyframes.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from impromptu.clip import STEP_S
from impromptu.clip_table import ClipTable
from impromptu.metrics import Metric, Sums, grouped
from impromptu.surroundings import moments

SPEED_BANDS_MPS = (0.5, 5.0, 10.0, 15.0)
"""Where one band of present speed ends and the next begins."""
_EDGES = ["0", *(f"{edge:g}" for edge in SPEED_BANDS_MPS)]
_BANDS = [f"{low} to {high} m/s" for low, high in pairwise(_EDGES)] + [f"from {_EDGES[-1]} m/s"]
UNKNOWN = "unknown"


def of_all(
    metrics: Mapping[str, Metric],
    sums: Mapping[str, Sums],
    clip_ids: Sequence[str],
    clips: ClipTable,
) -> dict[str, dict[str, Any]]:
    """Return dimension -> group -> number of samples, and figures by metric.

    Args:
        metrics: By name.
        sums: Of each, columns (n,).
        clip_ids: (n,) the clip that each sample is about.
        clips: What is known of them.
    """
    result = {}
    for dimension, groups in labels(clip_ids, clips).items() if sums else ():
        figures = {name: by_group(metrics[name], of, groups) for name, of in sums.items()}
        result[dimension] = {
            group: {
                "samples": count,
                "figures": {name: one[group] for name, one in figures.items()},
            }
            for group, count in sorted(Counter(groups).items(), key=_place)
        }
    return result


def followed(clips: ClipTable, future_s: float) -> dict[str, int]:
    """Return the number of keyframes, and of those with a keyframe at each step up to 1, 2 ... s.

    Nothing for a question that asks for no future.
    """
    if not future_s:
        return {}
    steps = round(future_s / STEP_S)
    there = moments(clips, np.arange(len(clips.ids)), steps).known.cumprod(axis=1)
    return {"keyframes": len(clips.ids)} | {
        f"future_{s}s": int(there[:, round(s / STEP_S) - 1].sum())
        for s in range(1, int(future_s) + 1)
    }


def labels(clip_ids: Sequence[str], clips: ClipTable) -> dict[str, list[str]]:
    """Return by dimension, such as ``location``, the group of each sample.

    A clip that is not in the table, or of which something is not known, is ``unknown`` there.
    """
    rows = [clips.row_of.get(name) for name in clip_ids]
    described = [None if row is None else _described(clips, row) for row in rows]
    dimensions = dict.fromkeys(name for one in described if one for name in one)
    return {
        dimension: [(one or {}).get(dimension) or UNKNOWN for one in described]
        for dimension in dimensions
    }


def _described(clips: ClipTable, row: int) -> dict[str, str | None]:
    return {
        "speed_word": clips.speed_words[row],
        "path_word": clips.path_words[row],
        "speed": _band(float(clips.speeds_mps[row])),
        **clips.tags[row],
    }


def _band(speed_mps: float) -> str | None:
    if np.isnan(speed_mps):
        return None
    return _BANDS[int(np.searchsorted(SPEED_BANDS_MPS, speed_mps, side="right"))]


def _place(group: tuple[str, int]) -> tuple[int, str]:
    """Put groups in the order of their names, but bands in that of their numbers."""
    name, _ = group
    return _BANDS.index(name) if name in _BANDS else -1, name


def by_group(metric: Metric, sums: Sums, groups: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return each group's figures of columns (n,), those that are 0 / 0 left out."""
    names, totals = grouped(sums, groups)
    figures = metric.figures(totals)
    return {
        group: {
            figure: float(values[place])
            for figure, values in figures.items()
            if np.isfinite(values[place])
        }
        for place, group in enumerate(names)
    }
