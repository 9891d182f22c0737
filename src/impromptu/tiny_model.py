"""Builds a Qwen2.5-VL of one million random weights, so that real training code runs on a CPU.

Everything around the weights is as in a published checkpoint: the classes, the flat
``config.json``, a byte-level tokenizer that splits digits, Qwen's special tokens in Qwen's order,
a chat template and a processor.
"""

import itertools
import json
import random
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from impromptu import torch_cpu

VOCABULARY = 2_000
SPECIAL_TOKENS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|object_ref_start|>",
    "<|object_ref_end|>",
    "<|box_start|>",
    "<|box_end|>",
    "<|quad_start|>",
    "<|quad_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
