import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks/gpu/training.py"

pytestmark = [pytest.mark.train, pytest.mark.slow]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("transformers", reason="needs the train extra: transformers")
    out = tmp_path_factory.mktemp("gpu")
    command = [sys.executable, str(SCRIPT), "--self-test", "--steps", "3", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def test_all_variants_came_to_the_same_loss(run: Path) -> None:
    told = json.loads((run / "training.json").read_text())
    losses = [variant["losses"] for variant in told["variants"].values()]
    published, ours = losses
    assert published[-1] < published[0]
    assert ours == pytest.approx(published, abs=1e-3)


def test_the_table_has_a_row_for_each(run: Path) -> None:
    told = json.loads((run / "training.json").read_text())
    table = (run / "training.md").read_text()
    assert told["date"] in table and "CPU" in table
    for name in told["variants"]:
        assert f"\n| {name} | " in table
    assert "\n| 8 | " in table, "generation, eight at once"


def test_without_a_gpu_nothing_is_measured_and_the_exit_code_tells(tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="needs the train extra: transformers")
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--variants", "published", "--out", str(tmp_path)],
        capture_output=True,
        text=True,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": ""},
    )
    assert done.returncode == 1
    assert "nothing was measured" in done.stderr
    assert "| published | left out: " in (tmp_path / "training.md").read_text()


def test_the_weights_are_as_many_as_published() -> None:
    count = (
        "import runpy, sys; names = runpy.run_path(sys.argv[1]); "
        "import torch, transformers; torch.set_default_device('meta'); "
        "config = transformers.Qwen2_5_VLConfig(**names['PUBLISHED_3B']); "
        "model = transformers.Qwen2_5_VLForConditionalGeneration(config); "
        "print(sum(w.numel() for w in model.parameters()), names['_image_tokens']())"
    )
    done = subprocess.run(
        [sys.executable, "-c", count, str(SCRIPT)], capture_output=True, text=True
    )
    # The sum of the published checkpoint's tensors; 336 is 24 x 14 tokens of 28 x 28 pixels.
    assert done.stdout.split() == ["3754622976", "336"], done.stderr
