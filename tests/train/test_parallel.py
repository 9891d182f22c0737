"""Several processes, several nodes and DeepSpeed take the steps that one process takes."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from impromptu.torch_cpu import PTH_LINE

ROOT = Path(__file__).parents[2]
YAML = ROOT / "train/Qwen2_5-VL/tiny_cpu.yaml"
STEPS = 3

pytestmark = [pytest.mark.train, pytest.mark.slow]


class Launcher:
    """Starts `llamafactory-cli train` as the documentation says, in processes of its own."""

    def __init__(self, folder: Path, shared: Mapping[str, Any]) -> None:
        self.shared = shared
        # Python imports it in every process, as it does `make setup`'s line.
        (folder / "sitecustomize.py").write_text(PTH_LINE)
        path = [str(Path(sys.executable).parent), os.environ["PATH"]]
        self.environment = os.environ | {
            "OMP_NUM_THREADS": "1",
            "FORCE_TORCHRUN": "1",
            "PATH": os.pathsep.join(path),
            "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT / "src")]),
        }

    def start(self, more: Mapping[str, Any], **environment: str) -> "subprocess.Popen[str]":
        arguments = [f"{key}={value}" for key, value in {**self.shared, **more}.items()]
        return subprocess.Popen(
            [sys.executable, "-m", "llamafactory.cli", "train", str(YAML), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=ROOT,
            env=self.environment | environment,
        )


def _wait(*processes: "subprocess.Popen[str]") -> None:
    for process in processes:
        said, _ = process.communicate(timeout=400)
        assert process.returncode == 0, said[-3000:]


def _losses(result: Path) -> list[float]:
    history = json.loads((result / "trainer_state.json").read_text())["log_history"]
    return [row["loss"] for row in history if "loss" in row]


@pytest.fixture(scope="module")
def shared(tiny_checkpoint: Path, illustrated: Path) -> dict[str, Any]:
    """Eight samples a step, in the order of the file."""
    return {
        "model_name_or_path": tiny_checkpoint,
        "dataset_dir": illustrated,
        "max_steps": STEPS,
        "logging_steps": 1,
        "plot_loss": "false",
        "disable_shuffling": "true",
        "per_device_train_batch_size": 2,
        "gradient_accumulation_steps": 4,
    }


@pytest.fixture(scope="module")
def alone(
    llamafactory: Callable[..., None],
    shared: dict[str, Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> list[float]:
    """Losses of one process."""
    result = tmp_path_factory.mktemp("alone")
    llamafactory(("train", YAML, shared | {"output_dir": result}))
    losses = _losses(result)
    assert len(losses) == STEPS and losses[-1] < losses[0]
    return losses


@pytest.fixture
def launcher(shared: dict[str, Any], tmp_path: Path) -> Launcher:
    return Launcher(tmp_path, shared)


def test_two_processes(launcher: Launcher, alone: list[float], tmp_path: Path) -> None:
    result = {"output_dir": tmp_path / "result", "gradient_accumulation_steps": 2}
    _wait(launcher.start(result, NPROC_PER_NODE="2"))
    assert _losses(tmp_path / "result") == pytest.approx(alone, abs=1e-3)


def test_two_nodes(launcher: Launcher, alone: list[float], tmp_path: Path) -> None:
    result = {"output_dir": tmp_path / "result", "gradient_accumulation_steps": 2}
    nodes = {"NNODES": "2", "NPROC_PER_NODE": "1", "MASTER_ADDR": "127.0.0.1"}
    nodes["MASTER_PORT"] = "29513"
    _wait(*(launcher.start(result, NODE_RANK=str(rank), **nodes) for rank in range(2)))
    assert _losses(tmp_path / "result") == pytest.approx(alone, abs=1e-3)


@pytest.mark.parametrize("stage", [2, 3])
def test_deepspeed(launcher: Launcher, alone: list[float], tmp_path: Path, stage: int) -> None:
    if not find_spec("deepspeed"):
        pytest.skip("needs deepspeed: pip install --no-build-isolation 'deepspeed<=0.18.4'")
    config = ROOT / f"train/deepspeed/ds_z{stage}_config.json"
    result = {"output_dir": tmp_path / "result", "deepspeed": config}
    _wait(launcher.start(result, NPROC_PER_NODE="1", DS_ACCELERATOR="cpu"))
    assert _losses(tmp_path / "result") == pytest.approx(alone, abs=1e-3)
