"""Compares what two engines said of the same samples: texts, tokens, waypoints."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import median

import numpy as np

from impromptu import plugins, questions
from impromptu.clip import Trajectory
from impromptu.conversation import Sample
from impromptu.engines._asked import task_of
from impromptu.files import read_json_lines
from impromptu.questions import AnswerError, Question

Tokens = Callable[[str], Sequence[str]]
"""Text -> the tokens that a model writes it in."""
END = "(end)"


@dataclass(frozen=True, slots=True)
class Difference:
    """Two answers to one sample that are not the same text.

    Attributes:
        a, b: The texts; None where there is none, or an error.
        token: Place of the first token that differs; None without a tokenizer or a text.
        token_a, token_b: What stands there; ``(end)`` where one text ends.
        mean_m, max_m: Between the waypoints of both; None where they cannot be compared.
    """

    id: str
    a: str | None
    b: str | None
    token: int | None = None
    token_a: str = ""
    token_b: str = ""
    mean_m: float | None = None
    max_m: float | None = None

    def within(self, tolerance_m: float) -> bool:
        """Tell whether both give waypoints that are nowhere further apart."""
        return self.max_m is not None and self.max_m <= tolerance_m


@dataclass(frozen=True, slots=True)
class Parity:
    """What a comparison came to.

    Attributes:
        samples: Ids that either has.
        same: Of those, with the same text.
        paths: Of those, with waypoints in both that can be compared.
        mean_m, max_m: Over these paths, the same ones included; None without any.
        differences: All that are not the same text.
    """

    samples: int
    same: int
    paths: int
    mean_m: float | None
    max_m: float | None
    differences: tuple[Difference, ...]

    def beyond(self, tolerance_m: float) -> list[Difference]:
        """Return the differences that are not within a tolerance."""
        return [one for one in self.differences if not one.within(tolerance_m)]

    def first_tokens(self) -> tuple[int, float] | None:
        """Return the earliest and the median place of a first differing token."""
        places = [one.token for one in self.differences if one.token is not None]
        return (min(places), median(places)) if places else None


def read_texts(path: Path) -> dict[str, str | None]:
    """Read a file of predictions: the text by id, None for an error.

    Raises:
        ValueError: It is something else; the message names file and line.
    """
    texts: dict[str, str | None] = {}
    try:
        for number, row in read_json_lines(path):
            if not isinstance(row, dict) or "id" not in row or "predict" not in row:
                raise ValueError(f"{path}:{number}: expected 'id' and 'predict', got {row!r:.80}")
            if row["id"] in texts:
                raise ValueError(f"{path}:{number}: {row['id']!r} comes twice")
            texts[row["id"]] = None if row.get("finish_reason") == "error" else str(row["predict"])
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: expected UTF-8 text, byte {error.start} is not") from error
    if not texts:
        raise ValueError(f"{path}: no predictions in it, so there is nothing to compare")
    return texts


def compare(
    a: Mapping[str, str | None], b: Mapping[str, str | None], tokens: Tokens | None = None
) -> Parity:
    """Compare texts by id.

    Args:
        a: Text by id, None for an error.
        b: Likewise; an id that only one has is a difference.
        tokens: The model's, to tell the first one that differs.
    """
    ids = dict.fromkeys((*a, *b))
    differences, gaps_m = list[Difference](), list[tuple[float, float]]()
    for one in ids:
        pair = a.get(one), b.get(one)
        gap_m = _gap_m(*(_path(one, text) for text in pair))
        if gap_m is not None:
            gaps_m.append(gap_m)
        if pair[0] is None or pair[0] != pair[1]:
            differences.append(_difference(one, pair, gap_m, tokens))
    return Parity(
        len(ids),
        len(ids) - len(differences),
        len(gaps_m),
        float(np.mean([mean for mean, _ in gaps_m])) if gaps_m else None,
        max(most for _, most in gaps_m) if gaps_m else None,
        tuple(differences),
    )


def _difference(
    name: str,
    texts: tuple[str | None, str | None],
    gap_m: tuple[float, float] | None,
    tokens: Tokens | None,
) -> Difference:
    a, b = texts
    if a is None or b is None:
        return Difference(name, a, b)
    at, token_a, token_b = _first_token(tokens(a), tokens(b)) if tokens else (None, "", "")
    return Difference(name, a, b, at, token_a, token_b, *(gap_m or (None, None)))


def _first_token(a: Iterable[str], b: Iterable[str]) -> tuple[int, str, str]:
    """Return place and both tokens; texts that differ in no token differ at the end of both."""
    both = [*a, END], [*b, END]
    shorter = min(map(len, both))
    at = next((k for k in range(shorter) if both[0][k] != both[1][k]), shorter - 1)
    return at, both[0][at], both[1][at]


def _gap_m(a: Trajectory | None, b: Trajectory | None) -> tuple[float, float] | None:
    """Return mean and largest distance of two paths of as many waypoints."""
    if a is None or b is None or a.xy_m.shape != b.xy_m.shape:
        return None
    with np.errstate(over="ignore"):  # [9e307, 0] is finite, but its distance is not
        apart_m = np.hypot(*(a.xy_m - b.xy_m).T)
    return float(apart_m.mean()), float(apart_m.max())


def _path(name: str, text: str | None) -> Trajectory | None:
    """Read an answer's waypoints; None where it has none, or its id does not tell the task."""
    question = _question_of(task_of(Sample(name, (), "", "")))
    try:
        answer = question.read(text) if question and text is not None else None
    except AnswerError:
        return None
    return answer if isinstance(answer, Trajectory) else None


@cache
def _question_of(task: str) -> Question | None:
    known = (plugins.load(questions, name, Question) for name in plugins.names(questions))
    return next((question for question in known if question.task == task), None)
