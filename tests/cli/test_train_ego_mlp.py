"""From samples to a network to answers, by the command line alone."""

import json
import sys
from pathlib import Path

import pytest

from impromptu.cli import main
from impromptu.conversation import registry_entry

HISTORY = "(t-0.5s) [-2.0, 0.0], (t-0.0s) [0.0, 0.0], Velocity: X {}, Y 0 m/s"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [
        {
            "id": f"log/{speed}/q7",
            "images": [],
            "messages": [
                {"role": "user", "content": HISTORY.format(speed)},
                {"role": "assistant", "content": ", ".join([f"[{speed}, 0]"] * 10)},
            ],
        }
        for speed in range(4)
    ]
    (tmp_path / "q7.json").write_text(json.dumps(rows))
    (tmp_path / "dataset_info.json").write_text(json.dumps({"q7": registry_entry("q7.json")}))
    return tmp_path


def _train(folder: Path, *flags: str) -> int:
    where = ["--dataset", "q7", "--dataset_dir", str(folder), "--out", str(folder / "mlp")]
    return main(["train-ego-mlp", *where, *flags])


def _infer(folder: Path, engine: str, model: Path, *flags: str) -> int:
    where = ["--dataset", "q7", "--dataset_dir", str(folder)]
    out = ["--save_name", str(folder / f"{engine}.jsonl"), "--model_name_or_path", str(model)]
    return main(["infer", "--engine", engine, *where, *out, *flags])


@pytest.mark.train
def test_a_network_is_trained_and_answers(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch", reason="needs the train extra: torch")
    assert _train(folder, "--steps", "3") == 0
    assert "learnt from 4 of 4 samples" in capsys.readouterr().out
    assert _infer(folder, "ego_status_mlp", folder / "mlp") == 0
    assert "4 answers (4 stop)" in capsys.readouterr().out
    assert _train(folder, "--steps", "3", "--seed", "1") == 0
    assert _infer(folder, "ego_status_mlp", folder / "mlp") == 2
    assert "model_sha256 was" in capsys.readouterr().err


def test_another_training_file_under_the_same_name_is_noticed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    training = folder / "train.json"
    training.write_text((folder / "q7.json").read_text())
    assert _infer(folder, "nearest_neighbour", training, "--temperature", "0.5") == 0
    told = capsys.readouterr().err
    assert "no effect on the engine 'nearest_neighbour': --temperature\n" in told
    assert _infer(folder, "nearest_neighbour", training) == 0
    training.write_text((folder / "q7.json").read_text().replace("[3, 0]", "[4, 0]"))
    assert _infer(folder, "nearest_neighbour", training) == 2
    assert "model_sha256 was" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "told"),
    [(["--steps", "0"], "--steps 0: expected at least 1"), (["--dataset", "q8"], "no 'q8'")],
)
def test_wrong_flags_are_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], flags: list[str], told: str
) -> None:
    assert _train(folder, *flags) == 2
    assert told in capsys.readouterr().err


def test_a_missing_torch_is_answered_with_the_command(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert _train(folder) == 2
    assert "pip install 'impromptu-vla[train]'" in capsys.readouterr().err
