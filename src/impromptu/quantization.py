"""Four-bit weights of a trained checkpoint by AWQ, calibrated on driving samples.

Activation-aware weight quantization (Lin et al., arXiv 2306.00978) as llm-compressor does it: the
language model's linear layers become 4-bit integers with a scale and a zero point for each group
of 128 inputs; the vision tower, the embeddings and the output head stay as they are. What is
written is a checkpoint in the compressed-tensors format, which transformers and vLLM open.
"""

import os
import random
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from impromptu import checkpoints, torch_cpu
from impromptu.conversation import Sample
from impromptu.engines import Settings
from impromptu.files import fingerprint, write_json

SCHEME, GROUP = "W4A16_ASYM", 128
RECORD = "quantization.json"

_TEXT = "re:.*language_model.*"
_KEPT = ("re:.*lm_head", "re:.*visual.*")


@dataclass(frozen=True, slots=True)
class Quantized:
    """What came of it.

    Attributes:
        layers: Linear layers that became 4-bit.
        bytes_before, bytes_after: Of the weight files.
        refused: Why a sample was not calibrated on, by id.
    """

    layers: int
    bytes_before: int
    bytes_after: int
    refused: dict[str, str]


def choose(samples: Sequence[Sample], count: int, seed: int) -> list[Sample]:
    """Draw samples to calibrate on, without replacement; all, if they are not more."""
    drawn = random.Random(seed).sample(range(len(samples)), min(count, len(samples)))  # noqa: S311
    return [samples[index] for index in sorted(drawn)]


def quantize(settings: Settings, samples: Sequence[Sample], out: Path) -> Quantized:
    """Write the 4-bit checkpoint; ``out`` appears only when it is whole.

    Each sample is shown as in training, its answer included, since answers are what a model will
    have to write.

    Args:
        settings: The checkpoint, a folder, and how samples are shown to it.
        samples: To calibrate on.
        out: Folder to write; must not exist.

    Raises:
        FileExistsError: ``out`` is there.
        FileNotFoundError: There is no such checkpoint.
        ValueError: The model is not a folder, a layer cannot be cut into groups, or no sample
            could be read.
        ModuleNotFoundError: llm-compressor is not installed.
    """
    source = Path(settings.model)
    checkpoints.check(settings.model)
    if not source.is_dir():
        raise ValueError(f"{settings.model}: expected a folder; impromptu fetch downloads one")
    if out.exists():
        raise FileExistsError(f"{out} is there already; choose another --out or remove it")
    torch_cpu.hook()
    try:
        from llmcompressor.modifiers.quantization import QuantizationModifier
        from llmcompressor.modifiers.transform.awq import AWQModifier
    except ModuleNotFoundError as error:
        error.add_note(
            "quantization needs an environment of its own: pip install 'impromptu-vla[quantize]'"
        )
        raise
    from impromptu.engines.transformers import load

    qwen = load(settings)
    rows, refused = _rows(qwen, samples)
    layers = _layers(qwen.model)
    recipe = [
        AWQModifier(mappings=_mappings()),
        QuantizationModifier(targets=["Linear"], scheme=SCHEME, ignore=list(_KEPT)),
    ]
    _calibrate(qwen.model, qwen.processor, recipe, rows)
    with _appears(out) as folder:
        qwen.model.save_pretrained(folder, save_compressed=True)
        qwen.processor.save_pretrained(folder)
        if (own := source / "generation_config.json").is_file():
            shutil.copy(own, folder)  # over the one of our decoding
        done = Quantized(layers, _weight_bytes(source), _weight_bytes(folder), refused)
        write_json(folder / RECORD, _record(settings, [s.id for s in samples], done))
    return done


def _rows(qwen: Any, samples: Sequence[Sample]) -> tuple[list[Any], dict[str, str]]:
    rows, refused = [], dict[str, str]()
    for sample in samples:
        try:
            rows.append(_with_answer(qwen.encode(sample), sample.answer, qwen.processor.tokenizer))
        except ValueError as error:
            refused[sample.id] = str(error)
    if not rows:
        first = next(iter(refused.items()), ("none given", "expected at least one"))
        raise ValueError(f"no sample to calibrate on; the first: {first[0]}: {first[1]}")
    return rows, refused


def _with_answer(inputs: dict[str, Any], answer: str, tokenizer: Any) -> dict[str, Any]:
    import torch

    told = tokenizer(f"{answer}<|im_end|>", add_special_tokens=False, return_tensors="pt")
    return inputs | {
        name: torch.cat([inputs[name], told[name]], dim=1)
        for name in ("input_ids", "attention_mask")
    }


def _layers(model: Any) -> int:
    """Count what will be 4-bit.

    Raises:
        ValueError: One has a width that groups do not divide, or there is none.
    """
    import torch

    found = [
        (name, layer.in_features)
        for name, layer in model.named_modules()
        if isinstance(layer, torch.nn.Linear) and "language_model" in name
    ]
    odd = [f"{name} has {width} inputs" for name, width in found if width % GROUP]
    if odd or not found:
        raise ValueError(
            f"expected linear layers of a multiple of {GROUP} inputs; "
            + (odd[0] if odd else "there are none in the language model")
        )
    return len(found)


def _mappings() -> list[Any]:
    """Return which layer's output scale is moved into which layers' weights.

    Those of llm-compressor for Llama-like models, kept to the language model: the vision tower's
    layers have the same names.
    """
    from llmcompressor.modifiers.transform.awq import AWQMapping

    pairs = {
        "input_layernorm": ("q_proj", "k_proj", "v_proj"),
        "v_proj": ("o_proj",),
        "post_attention_layernorm": ("gate_proj", "up_proj"),
        "up_proj": ("down_proj",),
    }
    return [
        AWQMapping(f"{_TEXT}{smooth}$", [f"{_TEXT}{name}$" for name in balanced])
        for smooth, balanced in pairs.items()
    ]


def _calibrate(model: Any, processor: Any, recipe: Sequence[Any], rows: Sequence[Any]) -> None:
    """Run the library, layer by layer, so that one layer's activations are held at a time."""
    from llmcompressor import oneshot
    from torch.utils.data import DataLoader

    oneshot(
        model=model,
        processor=processor,
        recipe=list(recipe),
        dataset=DataLoader(list(rows), batch_size=None),
        num_calibration_samples=len(rows),
        pipeline="sequential",
        sequential_targets=["Qwen2_5_VLDecoderLayer"],
    )


@contextmanager
def _appears(out: Path) -> Iterator[Path]:
    """Yield a folder that gets the name ``out`` if nothing goes wrong, and else is removed."""
    out.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        yield scratch
        os.chmod(scratch, 0o755)  # noqa: S103 - as any folder that a command makes
        os.replace(scratch, out)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _weight_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.safetensors"))


def _record(settings: Settings, ids: Sequence[str], done: Quantized) -> dict[str, Any]:
    source = Path(settings.model)
    return {
        "model": settings.model,
        "model_sha256": fingerprint(source.glob("*.safetensors"), source),
        "scheme": SCHEME,
        "group": GROUP,
        "layers": done.layers,
        "bytes_before": done.bytes_before,
        "bytes_after": done.bytes_after,
        "image_max_pixels": settings.image_max_pixels,
        "calibrated_on": [name for name in ids if name not in done.refused],
        "refused": done.refused,
        "versions": {name: version(name) for name in ("llmcompressor", "torch", "transformers")},
    }
