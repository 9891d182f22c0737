"""Qwen-VL's chat as LLaMA-Factory trains on it: the text, the images, and how long both are."""

import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any

from PIL import Image

from impromptu.conversation import IMAGE, Sample
from impromptu.engines import Decoding, Refused, Settings
from impromptu.engines._image_budget import open_image


@dataclass(frozen=True, slots=True)
class Chat:
    """One of LLaMA-Factory's templates.

    Attributes:
        system: The system message; empty for none.
        family: The checkpoints it is of, as people call them.
        kind: As their ``model_type`` calls them.
    """

    system: str
    family: str
    kind: str


CHATS = {
    "qwen2_vl": Chat("You are a helpful assistant.", "Qwen2.5-VL", "qwen2_5_vl"),
    "qwen3_vl_nothink": Chat("", "Qwen3-VL", "qwen3_vl"),
}
OWN = "own"
"""In place of a template's name: the model's own, without a system message of ours."""
ENDS = ("<|im_end|>", "<|endoftext|>")
SETTINGS = frozenset(
    ("model", "media_dir", "template", "cutoff_len", "image_max_pixels", "image_min_pixels")
) | {one.name for one in fields(Decoding)}
"""What every engine that is asked with this chat uses."""
_IMAGE_TOKENS = "<|vision_start|><|image_pad|><|vision_end|>"


def chat_text(prompt: str, template: str) -> str:
    """Wrap a prompt as LLaMA-Factory's template does, up to where the answer begins.

    Each image stands as one ``<|image_pad|>``, which the processor multiplies by its size.
    """
    system, content = CHATS[template].system, prompt.replace(IMAGE, _IMAGE_TOKENS)
    told = f"<|im_start|>system\n{system}<|im_end|>\n" if system else ""
    return f"{told}<|im_start|>user\n{content}<|im_end|>\n<|im_start|>assistant\n"


def refuse_template(template: str, *others: str) -> None:
    """Raise a ``ValueError`` that names the templates an engine has, if this is none of them."""
    if template not in (*CHATS, *others):
        known = ", ".join(f"{name!r} ({one.family})" for name, one in CHATS.items())
        more = "".join(f", or {other!r}, the model's own" for other in others)
        raise ValueError(
            f"template {template!r}: this engine knows, of LLaMA-Factory's templates, {known}{more}"
        )


def check_kind(model: str, template: str) -> None:
    """Refuse a checkpoint that a template is not of."""
    from transformers import PretrainedConfig

    kind, chat = PretrainedConfig.get_config_dict(model)[0].get("model_type"), CHATS[template]
    if kind != chat.kind:
        fits = [name for name, one in CHATS.items() if one.kind == kind]
        hint = f", whose template is {fits[0]}" if fits else ""
        raise ValueError(
            f"{model}: expected a {chat.family} ({chat.kind}), which template {template!r} is of, "
            f"got a {kind}{hint}"
        )


@contextmanager
def starting(engine: str) -> Iterator[None]:
    """Turn whatever a library raises when it cannot open a model into one line.

    Raises:
        OSError: For all that is not an error with a line of its own already.
    """
    try:
        yield
    except (OSError, ValueError, ModuleNotFoundError):
        raise
    except Exception as error:  # of libraries, which raise what they like
        raise OSError(f"{engine} did not start: {one_line(error)}") from error


def one_line(error: Exception) -> str:
    """Say an error of a library in one line, with its name, for some have no words."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:400].removesuffix(": ")


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
        processor: Qwen2.5-VL's or Qwen3-VL's.
        token_ids: Of the text.
        images: At the size of the training.
    """
    seer = processor.image_processor
    patches: int = sum(seer.get_number_of_image_patches(i.height, i.width, {}) for i in images)
    return len(token_ids) - len(images) + patches // int(seer.merge_size) ** 2


def seed_of(settings: Settings, key: str) -> int:
    """Return the seed of one sample or batch: the same whatever was asked before it."""
    return (settings.decoding.seed + zlib.crc32(key.encode())) % 2**31
