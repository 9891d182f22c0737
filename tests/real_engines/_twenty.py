"""Twenty samples that a tiny model can learn by heart, and the model that has learnt them.

python tests/real_engines/_twenty.py FOLDER

Each image is asked four things and each question is asked of five images, so that an answer that
is right has read both. Runs in the environment of the train extra.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from impromptu import tiny_model
from impromptu.conversation import Sample, registry_entry

ROOT = Path(__file__).parents[2]
YAML = ROOT / "train/Qwen2_5-VL/tiny_cpu.yaml"
MAX_PIXELS = 12_544
COLOURS = {
    "red": (200, 30, 30),
    "green": (30, 170, 60),
    "blue": (40, 60, 200),
    "grey": (120, 120, 120),
    "white": (245, 245, 245),
}
WORDS = ("KEEP", "ACCELERATE", "DECELERATE", "STOP", "TURN")


def samples() -> list[Sample]:
    """Return the twenty samples."""
    return [one for place, name in enumerate(COLOURS) for one in _of(place, name)]


def _of(place: int, name: str) -> list[Sample]:
    speed_mps, image = place * 1.5 + 0.5, f"{name}.png"
    path = ", ".join(f"[{k * speed_mps / 2:.2f}, {-k * 0.1:.2f}]" for k in range(1, 7))
    return [
        Sample(f"made/{name}/0/q4", (image,), "<image>\nWhich colour?", name.title()),
        Sample(f"made/{name}/0/q6", (image,), f"<image>\nAt {speed_mps} m/s: plan?", WORDS[place]),
        Sample(
            f"made/{name}/0/planning",
            (image, "sky.png"),
            "<FRONT VIEW>:\n<image>\n<BACK VIEW>:\n<image>\nWhere to?",
            f"<PLANNING>{path}</PLANNING>",
        ),
        Sample(
            f"made/{name}/0/q5", (image,), "Describe <image>, at length: 信号 ½?", f"A {name} road."
        ),
    ]


def write(folder: Path) -> Path:
    """Write images, samples and their registry; a wide image is larger than the budget."""
    folder.mkdir(parents=True, exist_ok=True)
    for size_px, (name, colour) in zip(
        ((56, 56), (90, 60), (200, 120), (400, 225), (28, 90)), COLOURS.items(), strict=True
    ):
        Image.new("RGB", size_px, colour).save(folder / f"{name}.png")
    ramp = np.tile(np.linspace(0, 255, 100, dtype=np.uint8), (70, 1))
    Image.fromarray(ramp).save(folder / "sky.png")
    rows = [sample.to_sharegpt() for sample in samples()]
    (folder / "twenty.json").write_text(json.dumps(rows), encoding="utf-8")
    (folder / "dataset_info.json").write_text(
        json.dumps({"twenty": registry_entry("twenty.json")}), encoding="utf-8"
    )
    return folder


def train(data: Path, model: Path, steps: int = 500) -> Path:
    """Train a tiny model until it knows them."""
    overrides = {
        "model_name_or_path": tiny_model.build(model.with_name("untrained")),
        "dataset": "twenty",
        "dataset_dir": data,
        "output_dir": model,
        "max_steps": steps,
        "per_device_train_batch_size": 4,
        "image_max_pixels": MAX_PIXELS,
        "plot_loss": "false",
    }
    code = (
        "from impromptu import torch_cpu; torch_cpu.hook(); "
        "from llamafactory.cli import main; main()"
    )
    words = ["train", str(YAML), *(f"{key}={value}" for key, value in overrides.items())]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", code, *words], check=True, cwd=ROOT, env=environment)
    return model


if __name__ == "__main__":
    build = Path(sys.argv[1])
    train(write(build / "data"), build / "model")
