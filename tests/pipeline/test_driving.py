"""The closed loop of the demo: rules alone, and a model that is asked over both servers."""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from impromptu.closed_loop import scenarios
from impromptu.conversation import Sample
from impromptu.engines import Completion, Settings, transformers
from impromptu.files import read_json, read_json_lines, write_json
from impromptu.pipeline import driving
from impromptu.report import driven

VELOCITY = re.compile(r"Velocity: X (-?[\d.]+)")


def test_rules_drive_every_scenario(tmp_path: Path) -> None:
    told = list[str]()
    shown = driving.drive(tmp_path / "runs", None, told.append)
    assert [line.name for line in shown.lines] == ["constant velocity", "echo route", "stop"]
    assert {line.note for line in shown.lines} == {"100 of 100 runs"}
    assert len(shown.scenarios) == 20 and shown.simulated
    constant, _, stop = (dict(zip(driven.COLUMNS, line.cells, strict=True)) for line in shown.lines)
    assert stop["stationary"].score == "5.00" and stop["side"].collisions == "100.0 %"
    assert constant["mean"].collisions == "100.0 %"
    again = driven.read(tmp_path / "runs/table.json")
    assert (again.lines, again.printed) == (shown.lines, shown.printed)
    assert "| stop | 100 of 100 |" in (tmp_path / "runs/table.md").read_text()


def at_constant_velocity(samples: Sequence[Sample]) -> list[Completion]:
    """Answer as constant velocity would; every fourth half second in words that say nothing."""
    return [_answer(sample) for sample in samples]


def _answer(sample: Sample) -> Completion:
    speed = float(VELOCITY.findall(sample.prompt)[-1])
    if Path(sample.images[0]).stat().st_size == 0 or int(sample.id) % 4 == 3:
        return Completion("I would rather not.", "stop")
    points = ", ".join(f"[{speed * k / 2:.2f}, 0.0]" for k in range(1, 7))
    return Completion(f"<PLANNING>The car will be at: {points}</PLANNING>", "stop")


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """One run of one scenario in each category, the rules' runs too."""
    for package in ("fastapi", "openai", "uvicorn"):
        pytest.importorskip(package, reason=f"needs the closed_loop extra: {package}")
    monkeypatch.setattr(driving, "MODEL_SCENARIOS", 1)
    monkeypatch.setattr(driving, "RULE_RUNS", 1)
    monkeypatch.setattr(transformers, "load", lambda settings: at_constant_velocity)


@pytest.mark.usefixtures("few")
def test_a_model_drives_through_the_model_server(tmp_path: Path) -> None:
    shown = driving.drive(tmp_path, Settings("tiny", image_max_pixels=12544), lambda _: None)
    line, constant, *_ = shown.lines
    assert (line.name, line.note) == ("tiny model", "3 of 3 runs")
    steps = [row for _, row in read_json_lines(tmp_path / driving.MODEL / "server.jsonl")]
    unreadable = sum(row["status"] == "unreadable" for row in steps)
    assert unreadable and {row["status"] for row in steps} == {"read", "unreadable"}
    assert line.unreadable == f"{100 * unreadable / len(steps):.1f} % of {len(steps)}"
    # What it drives in place of these is constant velocity too: each scenario ends as that does.
    both = [_scores(tmp_path, at) for at in (0, 1)]
    names = [row for row in both[0] if "-" in row]
    assert {name.partition("-")[0] for name in names} == set(scenarios.CATEGORIES)
    assert [both[0][name] for name in names] == pytest.approx(
        [both[1][name] for name in names], abs=0.02
    )
    assert any("drove 3 of the 20 scenarios" in one for one in shown.remarks)
    assert "front camera at 800x450" in shown.remarks[-1]


def test_how_far_runs_end_from_their_logs(tmp_path: Path) -> None:
    for run, (x_m, y_m) in enumerate([(3.0, 4.0), (0.0, 1.0)]):
        folder = tmp_path / "side-0103" / f"run_{run}"
        rows = [{"timestamp_us": at, "x_m": x_m, "y_m": y_m} for at in (1, 2)]
        folder.mkdir(parents=True)
        (folder / "trace.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        write_json(folder / "reference_trajectory.json", {1: [9, 9, 0], 2: [0, 0, 0]})
    assert driving._astray_m(tmp_path) == 3.0
    assert driving._astray_m(tmp_path / "none") == 0.0


def _scores(folder: Path, model: int) -> dict[str, float]:
    told = read_json(folder / "table.json")["models"][model]["figures"]
    return {row["row"]: row["value"] for row in told if row["quantity"] == "score"}


def test_without_the_packages_rules_drive_alone(
    without: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driving, "RULE_RUNS", 1)
    without("fastapi")
    told = list[str]()
    shown = driving.drive(tmp_path, Settings("tiny"), told.append)
    assert [line.name for line in shown.lines] == ["constant velocity", "echo route", "stop"]
    assert told[0] == shown.remarks[-1]
    assert told[0].endswith("it needs fastapi, pip install 'impromptu-vla[closed_loop]'")
