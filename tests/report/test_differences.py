"""Two runs on the same samples."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from impromptu.answer_files import join
from impromptu.answer_pairs import Pair
from impromptu.evaluation import evaluate
from impromptu.files import write_json_list
from impromptu.report import Role, Run, sample_files
from impromptu.report.differences import FEW_LOGS, Difference, differences


def _answer(aside_m: float) -> str:
    return f"<PLANNING>{', '.join(f'[{k}.0, {aside_m:.2f}]' for k in range(1, 7))}</PLANNING>"


def _compare(
    tmp_path: Path, logs: int, *runs: tuple[str, Role, Sequence[float | None]]
) -> list[Difference]:
    """Two samples a log; each run is so far aside of the true path at each, or says nothing."""
    ids = [f"nuscenes/{k // 2}/{k}/planning" for k in range(2 * logs)]
    roles = [{"role": "user", "content": "?"}, {"role": "assistant", "content": _answer(0)}]
    write_json_list(
        tmp_path / "planning.json", [{"id": one, "images": [], "messages": roles} for one in ids]
    )
    made = []
    for name, role, off_m in runs:
        lines = [
            json.dumps({"id": one, "predict": _answer(m)})
            for one, m in zip(ids, off_m, strict=False)
            if m is not None
        ]
        (tmp_path / name).write_text("\n".join(lines))
        joined = join(Pair("planning", tmp_path / "planning.json", tmp_path / name))
        made.append(Run(name, "", [evaluate(joined)], role))
    return differences(sample_files(made)[0])


def test_only_what_both_answered_counts(tmp_path: Path) -> None:
    # The first run is perfect where the other is mute, and 1 m worse where both answer.
    one, other = [0.0, *[3.0] * 23], [None, *[2.0] * 23]
    (found,) = _compare(tmp_path, 12, ("a", "model", one), ("b", "model", other))
    assert (found.one, found.other, found.figure) == ("a", "b", "l2_stp3 avg")
    assert found.value == pytest.approx(1.0)
    assert found.interval == pytest.approx((1.0, 1.0))
    assert (found.samples, found.logs, found.words) == (23, 12, "b is better")


def test_an_interval_around_zero_tells_nothing_apart(tmp_path: Path) -> None:
    mixed = [1.0, 1.0, 3.0, 3.0] * 6
    (found,) = _compare(tmp_path, 12, ("a", "model", mixed), ("b", "model", [2.0] * 24))
    assert found.interval is not None and found.interval[0] < 0 < found.interval[1]
    assert found.words == "the logs do not tell the two apart"


def test_few_logs_are_said_to_be_few(tmp_path: Path) -> None:
    runs = ("a", "model", [1.0] * 40), ("b", "model", [2.0] * 40)
    (found,) = _compare(tmp_path, FEW_LOGS - 1, *runs)  # type: ignore[arg-type]
    assert found.words == "9 logs are too few to tell"
    (found,) = _compare(tmp_path, 1, *runs)  # type: ignore[arg-type]
    assert found.interval is None and found.words.startswith("no interval")


def test_a_model_is_compared_with_its_best_baseline_alone(tmp_path: Path) -> None:
    found = _compare(
        tmp_path,
        12,
        ("m", "model", [1.0] * 24),
        ("far", "baseline", [5.0] * 24),
        ("near", "baseline", [0.5] * 24),
        ("echo", "truth", [0.0] * 24),
    )
    assert [(one.one, one.other, one.better) for one in found] == [("m", "near", "near")]


def test_runs_that_share_no_answer_are_not_compared(tmp_path: Path) -> None:
    assert not _compare(
        tmp_path, 2, ("a", "model", [1.0, None, None, None]), ("b", "model", [None, 1.0, 1.0, 1.0])
    )
