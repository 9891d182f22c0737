"""Builds a Qwen2.5-VL of about a million random weights, so that real training runs on a CPU.

Around the weights all is as in a published checkpoint: the classes, the flat ``config.json``, a
byte-level tokenizer with a token for each digit, Qwen's special tokens in Qwen's order, a chat
template and a processor.
"""

import os
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from impromptu import torch_cpu
from impromptu.files import write_json
from impromptu.wording import default_templates

VOCABULARY = 1_024
"""Rows of the embedding: the tokenizer has somewhat fewer entries, as the published one has."""

_SPECIAL = (
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>"),
    *("<|box_start|>", "<|box_end|>", "<|quad_start|>", "<|quad_end|>"),
    *("<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"),
)

_CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if loop.first and message.role != 'system' %}"
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
    "{% endif %}"
    "<|im_start|>{{ message.role }}\n"
    "{% if message.content is string %}{{ message.content }}{% else %}"
    "{% for part in message.content %}"
    "{% if part.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif part.type == 'text' %}{{ part.text }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

_VISION = {
    "depth": 4,
    "hidden_act": "silu",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_heads": 4,
    "in_chans": 3,
    "out_hidden_size": 128,
    "patch_size": 14,
    "spatial_merge_size": 2,
    "spatial_patch_size": 14,
    "window_size": 112,
    "fullatt_block_indexes": [1, 3],
    "tokens_per_second": 2,
    "temporal_patch_size": 2,
}


def build(out: Path, seed: int = 0) -> Path:
    """Write the checkpoint folder; the same seed gives the same bytes.

    Raises:
        FileExistsError: ``out`` is there already, and is not this very checkpoint.
        ModuleNotFoundError: torch or transformers is not installed.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as scratch:
        _write(folder := Path(scratch) / out.name, seed)
        if not out.exists() or not any(out.iterdir()):
            os.replace(folder, out)
        elif _contents(out) != _contents(folder):
            raise FileExistsError(f"{out} holds something else; choose another --out or remove it")
    return out


def _contents(folder: Path) -> dict[str, bytes | None]:
    return {one.name: one.read_bytes() if one.is_file() else None for one in folder.iterdir()}


def _write(folder: Path, seed: int) -> None:
    torch_cpu.hook()
    try:
        import torch
        import transformers
    except ModuleNotFoundError as error:
        error.add_note("the tiny model needs more: pip install 'impromptu-vla[train]'")
        raise
    tokenizer = _tokenizer(seed)
    config = _config({token: tokenizer.convert_tokens_to_ids(token) for token in _SPECIAL})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = transformers.Qwen2_5_VLForConditionalGeneration(
            transformers.Qwen2_5_VLConfig(**config)
        )
    model.save_pretrained(folder)
    transformers.Qwen2_5_VLProcessor(
        image_processor=transformers.Qwen2VLImageProcessor(min_pixels=3_136, max_pixels=12_845_056),
        tokenizer=tokenizer,
        video_processor=transformers.Qwen2VLVideoProcessor(),
        chat_template=_CHAT_TEMPLATE,
    ).save_pretrained(folder)
    # Over the nested layout that transformers writes: the published one is flat.
    write_json(folder / "config.json", config)


def _config(ids: dict[str, int]) -> dict[str, Any]:
    return {
        "architectures": ["Qwen2_5_VLForConditionalGeneration"],
        "model_type": "qwen2_5_vl",
        "attention_dropout": 0.0,
        "bos_token_id": ids["<|endoftext|>"],
        "eos_token_id": ids["<|im_end|>"],
        "vision_start_token_id": ids["<|vision_start|>"],
        "vision_end_token_id": ids["<|vision_end|>"],
        "vision_token_id": ids["<|vision_pad|>"],
        "image_token_id": ids["<|image_pad|>"],
        "video_token_id": ids["<|video_pad|>"],
        "hidden_act": "silu",
        "hidden_size": 128,
        # Wider than published, and rotary periods shorter, so that it learns within minutes.
        "initializer_range": 0.06,
        "intermediate_size": 256,
        "max_position_embeddings": 8192,
        "max_window_layers": 4,
        "num_attention_heads": 4,
        "num_hidden_layers": 4,
        "num_key_value_heads": 2,
        "rms_norm_eps": 1e-06,
        "rope_scaling": {"type": "mrope", "mrope_section": [4, 6, 6]},
        "rope_theta": 10000.0,
        "sliding_window": 8192,
        "tie_word_embeddings": True,
        "torch_dtype": "float32",
        "use_cache": True,
        "use_sliding_window": False,
        "vision_config": _VISION,
        "vocab_size": VOCABULARY,
    }


def _tokenizer(seed: int) -> Any:
    """Train a byte-level tokenizer that splits text as Qwen's does, on what models read here."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, processors, trainers
    from tokenizers.pre_tokenizers import ByteLevel, Sequence, Split
    from transformers import Qwen2TokenizerFast
    from transformers.models.qwen2.tokenization_qwen2 import PRETOKENIZE_REGEX

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    pieces = Split(Regex(PRETOKENIZE_REGEX), behavior="isolated")
    tokenizer.pre_tokenizer = Sequence([pieces, ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - len(_SPECIAL),
        min_frequency=1,
        initial_alphabet=ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_corpus(seed), trainer)
    tokenizer.add_special_tokens(list(_SPECIAL))
    return Qwen2TokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=_SPECIAL[2],
        pad_token=_SPECIAL[0],
        unk_token=None,
        bos_token=None,
        additional_special_tokens=list(_SPECIAL[1:]),
        model_max_length=8192,
    )


def _corpus(seed: int) -> Iterator[str]:
    """Yield the project's own sentences, and numbers as its answers write them."""
    yield from default_templates("strict").values()
    draw = random.Random(seed)  # noqa: S311 (text to train on, no secret)
    for _ in range(2_000):
        x, y = draw.uniform(-5, 60), draw.uniform(-20, 20)
        yield f"(t-{draw.randrange(7) / 2}s) [{x:.2f}, {y:.2f}], Acceleration: X {y:.2f}, Y {x:.2f}"
        yield f"Velocity: X {x:.2f}, Y {y:.2f} m/s, Steering angle: {y:.2f}"
