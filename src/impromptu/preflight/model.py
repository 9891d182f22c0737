"""Reads of a checkpoint what can be known without its weights: tokenizer, image rule, sizes."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from impromptu import checkpoints, torch_cpu
from impromptu.files import read_json, read_yaml_mapping
from impromptu.preflight.plan import Plan
from impromptu.preflight.tokens import TEMPLATES, ImageRule, Rules

_PIXELS = (56 * 56, 28 * 28 * 1280)
"""The image processor's own budget where a checkpoint tells none."""

_VISION = ("visual.pos_embed", "visual.patch_embed", "visual.blocks", "visual.deepstack_merger")
_SMALL = ("*.json", "*.txt", "*.jinja")
"""Files of a checkpoint that hold no weights."""

_PROJECTOR = "visual.merger"


@dataclass(frozen=True, slots=True)
class Weights:
    """Numbers of parameters, and what the activations are made of.

    Attributes:
        trained: Those that learn, LoRA's own included.
        parts: All of the checkpoint's, by part.
        hidden, key_value, feed_forward: Widths of a layer of the language model.
    """

    trained: int
    parts: Mapping[str, int]
    layers: int
    hidden: int
    key_value: int
    feed_forward: int
    vocabulary: int

    @property
    def total(self) -> int:
        """All parameters, LoRA's own not included."""
        return sum(self.parts.values())


def find_checkpoint(model: str) -> Path:
    """Return the folder of a checkpoint; of one on the hub, all but its weights are fetched.

    Raises:
        OSError: There is no such folder, or the hub does not give it.
        ValueError: No model is named.
        ModuleNotFoundError: huggingface_hub is not installed.
    """
    checkpoints.check(model)
    folder = Path(model) if checkpoints.is_folder(model) else _fetched(model)
    if not (folder / "config.json").is_file():
        raise FileNotFoundError(f"{model}: expected a checkpoint, with a config.json")
    return folder


def _fetched(model: str) -> Path:
    _needs_transformers()
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(model, allow_patterns=list(_SMALL)))
    except Exception as error:  # of the hub's client, of many kinds
        raise OSError(
            f"{model}: it is no folder here, and the hub does not give it "
            f"({type(error).__name__}); download it first (impromptu fetch has base models), or "
            "name its folder: model_name_or_path=FOLDER"
        ) from error


def read_object(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        ValueError: It is none.
    """
    value = read_json(path)
    if not isinstance(value, dict):
        raise ValueError(f"{path}: expected an object, got {value!r:.60}")
    return value


def _needs_transformers() -> None:
    torch_cpu.hook()
    try:
        import transformers  # noqa: F401
    except ModuleNotFoundError as error:
        error.add_note("this needs more: pip install 'impromptu-vla[train]'")
        raise


def read_rules(plan: Plan, checkpoint: Path) -> Rules:
    """Load the tokenizer, and the image processor's sizes.

    Raises:
        ValueError: Its tokenizer cannot be loaded, or its image processor tells no sizes.
        ModuleNotFoundError: transformers is not installed.
    """
    template, image = TEMPLATES[plan.template], _image_rule(plan, checkpoint)
    described = plan.new_special_tokens_config  # LLaMA-Factory's words for it, by token
    special = list(read_yaml_mapping(Path(described)) if described else plan.add_special_tokens)
    _needs_transformers()
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(checkpoint, use_fast=True)
        tokenizer.add_tokens(list(plan.add_tokens), special_tokens=False)
        tokenizer.add_tokens(special, special_tokens=True)
        tokenizer.add_special_tokens({"eos_token": "<|im_end|>"})
        written = tokenizer.backend_tokenizer.to_str()
    except Exception as error:  # of as many kinds as there are damaged files
        raise ValueError(f"{checkpoint}: its tokenizer cannot be loaded: {error!s:.200}") from error
    system = template.system if plan.default_system is None else plan.default_system
    forgets = plan.mask_history and not plan.preserve_thinking
    return Rules(
        written,
        plan.template,
        system,
        plan.enable_thinking,
        forgets,
        plan.mask_history,
        plan.cutoff_tokens,
        image,
    )


def _image_rule(plan: Plan, checkpoint: Path) -> ImageRule:
    path, told = checkpoint / "preprocessor_config.json", None
    if path.is_file():
        told = read_object(path)
    elif (path := checkpoint / "processor_config.json").is_file():  # as transformers 5 writes it
        told = read_object(path).get("image_processor")
    if not isinstance(told, dict):
        raise ValueError(f"{checkpoint}: expected a preprocessor_config.json, for images")
    size = told.get("size")
    size = size if isinstance(size, dict) else {}
    numbers = {
        "patch_size": told.get("patch_size", 14),
        "merge_size": told.get("merge_size", 2),
        "min_pixels": told.get("min_pixels") or size.get("shortest_edge", _PIXELS[0]),
        "max_pixels": told.get("max_pixels") or size.get("longest_edge", _PIXELS[1]),
    }
    for key, value in numbers.items():
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"{path}: {key} is {value!r:.60}; expected a whole number")
    patch, merge, least, most = numbers.values()
    return ImageRule(patch, merge, least, most, plan.image_min_pixels, plan.image_max_pixels)


def read_weights(plan: Plan, checkpoint: Path) -> Weights:
    """Count parameters: the model is built of its ``config.json``, without memory for weights.

    Raises:
        ValueError: transformers cannot build a model of its config.
        ModuleNotFoundError: torch or transformers is not installed.
    """
    _needs_transformers()
    import torch
    from transformers import AutoConfig, AutoModelForImageTextToText

    try:
        config = AutoConfig.from_pretrained(checkpoint)
        with torch.device("meta"):
            built = AutoModelForImageTextToText.from_config(config)
        built.tie_weights()
    except Exception as error:  # of as many kinds as there are damaged files
        raise ValueError(
            f"{checkpoint}: no model can be built of its config: {error!s:.200}"
        ) from error
    sizes = {name: weight.numel() for name, weight in built.named_parameters()}
    parts = {"language model": 0, "vision tower": 0, "projector": 0}
    for name, count in sizes.items():
        parts[part_of(name)] += count
    shapes = {
        name: (module.in_features, module.out_features)
        for name, module in built.named_modules()
        if isinstance(module, torch.nn.Linear)
    }
    text = config.get_text_config()
    heads = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    return Weights(
        _trained(plan, sizes, shapes),
        parts,
        text.num_hidden_layers,
        text.hidden_size,
        heads * text.num_key_value_heads,
        text.intermediate_size,
        text.vocab_size,
    )


def part_of(name: str) -> str:
    """Return which part of a Qwen a parameter belongs to, as LLaMA-Factory divides it."""
    if any(key in name for key in _VISION):
        return "vision tower"
    return "projector" if _PROJECTOR in name else "language model"


def _trained(plan: Plan, sizes: Mapping[str, int], shapes: Mapping[str, tuple[int, int]]) -> int:
    frozen = {
        "vision tower": plan.freeze_vision_tower,
        "projector": plan.freeze_multi_modal_projector,
        "language model": plan.freeze_language_model,
    }
    if plan.finetuning_type != "lora":
        return sum(count for name, count in sizes.items() if not frozen[part_of(name)])
    targets = set(plan.lora_target)
    if "all" in targets:
        hidden = {"projector"} | ({"vision tower"} if plan.freeze_vision_tower else set())
        targets = {
            name.rpartition(".")[2]
            for name in shapes
            if part_of(name) not in hidden and "lm_head" not in name
        }
    return plan.lora_rank * sum(
        sum(shape)
        for name, shape in shapes.items()
        if any(target in name for target in targets)
        and not frozen[part_of(name)]
        and "patch_embed" not in name
    )


def zero_stage(path: Path) -> int:
    """Return the ZeRO stage that a DeepSpeed config asks for.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no DeepSpeed config.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such DeepSpeed config")
    config = read_json(path)
    zero = config.get("zero_optimization", {}) if isinstance(config, dict) else None
    stage = zero.get("stage", 0) if isinstance(zero, dict) else None
    if stage not in (0, 1, 2, 3):
        raise ValueError(f"{path}: expected zero_optimization with a stage of 0 to 3")
    return int(stage)
