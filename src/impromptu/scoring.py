"""Compare answers with the truth by several metrics, some of which ask what stood around."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from impromptu.clip_table import ClipTable
from impromptu.metrics import Metric, Sums, TrueScene
from impromptu.surroundings import Surroundings, boxes_at

Comparison = Callable[[Sequence[Any], Sequence[Any]], Sums]


@dataclass(frozen=True, slots=True)
class Truths:
    """What is true of n samples, and the metrics that compare answers with it.

    Attributes:
        answers: (n,) true answers.
        scenes: (n,) likewise, with what was around; empty where no metric asks for it.
    """

    metrics: Mapping[str, Metric]
    answers: Sequence[Any]
    scenes: Sequence[TrueScene]

    def compare(self, predicted: Sequence[Any], rows: Sequence[int]) -> dict[str, Sums]:
        """Return each metric's columns, a row a predicted answer; nothing where there is none.

        Args:
            predicted: Answers.
            rows: Which sample each is to.
        """
        if not predicted:
            return {}
        done: dict[Comparison, Sums] = {}
        # A model may well answer [9e307, 0]: finite, but its error is not.
        with np.errstate(over="ignore"):
            for metric in self.metrics.values():
                if metric.sums not in done:
                    true = self.scenes if metric.in_scene else self.answers
                    done[metric.sums] = metric.sums(predicted, [true[row] for row in rows])
        return {name: done[metric.sums] for name, metric in self.metrics.items()}


def true_scenes(paths: Sequence[Any], clip_ids: Sequence[str], clips: ClipTable) -> list[TrueScene]:
    """Join paths in the planning frame with what the clip table has around them.

    Nothing is known around a clip that is not in the table.
    """
    steps = len(paths[0])
    rows = [clips.row_of.get(name, -1) for name in clip_ids]
    around = _around(clips, tuple(sorted({row for row in rows if row >= 0})), steps)
    unknown = _unknown(steps)
    return [
        TrueScene(path, around.get(row, unknown)) for path, row in zip(paths, rows, strict=True)
    ]


@lru_cache(maxsize=1)
def _around(clips: ClipTable, rows: tuple[int, ...], steps: int) -> dict[int, Surroundings]:
    """Return what is around some clips by row; kept, for runs on the same samples ask the same."""
    found = boxes_at(clips, np.array(rows, dtype=np.int64), steps, planning=True)
    return dict(zip(rows, found, strict=True))


def _unknown(steps: int) -> Surroundings:
    numbers, pairs = np.zeros(0), np.zeros((0, 2))
    places = np.zeros(0, dtype=np.int64)
    known, observed = np.zeros(steps, dtype=bool), np.zeros(0, dtype=bool)
    return Surroundings(known, places, pairs, numbers, pairs, places, observed)
