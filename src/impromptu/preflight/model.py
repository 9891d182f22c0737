"""Reads of a checkpoint what can be known without its weights: tokenizer, image rule, sizes."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from impromptu import torch_cpu
from impromptu.files import read_json, read_yaml_mapping
from impromptu.preflight.plan import Plan
from impromptu.preflight.tokens import TEMPLATES, ImageRule, Rules

_PIXELS = (56 * 56, 28 * 28 * 1280)
"""The image processor's own budget where a checkpoint tells none."""

_VISION = ("visual.pos_embed", "visual.patch_embed", "visual.blocks", "visual.deepstack_merger")
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


def read_config(model: str) -> dict[str, Any]:
    """Read ``config.json`` of a folder, or of a checkpoint on the hub.

    Raises:
        OSError: There is none, or the hub cannot be reached.
        ValueError: It is no JSON object.
    """
    config = _read(model, "config.json")
    if config is None:
        raise FileNotFoundError(f"{model}: expected a checkpoint, with a config.json")
    return config


def _read(model: str, name: str) -> dict[str, Any] | None:
    """Read one JSON file of a checkpoint; None if it has no such file."""
    if is_folder(model):
        path = Path(model) / name
        if not path.is_file():
            return None
    else:
        _needs_transformers()
        from transformers.utils import cached_file

        try:
            found = cached_file(model, name, _raise_exceptions_for_missing_entries=False)
        except Exception as error:  # of the hub's client, of many kinds
            raise OSError(_unreachable(model, error)) from error
        if found is None:
            return None
        path = Path(found)
    value = read_json(path)
    if not isinstance(value, dict):
        raise ValueError(f"{path}: expected an object, got {value!r:.60}")
    return value


def is_folder(model: str) -> bool:
    """Tell a folder's path from a name on the hub."""
    return Path(model).is_dir() or model.startswith((".", "/", "~")) or model.count("/") != 1


def _unreachable(model: str, error: Exception) -> str:
    first = str(error).strip().splitlines() or [type(error).__name__]
    return (
        f"{model}: it is no folder here, and the hub does not give it ({first[0]:.160}); "
        "download it first, or name its folder: model_name_or_path=FOLDER"
    )


def _needs_transformers() -> None:
    torch_cpu.hook()
    try:
        import transformers  # noqa: F401
    except ModuleNotFoundError as error:
        error.add_note("this needs more: pip install 'impromptu-vla[train]'")
        raise


def read_rules(plan: Plan) -> Rules:
    """Load the tokenizer, and the image processor's sizes.

    Raises:
        OSError: The checkpoint is not there.
        ValueError: Its tokenizer cannot be loaded, or its image processor tells no sizes.
        ModuleNotFoundError: transformers is not installed.
    """
    model, template = plan.model_name_or_path, TEMPLATES[plan.template]
    image = _image_rule(plan)
    described = plan.new_special_tokens_config  # LLaMA-Factory's words for it, by token
    special = list(read_yaml_mapping(Path(described)) if described else plan.add_special_tokens)
    _needs_transformers()
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(model, use_fast=True)
        tokenizer.add_tokens(list(plan.add_tokens), special_tokens=False)
        tokenizer.add_tokens(special, special_tokens=True)
        tokenizer.add_special_tokens({"eos_token": "<|im_end|>"})
        written = tokenizer.backend_tokenizer.to_str()
    except Exception as error:  # of as many kinds as there are damaged files
        raise ValueError(f"{model}: its tokenizer cannot be loaded: {error!s:.200}") from error
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


def _image_rule(plan: Plan) -> ImageRule:
    model, name = plan.model_name_or_path, "preprocessor_config.json"
    told = _read(model, name)
    if told is None:  # as transformers 5 writes it
        name = "processor_config.json"
        told = (_read(model, name) or {}).get("image_processor")
    if not isinstance(told, dict):
        raise ValueError(f"{model}: expected a preprocessor_config.json; the model sees no images")
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
            raise ValueError(f"{model}/{name}: {key} is {value!r:.60}; expected a whole number")
    patch, merge, least, most = numbers.values()
    return ImageRule(patch, merge, least, most, plan.image_min_pixels, plan.image_max_pixels)


def read_weights(plan: Plan) -> Weights:
    """Count parameters: the model is built of its ``config.json``, without memory for weights.

    Raises:
        OSError: The checkpoint is not there.
        ValueError: transformers cannot build a model of its config.
        ModuleNotFoundError: torch or transformers is not installed.
    """
    model = plan.model_name_or_path
    read_config(model)
    _needs_transformers()
    import torch
    from transformers import AutoConfig, AutoModelForImageTextToText

    try:
        config = AutoConfig.from_pretrained(model)
        with torch.device("meta"):
            built = AutoModelForImageTextToText.from_config(config)
        built.tie_weights()
    except Exception as error:  # of as many kinds as there are damaged files
        raise ValueError(f"{model}: no model can be built of its config: {error!s:.200}") from error
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
