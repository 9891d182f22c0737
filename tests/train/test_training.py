"""LLaMA-Factory trains until it answers 20 samples exactly; our own engine gives that back."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from PIL import Image

from impromptu.conversation import Sample, registry_entry
from impromptu.engines import Decoding, Settings
from impromptu.engines.transformers import ENGINE

ROOT = Path(__file__).parents[2]
YAML = ROOT / "train/Qwen2_5-VL/tiny_cpu.yaml"
EXPORT = ROOT / "train/Qwen2_5-VL/QA_train/3B_lora_QA_train_bs8_export.yaml"

pytestmark = [pytest.mark.train, pytest.mark.slow]

# Samples of one text differ in their image alone, samples of one image in their text alone.
COLOURS = {
    "red": (200, 30, 30),
    "green": (30, 170, 60),
    "blue": (30, 60, 200),
    "white": (250, 250, 250),
    "black": (5, 5, 5),
}
TIMES = ("now", "then", "before", "after")
ACTIONS = ("KEEP,STRAIGHT", "STOP,LEFT_TURN", "ACCELERATE,RIGHT_TURN", "DECELERATE,LEFT_CHANGE")


def _samples(turned: int = 0) -> list[Sample]:
    """Return the 20 samples; with ``turned``, each has the answer of another."""
    keys = [(colour, when) for colour in COLOURS for when in TIMES]
    answers = [
        f"<PLANNING>[{number}.25, -{number / 2}]</PLANNING>" if number % 2 else ACTIONS[number % 4]
        for number in range(len(keys))
    ]
    answers = answers[turned:] + answers[:turned]
    return [
        Sample(f"{colour}/{when}", (f"{colour}.png",), f"<image>\nWhat {when}?", answer)
        for (colour, when), answer in zip(keys, answers, strict=True)
    ]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for name, colour in COLOURS.items():
        Image.new("RGB", (56, 56), colour).save(folder / f"{name}.png")
    registry = {}
    for name, turned in {"first": 0, "turned": 7}.items():
        rows = [sample.to_sharegpt() for sample in _samples(turned)]
        (folder / f"{name}.json").write_text(json.dumps(rows))
        registry[name] = registry_entry(f"{name}.json")
    (folder / "dataset_info.json").write_text(json.dumps(registry))
    return folder


@pytest.fixture(scope="module")
def results(
    llamafactory: Callable[..., None],
    tiny_checkpoint: Path,
    data: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Checkpoints: ``full``; ``lora``, an adapter on it for other answers; ``merged``."""
    folder = tmp_path_factory.mktemp("results")
    shared = {"dataset_dir": data, "plot_loss": "false", "per_device_train_batch_size": 10}
    full = {
        "model_name_or_path": tiny_checkpoint,
        "dataset": "first",
        "output_dir": folder / "full",
        "max_steps": 140,
    }
    lora = {
        "model_name_or_path": folder / "full",
        "dataset": "turned",
        "output_dir": folder / "lora",
        "finetuning_type": "lora",
        "lora_target": "all",
        "lora_rank": 32,
        "lora_alpha": 32,
        "learning_rate": 3e-3,
        "max_steps": 100,
    }
    merged = {
        "model_name_or_path": folder / "full",
        "adapter_name_or_path": folder / "lora",
        "export_dir": folder / "merged",
        "infer_dtype": "float32",
    }
    llamafactory(
        ("train", YAML, shared | full), ("train", YAML, shared | lora), ("export", EXPORT, merged)
    )
    return folder


def _answers(model: Path, data: Path, samples: Sequence[Sample]) -> list[str]:
    settings = Settings(
        str(model),
        data,
        image_max_pixels=12_544,
        decoding=Decoding(max_new_tokens=40),
        batch_size=len(samples),
    )
    answers = [answer for _, answer in ENGINE.open(settings)(samples)]
    assert Counter(answer.finish_reason for answer in answers) == {"stop": len(samples)}
    return [answer.text for answer in answers]


def test_what_is_trained_is_answered(results: Path, data: Path) -> None:
    samples = _samples()
    assert _answers(results / "full", data, samples) == [sample.answer for sample in samples]


def test_what_an_adapter_is_trained_on_is_answered_once_merged(results: Path, data: Path) -> None:
    samples = _samples(7)
    assert _answers(results / "merged", data, samples) == [sample.answer for sample in samples]


def test_merging_keeps_the_logits(results: Path, data: Path) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoProcessor, Qwen2_5_VLForConditionalGeneration

    from impromptu.engines._qwen_chat import chat_text

    base = Qwen2_5_VLForConditionalGeneration.from_pretrained(results / "full").eval()
    merged = Qwen2_5_VLForConditionalGeneration.from_pretrained(results / "merged").eval()
    processor = AutoProcessor.from_pretrained(results / "merged", use_fast=True)
    samples = _samples()
    asked = processor(
        text=[chat_text(sample.prompt, "qwen2_vl") + sample.answer for sample in samples],
        images=[Image.open(data / sample.images[0]) for sample in samples],
        padding=True,
        return_tensors="pt",
    )
    seen = asked["attention_mask"].bool()
    with torch.no_grad():
        alone = base(**asked).logits[seen]
        adapted = PeftModel.from_pretrained(base, results / "lora")(**asked).logits[seen]
        difference = (merged(**asked).logits[seen] - adapted).abs().max()
    assert difference < 1e-4, "float32 sums in another order"
    assert (adapted - alone).abs().max() > 1, "the adapter does something"
