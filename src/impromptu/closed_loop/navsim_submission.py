"""Answers to q7 as poses for navsim's evaluation, by the token of the frame they were asked at."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from impromptu import policies
from impromptu.answer_files import Answer, join
from impromptu.answer_pairs import Pair
from impromptu.arrays import Floats
from impromptu.clip import STEP_S, Trajectory
from impromptu.closed_loop.plans import headings_rad
from impromptu.conversation import clip_id
from impromptu.files import read_yaml_mapping
from impromptu.questions import AnswerError
from impromptu.questions.trajectory import QUESTION
from impromptu.reading import Lost, read_answers
from impromptu.sampling import LOGGED_LIMIT

COUNT = 8
"""Poses that navsim scores: 4 s."""
FAIL = "fail"
POLICIES = (FAIL, *(name for name in policies.CONVENTIONS if name != policies.EXCLUDE))
_SHOWN = 5


@dataclass(frozen=True, slots=True, eq=False)
class Submission:
    """What goes to navsim, and what became of every answer.

    Attributes:
        poses: By token, (8, 3) x forward and y left in metres, heading in radians, of the rear
            axle in its present frame.
        filled: How many answers the policy stands in for, by what was wrong with them.
        left_out: Likewise those that it knows nothing for; their tokens are not in ``poses``.
        not_asked: Tokens that were wanted, and no sample is about.
        unwanted: How many samples are about other tokens than those.
    """

    poses: Mapping[str, Floats]
    filled: Mapping[str, int]
    left_out: Mapping[str, int]
    not_asked: Sequence[str]
    unwanted: int

    @property
    def complete(self) -> bool:
        """Whether every token that navsim would look up is there."""
        return not self.left_out and not self.not_asked

    def counts(self) -> dict[str, Any]:
        """Return all counts: asked are those read, filled and left out."""
        filled, left_out = sum(self.filled.values()), sum(self.left_out.values())
        return {
            "asked": len(self.poses) + left_out,
            "read": len(self.poses) - filled,
            "filled": dict(self.filled),
            "left_out": dict(self.left_out),
            "not_asked": list(self.not_asked),
            "unwanted": self.unwanted,
        }


def collect(
    truth: Path, prediction: Path, policy: str, wanted: Sequence[str] | None = None
) -> Submission:
    """Read predictions, and put something in the place of those that cannot be read.

    Args:
        truth: True answers to q7 about navsim's frames.
        prediction: What was predicted.
        policy: One of ``POLICIES``.
        wanted: The tokens to submit, if not all.

    Raises:
        ValueError: A file is malformed or about something else, or the policy is ``fail`` and an
            answer cannot be used.
    """
    joined = join(Pair(QUESTION.task, truth, prediction))
    by_token = _by_token(truth, joined.answers)
    kept = by_token.keys() if wanted is None else set(wanted)
    asked = {token: one for token, one in by_token.items() if token in kept}
    reading = read_answers(
        replace(joined, answers=tuple(asked.values())), replace(QUESTION, read=_read)
    )
    paths: dict[str, Trajectory | None] = {one.id: one.predicted for one in reading.read}
    if reading.lost and policy == FAIL:
        raise _refused(prediction, reading.lost, len(asked))
    paths |= _filled(policy, reading.lost)
    placed = {token: paths[one.id] for token, one in asked.items()}
    return Submission(
        {token: poses(path) for token, path in placed.items() if path is not None},
        _reasons([one for one in reading.lost if paths[one.answer.id] is not None]),
        _reasons([one for one in reading.lost if paths[one.answer.id] is None]),
        [token for token in wanted or () if token not in by_token],
        len(by_token) - len(asked),
    )


def poses(path: Trajectory) -> Floats:
    """Return the first (8, 3) poses of a path; its later places help to tell the last heading."""
    headings = headings_rad(path.xy_m)[:COUNT]
    return np.concatenate([path.xy_m[:COUNT], headings[:, None]], axis=-1)


def wanted_tokens(path: Path) -> list[str]:
    """Read tokens: one of navsim's scene filters (YAML with ``tokens``), or text, one a line.

    Raises:
        ValueError: There are none.
    """
    if path.suffix in (".yaml", ".yml"):
        tokens = read_yaml_mapping(path).get("tokens")
        if not isinstance(tokens, list) or not all(isinstance(one, str) for one in tokens):
            raise ValueError(f"{path}: expected 'tokens', a list of texts, got {tokens!r:.80}")
    else:
        tokens = path.read_text(encoding="utf-8").split()
    if not tokens:
        raise ValueError(f"{path}: no tokens in it; expected those of the frames to submit")
    return list(dict.fromkeys(tokens))


def _by_token(path: Path, answers: Sequence[Answer]) -> dict[str, Answer]:
    found: dict[str, Answer] = {}
    for one in answers:
        parts = clip_id(one.id, QUESTION.task).split("/")
        if len(parts) != 3 or parts[0] != "navsim":
            raise ValueError(
                f"{path}: id {one.id!r}: expected navsim/<log>/<token>/q7, as generation names the "
                "samples of navsim"
            )
        if parts[2] in found:
            raise ValueError(
                f"{path}: {found[parts[2]].id!r} and {one.id!r} are about one token; keep one"
            )
        found[parts[2]] = one
    return found


def _read(text: str) -> Trajectory:
    path: Trajectory = QUESTION.read(text)
    if not _is_near(path):
        raise AnswerError(f"faster than {LOGGED_LIMIT:g} m/s: {text[:80]!r}", "too_far")
    return path


def _is_near(path: Trajectory) -> bool:
    limit_m = LOGGED_LIMIT * STEP_S * len(path.t_s)
    return bool((np.abs(path.xy_m) <= limit_m).all())


def _filled(policy: str, lost: Sequence[Lost]) -> dict[str, Trajectory | None]:
    paths = policies.fill(policy, [one.answer for one in lost], QUESTION) if lost else []
    return {
        one.answer.id: path if path is not None and _is_near(path) else None
        for one, path in zip(lost, paths, strict=True)
    }


def _reasons(lost: Sequence[Lost]) -> dict[str, int]:
    return dict(sorted(Counter(one.reason for one in lost).items()))


def _refused(path: Path, lost: Sequence[Lost], asked: int) -> ValueError:
    reasons = ", ".join(f"{name} {count}" for name, count in _reasons(lost).items())
    return ValueError(
        f"{path}: {len(lost)} of {asked} answers cannot be used ({reasons}), first "
        f"{', '.join(one.answer.id for one in lost[:_SHOWN])}; navsim gives no result where a "
        f"token is missing: --on_unreadable {', '.join(POLICIES[1:])} puts a path in their place"
    )
