"""The launcher: what it refuses, what it adds to the loss, and that LLaMA-Factory lets it."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from impromptu import torch_cpu
from impromptu.action_checkpoint import add_actions
from impromptu.action_tokens import Codebook
from impromptu.conversation import Sample, registry_entry
from impromptu.joint_training import joint_trainer, replaced_trainer, train

torch = pytest.importorskip("torch", reason="needs the train extra: torch")

ROOT = Path(__file__).parents[1]
YAML = ROOT / "train/Qwen2_5-VL/tiny_actions_cpu.yaml"
VOCABULARY = {"a": 0, "<|x+0.00|>": 1, "<|x+2.00|>": 2, "<|y+0.00|>": 3, "<|y-1.00|>": 4}


class Plain:
    """What a trainer has that the subclass uses."""

    def __init__(self) -> None:
        self.processing_class = SimpleNamespace(get_vocab=lambda: VOCABULARY)
        self.args = SimpleNamespace(device="cpu")
        self.logged: list[dict[str, float]] = []

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, **kwargs: Any
    ) -> Any:
        outputs = SimpleNamespace(logits=model.logits)
        return (torch.tensor(0.5), outputs) if return_outputs else torch.tensor(0.5)

    def log(self, logs: dict[str, float]) -> None:
        self.logged.append(logs)


# One step to (2, 0) where either step of each axis is as likely: expected (1, -0.5).
INPUTS = {"labels": torch.tensor([[0, 2, 3]])}
L2_M = float(np.hypot(1.0, 0.5))


def _model(training: bool = True) -> SimpleNamespace:
    return SimpleNamespace(logits=torch.zeros(1, 3, 5), training=training)


def test_the_weighted_distance_is_added_and_logged() -> None:
    trainer = joint_trainer(Plain, 0.1)()
    loss, outputs = trainer.compute_loss(_model(), INPUTS, return_outputs=True)
    assert loss.item() == pytest.approx(0.5 + 0.1 * L2_M)
    assert outputs.logits.shape == (1, 3, 5)
    assert trainer.compute_loss(_model(), INPUTS).item() == loss.item()
    trainer.log({"loss": 1.0})
    trainer.log({"loss": 2.0})
    assert trainer.logged == [{"loss": 1.0, "expected_l2_m": round(L2_M, 4)}, {"loss": 2.0}]
    assert trainer.answers_seen


@pytest.mark.parametrize(("weight", "training"), [(0.0, True), (0.7, False)])
def test_weight_0_and_evaluation_have_the_plain_loss(weight: float, training: bool) -> None:
    trainer = joint_trainer(Plain, weight)()
    assert trainer.compute_loss(_model(training), INPUTS).item() == 0.5
    assert not trainer.answers_seen


def test_answers_without_tokens_have_the_plain_loss() -> None:
    trainer = joint_trainer(Plain, 0.1)()
    words = {"labels": torch.zeros(1, 3, dtype=torch.long)}
    assert trainer.compute_loss(_model(), words).item() == 0.5
    assert not trainer.answers_seen


def test_a_model_without_logits_is_refused() -> None:
    with pytest.raises(ValueError, match="liger"):
        joint_trainer(Plain, 0.1)().compute_loss(
            SimpleNamespace(logits=None, training=True), INPUTS
        )


needs_llamafactory = pytest.mark.skipif(
    not find_spec("llamafactory"), reason="needs the train extra: llamafactory"
)


@needs_llamafactory
@pytest.mark.parametrize(
    ("told", "complaint"),
    [
        ("joint_loss_weight=-1", "joint_loss_weight: expected a number from 0 on"),
        ("joint_loss_weight=much", "got 'much'"),
        ("joint_loss_weight=true", "got True"),
        ("stage=dpo", "stage: expected 'sft'"),
        ("packing=true", "packing: .*several answers in a row"),
        ("use_asft_loss=true", "use_asft_loss"),
    ],
)
@pytest.mark.filterwarnings("default")
def test_what_cannot_be_trained_so(told: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        train(YAML, [told])


def test_a_yaml_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="expected a training YAML"):
        train(tmp_path / "no.yaml", [])


@needs_llamafactory
@pytest.mark.filterwarnings("default")
def test_llamafactory_looks_its_trainer_up_and_a_change_of_that_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If this fails, LLaMA-Factory has changed: see ``joint_training.replaced_trainer``."""
    torch_cpu.hook()
    from llamafactory.train.sft import workflow

    plain = workflow.CustomSeq2SeqTrainer
    with replaced_trainer(0.5) as joint:
        assert workflow.CustomSeq2SeqTrainer is joint and issubclass(joint, plain)
    assert workflow.CustomSeq2SeqTrainer is plain
    monkeypatch.setattr(workflow, "run_sft", lambda: "looks up nothing")
    with pytest.raises(ValueError, match="no longer looks up"), replaced_trainer(0.5):
        pass
    assert workflow.CustomSeq2SeqTrainer is plain


BOOK = Codebook("uniform", (0, 100, 200), (-100, 0, 100))


@pytest.fixture
def work(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    Image.new("RGB", (56, 56)).save(tmp_path / "black.png")
    rows = [
        Sample(
            f"s/{k}/planning",
            ("black.png",),
            f"<image>\nWhere {k}?",
            f"<PLANNING>{BOOK.write(np.full((6, 2), float(k)))[0]}</PLANNING>",
        ).to_sharegpt()
        for k in range(4)
    ]
    (tmp_path / "paths.json").write_text(json.dumps(rows))
    registry = {"paths": registry_entry("paths.json")}
    (tmp_path / "dataset_info.json").write_text(json.dumps(registry))
    add_actions(str(tiny_checkpoint), BOOK, tmp_path / "model")
    return tmp_path


def _losses(work: Path, name: str, *command: str) -> list[dict[str, float]]:
    told = {
        "model_name_or_path": work / "model",
        "dataset": "paths",
        "dataset_dir": work,
        "output_dir": work / name,
        "max_steps": 3,
        "logging_steps": 1,
        "plot_loss": "false",
    }
    values = [f"{key}={value}" for key, value in told.items()]
    done = subprocess.run(
        [sys.executable, *command, *values],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    state = json.loads((work / name / "trainer_state.json").read_text())
    return [entry for entry in state["log_history"] if "loss" in entry]


@needs_llamafactory
@pytest.mark.train
@pytest.mark.slow
def test_it_trains_and_weight_0_is_llamafactory_itself(work: Path) -> None:
    code = (
        "from impromptu import torch_cpu; torch_cpu.hook(); "
        "from llamafactory.cli import main; main()"
    )
    joint = "-m", "impromptu", "train-joint", str(YAML)
    itself = _losses(work, "itself", "-c", code, "train", str(YAML))
    nothing = _losses(work, "nothing", *joint, "joint_loss_weight=0")
    some = _losses(work, "some", *joint, "joint_loss_weight=0.5")
    plain = [entry["loss"] for entry in itself]
    assert [entry["loss"] for entry in nothing] == plain
    assert "expected_l2_m" not in nothing[0]
    first = some[0]
    assert first["loss"] == pytest.approx(plain[0] + 0.5 * first["expected_l2_m"], abs=2e-4)
    assert some[-1]["loss"] != plain[-1]
