"""Fits a codebook of action tokens to true waypoints, and measures what it makes of them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from impromptu import action_tokens, plugins, questions
from impromptu.action_tokens import Codebook
from impromptu.answer_pairs import TASKS
from impromptu.arrays import Floats
from impromptu.clip import STEP_S
from impromptu.conversation import Sample
from impromptu.questions import AnswerError, Question

_WHOLE_SECOND = round(1 / STEP_S)


@dataclass(frozen=True, slots=True)
class Paths:
    """The true waypoints of samples.

    Attributes:
        xy_m: (k, 2) each, k by question.
        left_out: Samples without any, by reason.
    """

    xy_m: tuple[Floats, ...]
    left_out: dict[str, int]

    def steps_m(self) -> Floats:
        """Return the (n, 2) steps of half a second of all paths."""
        steps = [np.diff(path_m, axis=0, prepend=0.0) for path_m in self.xy_m]
        return np.concatenate(steps) if steps else np.zeros((0, 2))


@dataclass(frozen=True, slots=True)
class Error:
    """How far off a codebook takes paths, m.

    Attributes:
        mean_m, max_m: By time, s.
    """

    mean_m: dict[float, float]
    max_m: dict[float, float]


def read_paths(samples: Sequence[Sample]) -> Paths:
    """Read the waypoints of all samples that have some."""
    asked = [plugins.load(questions, name, Question) for name in plugins.names(questions)]
    by_task = {one.task: one for one in asked if one.read_padded is not None}
    paths, left_out = list[Floats](), Counter[str]()
    for sample in samples:
        task = next((part for part in reversed(sample.id.split("/")) if part in TASKS), "")
        if task not in by_task:
            left_out["not_about_waypoints"] += 1
            continue
        try:
            paths.append(by_task[task].read(sample.answer).xy_m)
        except AnswerError as error:
            left_out[error.reason] += 1
    return Paths(tuple(paths), dict(left_out))


def measure(codebook: Codebook, paths: Paths, tracking: bool = True) -> Error:
    """Return the distances between paths and what is read back of them, at each whole second.

    Args:
        codebook: What they are written with.
        paths: At least one.
        tracking: As ``Codebook.steps_cm`` takes it.
    """
    by_time: dict[float, list[Floats]] = {}
    for length in sorted({len(path_m) for path_m in paths.xy_m}):
        together = [path_m for path_m in paths.xy_m if len(path_m) == length]
        off_m = action_tokens.errors_m(codebook, together, tracking)
        for k in range(_WHOLE_SECOND - 1, length, _WHOLE_SECOND):
            by_time.setdefault((k + 1) * STEP_S, []).append(off_m[:, k])
    joined = {time_s: np.concatenate(parts) for time_s, parts in by_time.items()}
    return Error(
        {time_s: float(off_m.mean()) for time_s, off_m in joined.items()},
        {time_s: float(off_m.max()) for time_s, off_m in joined.items()},
    )


def clipped(codebook: Codebook, paths: Paths) -> int:
    """Return how many paths no token is long enough for somewhere."""
    return sum(codebook.write(path_m)[1] for path_m in paths.xy_m)
