"""Qwen2-VL's chat as LLaMA-Factory trains on it: the text, the images, and how long both are."""

import zlib
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from PIL import Image

from impromptu.conversation import IMAGE, Sample
from impromptu.engines import Decoding, Refused, Settings
from impromptu.engines._image_budget import open_image

TEMPLATE = "qwen2_vl"
SYSTEM = "You are a helpful assistant."
ENDS = ("<|im_end|>", "<|endoftext|>")
SETTINGS = frozenset(
    ("model", "media_dir", "template", "cutoff_len", "image_max_pixels", "image_min_pixels")
) | {one.name for one in fields(Decoding)}
"""What every engine that is asked with this chat uses."""
_IMAGE_TOKENS = "<|vision_start|><|image_pad|><|vision_end|>"


def chat_text(prompt: str) -> str:
    """Wrap a prompt as LLaMA-Factory's ``qwen2_vl`` template does, up to where the answer begins.

    Each image stands as one ``<|image_pad|>``, which the processor multiplies by its size.
    """
    content = prompt.replace(IMAGE, _IMAGE_TOKENS)
    return (
        f"<|im_start|>system\n{SYSTEM}<|im_end|>\n"
        f"<|im_start|>user\n{content}<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def refuse_template(template: str, *others: str) -> None:
    """Raise a ``ValueError`` that names the templates an engine has, if this is none of them."""
    if template not in (TEMPLATE, *others):
        more = "".join(f", or {other!r}, the model's own" for other in others)
        raise ValueError(
            f"template {template!r}: this engine knows only {TEMPLATE!r}, "
            f"LLaMA-Factory's template of Qwen2-VL and Qwen2.5-VL{more}"
        )


def check_checkpoint(model: str) -> None:
    """Refuse a folder that is no checkpoint before anything large is imported or read."""
    if not model:
        raise ValueError(
            "no model given; expected --model_name_or_path with a checkpoint folder or a hub name"
        )
    looks_local = model.startswith((".", "/", "~")) or model.count("/") != 1
    if looks_local and not (Path(model) / "config.json").is_file():
        raise FileNotFoundError(f"{model}: expected a checkpoint folder, with a config.json")


def check_kind(model: str) -> None:
    """Refuse a checkpoint that this chat is not of."""
    from transformers import PretrainedConfig

    kind = PretrainedConfig.get_config_dict(model)[0].get("model_type")
    if kind != "qwen2_5_vl":
        raise ValueError(f"{model}: expected a Qwen2.5-VL (qwen2_5_vl), got a {kind}")


def open_images(sample: Sample, settings: Settings) -> list[Image.Image]:
    """Open a sample's images at the size of the training.

    Raises:
        Refused: One is absent or is no image.
    """
    budget = settings.image_max_pixels, settings.image_min_pixels
    try:
        return [open_image(settings.media_dir / path, *budget) for path in sample.images]
    except OSError as error:
        raise Refused(str(error)) from error


def refuse_long(length: int, settings: Settings) -> None:
    """Raise ``Refused`` for a prompt of more tokens than training kept."""
    if length > settings.cutoff_len:
        raise Refused(f"the prompt has {length} tokens, cutoff_len is {settings.cutoff_len}")


def prompt_length(processor: Any, token_ids: Sequence[int], images: Sequence[Image.Image]) -> int:
    """Return the tokens of a prompt whose images stand as one token each yet.

    Args:
        processor: Qwen2.5-VL's.
        token_ids: Of the text.
        images: At the size of the training.
    """
    seer = processor.image_processor
    patches: int = sum(seer.get_number_of_image_patches(i.height, i.width, {}) for i in images)
    return len(token_ids) - len(images) + patches // int(seer.merge_size) ** 2


def seed_of(settings: Settings, key: str) -> int:
    """Return the seed of one sample or batch: the same whatever was asked before it."""
    return (settings.decoding.seed + zlib.crc32(key.encode())) % 2**31
