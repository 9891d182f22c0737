"""Every shipped run makes two real steps on the CPU, with a tiny model in place of its own."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
RUNS = sorted(
    path
    for path in (ROOT / "train").glob("*/QA_train*/*.yaml")
    if not path.stem.endswith("_export")
)

pytestmark = [pytest.mark.train, pytest.mark.slow]


def test_two_steps_of_every_run(
    llamafactory: Callable[..., None],
    tiny_checkpoint: Path,
    tiny_qwen3: Path,
    illustrated: Path,
    tmp_path: Path,
) -> None:
    models = {"Qwen2_5-VL": tiny_checkpoint, "Qwen3-VL": tiny_qwen3}
    results = {path: tmp_path / str(number) for number, path in enumerate(RUNS)}
    llamafactory(
        *(
            (
                "train",
                path,
                {
                    "model_name_or_path": models[path.parts[-3]],
                    "dataset_dir": illustrated,
                    "output_dir": result,
                    "deepspeed": "null",
                    "use_cpu": "true",
                    "preprocessing_num_workers": "null",
                    "max_samples": 16 if "fin_nu" in path.parts[-2] else 1,
                    "max_steps": 2,
                    "logging_steps": 1,
                    "plot_loss": "false",
                },
            )
            for path, result in results.items()
        )
    )
    for path, result in results.items():
        state = json.loads((result / "trainer_state.json").read_text())
        losses = [row["loss"] for row in state["log_history"] if "loss" in row]
        assert state["global_step"] == len(losses) == 2, path
        assert all(0 < loss < 10 for loss in losses), path
        method = yaml.safe_load(path.read_text())["finetuning_type"]
        weights = "adapter_model.safetensors" if method == "lora" else "model.safetensors"
        assert (result / weights).is_file(), path
