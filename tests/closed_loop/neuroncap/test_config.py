"""The evaluation's file: the one that is shipped, what replaces its values, what is refused."""

import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.closed_loop.neuroncap.conftest import SHIPPED

from impromptu.closed_loop.neuroncap.config import read_config


def _written(folder: Path, **values: Any) -> Path:
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(SHIPPED.read_text()) | values))
    return path


def test_the_shipped_file_asks_for_the_published_evaluation_and_finds_all_beside_it() -> None:
    config = read_config(SHIPPED)
    assert (len(config.chosen), config.runs, config.on_unreadable) == (20, 50, "fail")
    assert config.chosen[0] == "stationary-0099"
    assert config.neuro_ncap == SHIPPED.parent / "checkouts/neuro-ncap"
    assert config.nuscenes == SHIPPED.parents[1] / "data_raw/nuscenes"
    assert config.serves_language and not config.simulated
    assert "PLACEHOLDER" not in (text := SHIPPED.read_text()) and "/path/to" not in text


def test_commands_are_filled() -> None:
    config = read_config(SHIPPED)
    words = config.command("renderer_command", port=9001, category="side", sequence="0103")
    assert words[0] == str(SHIPPED.parent / "checkouts/neurad-studio/.venv/bin/python")
    checkpoint = SHIPPED.parent / "checkouts/neurad-studio/checkpoints/0103/config.yml"
    assert words[-3:] == ["--port=9001", f"--load-config={checkpoint}", "--adjust_pose"]
    words = config.command(
        "engine_command", renderer_port=1, model_port=2, category="side", sequence="0103",
        run_numbers="0,2", log_dir="x",
    )  # fmt: skip
    assert Path(words[2]).name == "run_engine.py" and Path(words[2]).is_file()
    assert words[3] == "0,2"
    assert "--engine.scenario.path=scenarios/side/0103.yaml" in words
    assert "--engine.dataset.sequence=0103" in words


def test_a_path_starts_from_its_file_and_on_the_command_line_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    path = _written(tmp_path, out="runs", wording="own.yaml")
    config = read_config(Path("../config.yaml"), ["nuscenes=n", "runs=7", "gpus=[1, 2]"])
    assert config.out == tmp_path / "runs"
    assert config.wording == tmp_path / "own.yaml"
    assert config.nuscenes == here / "n"
    assert (config.runs, config.gpus) == (7, (1, 2))
    assert read_config(path, ["wording=null"]).wording is None
    words = ["engine_command=['{python}', a]", "start_timeout_s=5"]
    assert read_config(path, words).command("engine_command") == [sys.executable, "a"]
    assert read_config(path, words).start_timeout_s == 5.0


@pytest.mark.parametrize(
    ("replaced", "told"),
    [
        ("run=5", "unknown 'run'; known are engine, .* Did you mean 'runs'?"),
        ("runs", "--set runs: expected key=value"),
        ("runs=[", "--set runs: '\\[' is not valid YAML"),
        ("runs=0", "runs is 0; expected at least 1"),
        ("runs=true", "runs is True; expected a whole number"),
        ("runs=2.5", "runs is 2.5; expected a whole number"),
        ("gpus=0", "gpus is 0; expected a list that is not empty"),
        ("gpus=[a]", "gpus is \\['a'\\]; expected a whole number"),
        ("scenarios=[]", "expected a list that is not empty"),
        ("scenarios=[sides]", "no scenario 'sides'.* Did you mean 'side'?"),
        ("driver=open_ai", "expected one of openai, .* Did you mean 'openai'?"),
        ("waypoint_frame=car", "expected one of ego, lidar"),
        ("model=null", "model is None; expected text"),
        ("first_port=65535", "ports up to 65537 would be needed"),
        ("first_port=0", "first_port is 0"),
        ("step_timeout_s=-1", "expected seconds above 0"),
        ("step_timeout_s=.nan", "expected seconds above 0"),
        (
            "engine_command=['{modelport}']",
            "engine_command: '{modelport}': nothing is known as {modelport}. "
            "Did you mean 'model_port'?",
        ),
        ("engine_command=['a{']", "engine_command: 'a{': .*a brace itself is written twice"),
        ("language_command=['{sequence}']", "nothing is known as {sequence}"),
    ],
)
def test_what_cannot_be_meant_is_one_line(replaced: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=told):
        read_config(_written(tmp_path), [replaced])


def test_the_files_own_faults_are_told_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="neuroncap_evaluation/config.yaml"):
        read_config(tmp_path / "gone.yaml")
    with pytest.raises(ValueError, match="config.yaml: unknown 'run'.*Did you mean 'runs'"):
        read_config(_written(tmp_path, run=5))
    path = tmp_path / "config.yaml"
    path.write_text("runs: 5\n")
    with pytest.raises(ValueError, match=r"config.yaml: no engine, scenarios, out, driver"):
        read_config(path)
    path.write_text("- runs\n")
    with pytest.raises(ValueError, match="expected a mapping"):
        read_config(path)
