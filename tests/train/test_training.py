"""LLaMA-Factory trains, then our own engine gives back what was learned."""

import json
import os
import subprocess
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import pytest
from PIL import Image

from impromptu.conversation import Sample, registry_entry
from impromptu.engines import Decoding, Settings
from impromptu.engines.transformers import ENGINE

ROOT = Path(__file__).parents[2]
YAML = ROOT / "train/Qwen2_5-VL/tiny_cpu.yaml"

# Two of each answer differ in their image alone, two in their text alone.
COLOURS = {"red.png": (200, 30, 30), "green.png": (30, 170, 60)}
ANSWERS = {
    ("red.png", "now"): "<PLANNING>[0.0, 0.0]</PLANNING>",
    ("green.png", "now"): "<PLANNING>[4.25, -1.5]</PLANNING>",
    ("red.png", "then"): "KEEP,STRAIGHT",
    ("green.png", "then"): "STOP,LEFT_TURN",
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for name, colour in COLOURS.items():
        Image.new("RGB", (56, 56), colour).save(folder / name)
    rows = [sample.to_sharegpt() for sample in _samples()]
    (folder / "colours.json").write_text(json.dumps(rows))
    registry = {"colours": registry_entry("colours.json")}
    (folder / "dataset_info.json").write_text(json.dumps(registry))
    return folder


def _samples() -> list[Sample]:
    return [
        Sample(f"{image}/{when}", (image,), f"<image>\nWhat {when}?", answer)
        for (image, when), answer in ANSWERS.items()
    ]


@pytest.mark.train
@pytest.mark.slow
def test_what_is_trained_is_answered(tiny_checkpoint: Path, data: Path, tmp_path: Path) -> None:
    if not find_spec("llamafactory"):
        pytest.skip("needs the train extra: llamafactory")
    overrides = {
        "model_name_or_path": tiny_checkpoint,
        "dataset": "colours",
        "dataset_dir": data,
        "output_dir": tmp_path / "trained",
        "max_steps": 80,
        "per_device_train_batch_size": 4,
        "plot_loss": "false",
    }
    # The hook is called here so that the test needs no prepared environment.
    code = (
        "from impromptu import torch_cpu; torch_cpu.hook(); "
        "from llamafactory.cli import main; main()"
    )
    arguments = ["train", str(YAML), *(f"{key}={value}" for key, value in overrides.items())]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}  # threads only get in each other's way
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    settings = Settings(
        str(tmp_path / "trained"),
        data,
        image_max_pixels=12_544,
        decoding=Decoding(max_new_tokens=40),
    )
    samples = _samples()
    answers = [answer for _, answer in ENGINE.open(settings)(samples)]
    assert [answer.text for answer in answers] == [sample.answer for sample in samples]
    assert Counter(answer.finish_reason for answer in answers) == {"stop": 4}
