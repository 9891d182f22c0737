"""Reads a training YAML as LLaMA-Factory does: with its defaults, and values replaced by name."""

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_type_hints

import yaml

from impromptu.files import read_yaml_mapping
from impromptu.plugins import did_you_mean

_FALSE_TRUE = {"false": False, "no": False, "true": True, "yes": True}


@dataclass(frozen=True, slots=True)
class Plan:
    """What of a training decides which samples are learnt, how long they are and what it takes.

    Names and defaults are LLaMA-Factory 0.9.5's.

    Attributes:
        path: The YAML.
        given: All keys that were given, whether named below or not.
    """

    path: Path
    given: Mapping[str, Any]
    model_name_or_path: str = ""
    stage: str = "sft"
    finetuning_type: str = "lora"
    dataset: tuple[str, ...] = ()
    eval_dataset: tuple[str, ...] = ()
    dataset_dir: str = "data"
    media_dir: str = ""
    tokenized_path: str = ""
    template: str = ""
    default_system: str | None = None
    enable_thinking: bool | None = True
    preserve_thinking: bool = False
    cutoff_len: int = 2048
    mask_history: bool = False
    packing: bool = False
    neat_packing: bool = False
    mix_strategy: str = "concat"
    max_samples: int | None = None
    val_size: float = 0.0
    preprocessing_batch_size: int = 1000
    preprocessing_num_workers: int | None = None
    image_max_pixels: int = 589_824
    image_min_pixels: int = 1_024
    add_tokens: tuple[str, ...] = ()
    add_special_tokens: tuple[str, ...] = ()
    new_special_tokens_config: str = ""
    per_device_train_batch_size: int = 8
    gradient_accumulation_steps: int = 1
    num_train_epochs: float = 3.0
    max_steps: int = -1
    dataloader_drop_last: bool = False
    bf16: bool = False
    fp16: bool = False
    pure_bf16: bool = False
    quantization_bit: int | None = None
    disable_gradient_checkpointing: bool = False
    freeze_vision_tower: bool = True
    freeze_multi_modal_projector: bool = True
    freeze_language_model: bool = False
    lora_rank: int = 8
    lora_target: tuple[str, ...] = ("all",)
    deepspeed: str = ""
    output_dir: str = ""
    overwrite_output_dir: bool = False
    resume_from_checkpoint: str = ""

    @property
    def packs(self) -> bool:
        """Several samples are joined to one sequence."""
        return self.packing or self.neat_packing

    @property
    def cutoff_tokens(self) -> int:
        """The longest a sample may be; with packing LLaMA-Factory takes one token off."""
        return self.cutoff_len - self.packs

    @property
    def images_from(self) -> Path:
        """The folder that image paths start from."""
        return Path(self.media_dir or self.dataset_dir)


def read_plan(path: Path, overrides: Sequence[str] = ()) -> Plan:
    """Read a YAML and what the command line puts in its place.

    Args:
        path: The YAML.
        overrides: ``key=value`` each, the value written as in YAML.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no mapping, a value has a wrong type, or an override no ``=``.
    """
    if not path.is_file():
        beside = [one.name for one in path.parent.glob("*.yaml")]
        raise FileNotFoundError(
            f"{path}: no such file; expected a LLaMA-Factory training YAML."
            f"{did_you_mean(path.name, beside)}"
        )
    given = read_yaml_mapping(path)
    if strange := [key for key in given if not isinstance(key, str)]:
        raise ValueError(f"{path}: expected names as keys, got {strange[0]!r:.80}")
    given |= dict(map(_override, overrides))
    hints = get_type_hints(Plan)
    values = {
        field.name: _as(given[field.name], hints[field.name], path, field.name)
        for field in fields(Plan)
        if field.default is not MISSING and given.get(field.name) is not None
    }
    return _sensible(Plan(path, given, **values))


def _override(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ValueError(f"{text!r}: expected key=value, as after llamafactory-cli train FILE.yaml")
    try:
        return key.strip(), yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ValueError(f"{text!r}: the value is not valid YAML: {error}") from error


def _as(value: Any, hint: Any, path: Path, key: str) -> Any:
    """Return a value as the type of its field; YAML has 1e-5 as text, LLaMA-Factory as a number."""
    kind = get_args(hint)[0] if isinstance(hint, UnionType) else hint
    try:
        if get_args(kind):
            return _names(value)
        if kind is bool:
            return value if isinstance(value, bool) else _FALSE_TRUE[str(value).lower()]
        if isinstance(value, bool | list | dict):
            raise ValueError
        if kind is int and float(value) != int(float(value)):
            raise ValueError
        return int(float(value)) if kind is int else kind(value)
    except (ValueError, TypeError, KeyError, OverflowError):
        what = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
        expected = what.get(kind, "names, with commas between them")
        raise ValueError(f"{path}: {key} is {value!r:.80}; expected {expected}") from None


def _names(value: Any) -> tuple[str, ...]:
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError
    return tuple(dict.fromkeys(name.strip() for name in names))


def _sensible(plan: Plan) -> Plan:
    """Refuse numbers that nothing can be computed with."""
    least = {
        "cutoff_len": 1,
        "per_device_train_batch_size": 1,
        "gradient_accumulation_steps": 1,
        "preprocessing_batch_size": 1,
        "image_max_pixels": 1,
        "image_min_pixels": 1,
        "max_samples": 1,
        "preprocessing_num_workers": 1,
        "val_size": 0,
        "num_train_epochs": 0,
        "lora_rank": 1,
    }
    for key, low in least.items():
        value = getattr(plan, key)
        if value is not None and not low <= value < 1e12:
            raise ValueError(f"{plan.path}: {key} is {value}; expected at least {low}")
    if plan.image_max_pixels < plan.image_min_pixels:
        raise ValueError(
            f"{plan.path}: image_max_pixels ({plan.image_max_pixels}) is smaller than "
            f"image_min_pixels ({plan.image_min_pixels})"
        )
    return plan
