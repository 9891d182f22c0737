"""A folder with a registry, odd samples and images, and a YAML that trains on them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from impromptu.conversation import registry_entry

SIZES = {
    "usual.jpg": (160, 90),
    "tiny.png": (1, 1),
    "grey.png": (3, 200),
    "wide.png": (2_000, 4),
    "tall.png": (7, 1_900),
    "large.jpg": (900, 700),
    "odd.jpg": (333, 127),
    "square.png": (512, 512),
}


def sample(name: Any, answer: str = "KEEP,STRAIGHT", **more: Any) -> dict[str, Any]:
    prompt = {"role": "user", "content": f"What should it do at {name}?"}
    return {"id": name, "messages": [prompt, {"role": "assistant", "content": answer}]} | more


def shown(name: str, *images: str, text: str = "Look.", answer: str = "Yes.") -> dict[str, Any]:
    """A sample with images, their markers spread over the text."""
    marks = "\n".join(["<image>"] * len(images))
    turns = [("user", f"{marks}{text}"), ("assistant", answer)]
    messages = [{"role": role, "content": content} for role, content in turns]
    return {"id": name, "images": list(images), "messages": messages}


def write_images(folder: Path) -> None:
    for name, size in SIZES.items():
        Image.new("L" if name == "grey.png" else "RGB", size, 90).save(folder / name)


@pytest.fixture
def training(tmp_path: Path) -> Callable[..., Path]:
    """Write datasets by name, their registry and a YAML; return the YAML."""

    def write(data: dict[str, Any], entry: dict[str, Any] | None = None, **given: Any) -> Path:
        folder = tmp_path / "data"
        folder.mkdir(exist_ok=True)
        write_images(folder)
        registry = {}
        for name, rows in data.items():
            text = rows if isinstance(rows, str) else json.dumps(rows)
            (folder / f"{name}.json").write_text(text, encoding="utf-8")
            registry[name] = registry_entry(f"{name}.json") | (entry or {})
        (folder / "dataset_info.json").write_text(json.dumps(registry))
        values = {
            "stage": "sft",
            "do_train": True,
            "finetuning_type": "full",
            "freeze_vision_tower": True,
            "freeze_multi_modal_projector": True,
            "dataset": next(iter(data)),
            "dataset_dir": str(folder),
            "template": "qwen2_vl",
            "cutoff_len": 2048,
            "image_max_pixels": 262_144,
            "output_dir": str(tmp_path / "out"),
        }
        path = tmp_path / "train.yaml"
        path.write_text(yaml.safe_dump(values | given))
        return path

    return write
