"""A run that is looked at by time: places, speeds, plans and the collision, by hand."""

import json
from pathlib import Path

import numpy as np
import pytest
from tests.closed_loop.filmed import engine_run, matrix

from impromptu.closed_loop import outcomes
from impromptu.closed_loop.takes import Take, taken


def take_of(folder: Path) -> Take:
    (outcome,), _ = outcomes.read(folder.parents[1], "fixed")
    return taken("model", folder, outcome)


def test_where_it_was_and_how_it_ended(tmp_path: Path) -> None:
    take = take_of(engine_run(tmp_path / "stationary-0099" / "run_0"))
    assert take.hit and take.hit.stamp_us == take.end_us == 2_600_000
    assert take.hit.impact_mps == pytest.approx(6.0)
    assert (take.begin_us, take.run.start_us) == (1_500_000, 0), "two steps followed the log"
    assert take.pose(1_750_000) == pytest.approx([10.5, 0, 0])
    assert take.pose(9_000_000) == pytest.approx([15.6, 0, 0]), "it stays where it crashed"
    assert take.speed_mps(1_750_000) == pytest.approx(6.0)
    assert take.driven_m(2_250_000)[:, 0] == pytest.approx([9.0, 12.0, 13.5])
    assert take.boxes(2_000_000) == pytest.approx(np.array([[20.0, 0, 0, 4.0, 2.0]]))


def test_a_plan_is_of_where_it_was_made(tmp_path: Path) -> None:
    take = take_of(engine_run(tmp_path / "stationary-0099" / "run_0"))
    assert take.plan(1_499_999) is None
    for stamp_us in (2_000_000, 2_499_999):
        planned = take.plan(stamp_us)
        assert planned and planned[1]
        assert planned[0] == pytest.approx(np.array([[12.0, k] for k in range(1, 7)]))


def test_a_plan_turns_with_the_ego_and_may_be_unreadable(tmp_path: Path) -> None:
    run = engine_run(tmp_path / "stationary-0099" / "run_0", 1.0)
    lines = [
        {"timestamp_us": 500_000 * k, "x_m": 0.0, "y_m": 0.5 * k, "yaw_rad": np.pi / 2}
        | {"speed_mps": 1.0, "status": "unreadable" if k == 2 else "read"}
        | {"trajectory": None if k == 4 else [[n + 1.0, 0.0] for n in range(6)]}
        for k in range(5)
    ]
    (run / "trace.jsonl").write_text("\n".join(map(json.dumps, lines)))
    take = take_of(run)
    planned = [take.plan(stamp) for stamp in (500_000, 1_000_000, 2_000_000)]
    assert [plan[1] for plan in planned if plan] == [True, False, True]
    assert planned[0] and planned[0][0][0] == pytest.approx([0.0, 1.5])
    assert take.hit is None and take.end_us == 2_000_000
    assert take.outcome.unreadable == 1


def test_an_actor_that_is_not_there_yet_is_not_drawn(tmp_path: Path) -> None:
    actor = {"poses": [matrix(50.0)] * 2, "dims": [2.0, 4.0, 1.5], "uuid": "a"}
    late = actor | {"timestamps": [2_000_000, 9_000_000], "is_target_actor": True}
    take = take_of(engine_run(tmp_path / "side-0103" / "run_0", 1.0, other={"actors.json": [late]}))
    assert take.boxes(1_999_999).shape == (0, 5)
    assert take.boxes(2_000_000).shape == (1, 5)


def test_a_run_without_any_plan(tmp_path: Path) -> None:
    run = engine_run(tmp_path / "side-0103" / "run_0", other={"trajectories.json": {}})
    assert take_of(run).plan(9_000_000) is None
    (run / "trajectories.json").unlink()
    assert take_of(run).plan(9_000_000) is None


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("trajectories.json", {"1500000": [[1, 2], [3]]}, "run_0: not as the engine writes it"),
        ("trajectories.json", {"soon": [[1, 2]] * 6}, "run_0: not as the engine writes it"),
        ("trajectories.json", [], "run_0: not as the engine writes it"),
        ("ego_poses.json", {}, "run_0: not as the engine writes it"),
        ("run.json", {"shape": "tank"}, r"run\.json: no shape 'tank'; there are car"),
    ],
)
def test_a_spoilt_run_is_named(tmp_path: Path, name: str, value: object, message: str) -> None:
    run = engine_run(tmp_path / "side-0103" / "run_0", 1.0)
    (outcome,), _ = outcomes.read(tmp_path, "fixed")
    (run / name).write_text(json.dumps(value))
    with pytest.raises(ValueError, match=message):
        taken("model", run, outcome)


def test_a_file_that_is_cut_short_is_named(tmp_path: Path) -> None:
    run = engine_run(tmp_path / "side-0103" / "run_0", 1.0)
    (outcome,), _ = outcomes.read(tmp_path, "fixed")
    path = run / "trajectories.json"
    path.write_text(path.read_text()[:50])
    with pytest.raises(ValueError, match=r"trajectories\.json:1:\d+: not valid JSON"):
        taken("model", run, outcome)
    (run / "actors.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"actors\.json"):
        taken("model", run, outcome)
